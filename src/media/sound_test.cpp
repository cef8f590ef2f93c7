#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <numbers>
#include <thread>

#include "media/audio_file.hpp"
#include "media/g711.hpp"
#include "media/test_phone.hpp"
#include "media/wav_writer.hpp"

namespace strowger::media {
namespace {

using namespace std::chrono_literals;

const Party alice{"call-1", "alice"};
const Party bob{"call-1", "bob"};

/// 20 ms of a sine at frame `n` of a steady tone.
std::vector<Sample> sine(double hertz, int n, double amplitude = 8000, std::size_t size = 160) {
    std::vector<Sample> samples(size);
    for (std::size_t i = 0; i < size; ++i) {
        const double at =
            static_cast<double>(n) * static_cast<double>(size) + static_cast<double>(i);
        samples[i] = static_cast<Sample>(
            std::lround(amplitude * std::sin(2 * std::numbers::pi * hertz * at / 8000)));
    }
    return samples;
}

/// The amplitude of that frequency in the samples: a single bin of the Fourier transform.
double amplitude(std::span<const Sample> samples, double hertz) {
    double re = 0, im = 0;
    for (std::size_t i = 0; i < samples.size(); ++i) {
        const double angle = 2 * std::numbers::pi * hertz * static_cast<double>(i) / 8000;
        re += samples[i] * std::cos(angle);
        im += samples[i] * std::sin(angle);
    }
    return 2 * std::hypot(re, im) / static_cast<double>(samples.size());
}

double decibels(double ratio) { return 20 * std::log10(ratio); }

std::vector<std::uint8_t> encoded(g711::Law law, std::span<const Sample> samples) {
    std::vector<std::uint8_t> codes(samples.size());
    g711::encode(law, samples, codes);
    return codes;
}

void append_decoded(std::vector<Sample>& to, g711::Law law,
                    const std::vector<std::uint8_t>& codes) {
    std::vector<Sample> samples(codes.size());
    g711::decode(law, codes, samples);
    to.insert(to.end(), samples.begin(), samples.end());
}

class Sounds : public ::testing::Test {
protected:
    void SetUp() override {
        directory = std::filesystem::temp_directory_path() /
                    ("strowger-media-" + std::to_string(::getpid()));
        std::filesystem::create_directories(directory);
    }
    void TearDown() override { std::filesystem::remove_all(directory); }

    std::string path(const std::string& name) const { return directory / name; }

    std::string write_tone(const std::string& name, double hertz, int frames) const {
        auto writer = WavWriter::open(path(name));
        for (int i = 0; i < frames; ++i) EXPECT_TRUE(writer->write(sine(hertz, i)));
        EXPECT_TRUE(writer->close());
        return path(name);
    }
    std::vector<Sample> read(const std::string& name) const {
        std::vector<Sample> samples(80000);
        auto file = AudioFile::open(path(name));
        EXPECT_TRUE(file) << (file ? "" : file.error().text());
        if (!file) return {};
        samples.resize(file->read(samples));
        return samples;
    }

    std::filesystem::path directory;
    TestExchange exchange;
    TestPhone a, b;
};

TEST_F(Sounds, PlayAFileToItsEndEvenly20MillisecondsApart) {
    exchange.call_in(a, alice, a.sdp("8"));
    const auto file = write_tone("tone.wav", 1000, 10);
    ASSERT_TRUE(exchange.run(exchange.engine.play({alice, PlayFiles{{file, file}}, 77})));
    std::vector<Sample> heard;
    std::vector<Time> arrivals;
    std::optional<rtp::Header> last;
    while (const auto packet = a.hear(100ms)) {
        arrivals.push_back(io::monotonic_now());
        EXPECT_EQ(packet->header.payload_type, 8);
        EXPECT_EQ(packet->header.marker, !last);
        if (last) {
            EXPECT_EQ(packet->header.timestamp - last->timestamp, 160U);
            EXPECT_EQ(static_cast<std::uint16_t>(packet->header.sequence - last->sequence), 1);
        }
        last = packet->header;
        append_decoded(heard, g711::Law::a, packet->payload);
    }
    ASSERT_EQ(arrivals.size(), 20U);
    EXPECT_NEAR(seconds(arrivals.back() - arrivals.front()), 0.38, 0.03);
    EXPECT_NEAR(decibels(amplitude(heard, 1000) / 8000), 0, 0.2);
    const auto finished = exchange.wait_for<PlayFinished>();
    ASSERT_TRUE(finished);
    EXPECT_EQ(finished->id, 77U);
    EXPECT_TRUE(finished->completed);
    EXPECT_EQ(finished->played, 400ms);
}

TEST_F(Sounds, TakeThePlaceOfThePeerAndGiveItBackWhenStopped) {
    exchange.call_in(a, alice, a.sdp("0"));
    exchange.call_in(b, bob, b.sdp("0"));
    exchange.connect(alice, bob);
    ASSERT_TRUE(exchange.run(exchange.engine.play({bob, PlayTone{"425"}, 5})));
    ASSERT_TRUE(b.hear());
    EXPECT_EQ(exchange.settle(bob).mode, "play");
    std::vector<Sample> heard;
    for (int i = 0; i < 10; ++i) {
        a.send(encoded(g711::Law::mu, sine(2000, i)));
        const auto packet = b.hear();
        ASSERT_TRUE(packet);
        append_decoded(heard, g711::Law::mu, packet->payload);
    }
    EXPECT_GT(amplitude(heard, 425), 1000);
    EXPECT_LT(amplitude(heard, 2000), 50);
    b.send(encoded(g711::Law::mu, sine(300, 0)));
    EXPECT_TRUE(a.hear()) << "the other way goes on";

    ASSERT_TRUE(exchange.run(exchange.engine.stop_play({bob})));
    const auto finished = exchange.wait_for<PlayFinished>();
    ASSERT_TRUE(finished);
    EXPECT_FALSE(finished->completed);
    while (b.hear(40ms)) {}
    a.send(std::vector<std::uint8_t>(160, 0x55));
    const auto again = b.hear();
    ASSERT_TRUE(again);
    EXPECT_EQ(again->payload, std::vector<std::uint8_t>(160, 0x55));
    EXPECT_TRUE(again->header.marker);
}

TEST_F(Sounds, ReplaceOneAnotherAndLoop) {
    exchange.call_in(a, alice, a.sdp("0"));
    const auto file = write_tone("short.wav", 700, 3);
    ASSERT_TRUE(exchange.run(exchange.engine.play({alice, PlayTone{"425"}, 1})));
    ASSERT_TRUE(exchange.run(exchange.engine.play({alice, PlayFiles{{file}, true}, 2})));
    const auto replaced = exchange.wait_for<PlayFinished>();
    ASSERT_TRUE(replaced);
    EXPECT_EQ(replaced->id, 1U);
    EXPECT_FALSE(replaced->completed);
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(a.hear()) << "three frames, looped";
    EXPECT_FALSE(exchange.wait_for<PlayFinished>(20ms));
    ASSERT_TRUE(exchange.run(exchange.engine.remove({alice})));
    const auto removed = exchange.wait_for<PlayFinished>();
    ASSERT_TRUE(removed);
    EXPECT_EQ(removed->party, alice);
    EXPECT_EQ(removed->id, 2U);
}

TEST_F(Sounds, ThatCannotBePlayedSayWhy) {
    exchange.call_in(a, alice, a.sdp("0"));
    const auto missing = exchange.run(exchange.engine.play({alice, PlayFiles{{path("no.wav")}}}));
    ASSERT_FALSE(missing);
    EXPECT_NE(missing.error().text().find("no.wav"), std::string::npos);
    EXPECT_FALSE(exchange.run(exchange.engine.play({alice, PlayTone{"nonsense"}})));
    exchange.call_in(b, bob, b.sdp("111", {"111 iLBC/8000"}), {.codecs = {{"iLBC", 8000, 1}}});
    EXPECT_FALSE(exchange.run(exchange.engine.play({bob, PlayTone{"425"}})));
}

TEST_F(Sounds, KeepTheirLevelThroughTranscoding) {
    exchange.call_in(a, alice, a.sdp("0"));
    exchange.call_in(b, bob, b.sdp("8"));
    exchange.connect(alice, bob);
    std::vector<Sample> at_b, at_a;
    for (int i = 0; i < 10; ++i) {
        a.send(encoded(g711::Law::mu, sine(1000, i)));
        const auto packet = b.hear();
        ASSERT_TRUE(packet);
        EXPECT_EQ(packet->header.payload_type, 8);
        append_decoded(at_b, g711::Law::a, packet->payload);
        b.send(encoded(g711::Law::a, sine(600, i)), 8);
        const auto back = a.hear();
        ASSERT_TRUE(back);
        EXPECT_EQ(back->header.payload_type, 0);
        append_decoded(at_a, g711::Law::mu, back->payload);
    }
    EXPECT_NEAR(decibels(amplitude(at_b, 1000) / 8000), 0, 1);
    EXPECT_NEAR(decibels(amplitude(at_a, 600) / 8000), 0, 1);
    const auto stats = exchange.settle(alice);
    EXPECT_EQ(stats.mode, "transcode");
    EXPECT_EQ(stats.why, "the peer does not speak PCMU");
}

TEST_F(Sounds, OfBothPartiesLieInTheRecordingWhenTheyWereSaid) {
    exchange.call_in(a, alice, a.sdp("0"));
    exchange.call_in(b, bob, b.sdp("8"));
    exchange.connect(alice, bob);
    ASSERT_TRUE(
        exchange.run(exchange.engine.record({.party = alice, .path = path("both.wav"), .id = 9})));
    exchange.settle(alice);
    // Alice for 400 ms, both for 400 ms, Bob for 400 ms.
    const Time start = io::monotonic_now();
    for (int i = 0; i < 60; ++i) {
        std::this_thread::sleep_until(
            std::chrono::steady_clock::time_point((start + i * 20ms).time_since_epoch()));
        a.timestamp = static_cast<std::uint32_t>(i * 160);
        b.timestamp = static_cast<std::uint32_t>(i * 160);
        if (i < 40) a.send(encoded(g711::Law::mu, sine(1000, i)));
        if (i >= 20) b.send(encoded(g711::Law::a, sine(600, i)), 8);
    }
    ASSERT_TRUE(exchange.run(exchange.engine.stop_record({alice, 9})));
    const auto finished = exchange.wait_for<RecordFinished>();
    ASSERT_TRUE(finished);
    EXPECT_EQ(finished->id, 9U);
    EXPECT_EQ(finished->reason, "stopped");
    EXPECT_NEAR(seconds(finished->duration), 1.2, 0.08);
    const auto samples = read("both.wav");
    ASSERT_GE(samples.size(), 9000U);
    const auto part = [&](std::size_t from_ms, std::size_t to_ms) {
        return std::span(samples).subspan(from_ms * 8, (to_ms - from_ms) * 8);
    };
    EXPECT_NEAR(decibels(amplitude(part(50, 350), 1000) / 8000), 0, 1);
    EXPECT_LT(amplitude(part(50, 350), 600), 200);
    EXPECT_NEAR(decibels(amplitude(part(450, 750), 1000) / 8000), 0, 1);
    EXPECT_NEAR(decibels(amplitude(part(450, 750), 600) / 8000), 0, 1);
    EXPECT_LT(amplitude(part(850, 1100), 1000), 200);
    EXPECT_NEAR(decibels(amplitude(part(850, 1100), 600) / 8000), 0, 1);
}

TEST_F(Sounds, EndARecordingAtItsLimitOrAfterSilenceAndWhenThePartyGoes) {
    exchange.call_in(a, alice, a.sdp("0"));
    exchange.call_in(b, bob, b.sdp("0"));
    ASSERT_TRUE(exchange.run(exchange.engine.record(
        {.party = alice, .path = path("limit.wav"), .max_duration = 300ms, .id = 1})));
    ASSERT_TRUE(exchange.run(exchange.engine.record(
        {.party = alice, .path = path("silence.wav"), .max_silence = 500ms, .id = 2})));
    ASSERT_TRUE(
        exchange.run(exchange.engine.record({.party = bob, .path = path("gone.wav"), .id = 3})));
    const auto limit = exchange.wait_for<RecordFinished>();
    ASSERT_TRUE(limit);
    EXPECT_EQ(limit->id, 1U);
    EXPECT_EQ(limit->reason, "max-duration");
    EXPECT_EQ(limit->duration, 300ms);
    EXPECT_EQ(read("limit.wav").size(), 2400U);
    const auto silence = exchange.wait_for<RecordFinished>();
    ASSERT_TRUE(silence);
    EXPECT_EQ(silence->id, 2U);
    EXPECT_EQ(silence->reason, "silence");
    ASSERT_TRUE(exchange.run(exchange.engine.remove({bob})));
    const auto gone = exchange.wait_for<RecordFinished>();
    ASSERT_TRUE(gone);
    EXPECT_EQ(gone->party, bob);
    EXPECT_EQ(gone->reason, "hangup");
}

TEST_F(Sounds, ThatAreLostAreConcealedInTheRecording) {
    exchange.call_in(a, alice, a.sdp("0"));
    ASSERT_TRUE(exchange.run(exchange.engine.record({.party = alice, .path = path("lossy.wav")})));
    exchange.settle(alice);
    const Time start = io::monotonic_now();
    for (int i = 0; i < 30; ++i) {
        std::this_thread::sleep_until(
            std::chrono::steady_clock::time_point((start + i * 20ms).time_since_epoch()));
        a.send(encoded(g711::Law::mu, sine(400, i)));
        if (i == 14) {  // the 16th is lost
            ++i;
            a.timestamp += 160;
            ++a.sequence;
        }
    }
    ASSERT_TRUE(exchange.run(exchange.engine.stop_record({alice})));
    ASSERT_TRUE(exchange.wait_for<RecordFinished>());
    const auto samples = read("lossy.wav");
    ASSERT_GE(samples.size(), 4000U);
    // No 10 ms between 100 ms and 500 ms is silent.
    for (std::size_t at = 800; at < 4000; at += 80)
        EXPECT_GT(amplitude(std::span(samples).subspan(at, 80), 400), 3000) << at;
}

TEST_F(Sounds, OfKeysAreSentAsEventsWhereAgreed) {
    exchange.call_in(a, alice, a.sdp("0 101", {"101 telephone-event/8000"}));
    ASSERT_TRUE(exchange.run(exchange.engine.play_dtmf({alice, "7#", 60ms, 40ms})));
    std::vector<TestPhone::Heard> heard;
    while (const auto packet = a.hear(200ms)) heard.push_back(*packet);
    ASSERT_FALSE(heard.empty());
    std::vector<std::uint32_t> starts;
    int ends = 0;
    for (const auto& packet : heard) {
        EXPECT_EQ(packet.header.payload_type, 101);
        ASSERT_EQ(packet.payload.size(), 4U);
        if (starts.empty() || starts.back() != packet.header.timestamp)
            starts.push_back(packet.header.timestamp);
        EXPECT_EQ(packet.payload[0], starts.size() == 1 ? 7 : 11);
        EXPECT_EQ(packet.header.marker,
                  packet.payload[3] == 0 || &packet == &heard[0] ||
                      packet.header.timestamp != (&packet)[-1].header.timestamp);
        if (packet.payload[1] & 0x80) ++ends;
    }
    EXPECT_EQ(starts.size(), 2U);
    EXPECT_EQ(ends, 6) << "each end three times";
}

TEST_F(Sounds, OfKeysAreHeardInBandAndSentInBandWhereTheProfileSaysSo) {
    exchange.call_in(a, alice, a.sdp("0"), {.dtmf = DtmfMode::inband});
    exchange.call_in(b, bob, b.sdp("0"), {.dtmf = DtmfMode::inband});
    exchange.connect(alice, bob);
    ASSERT_TRUE(exchange.run(exchange.engine.play_dtmf({bob, "5", 120ms, 40ms})));
    std::vector<std::vector<std::uint8_t>> tones;
    while (const auto packet = b.hear(100ms)) tones.push_back(packet->payload);
    ASSERT_GE(tones.size(), 7U);
    EXPECT_LE(tones.size(), 8U);
    for (const auto& tone : tones) a.send(tone);
    for (int i = 0; i < 5; ++i) a.send(std::vector<std::uint8_t>(160, 0xff));
    const auto down = exchange.wait_for<DtmfEvent>();
    ASSERT_TRUE(down);
    EXPECT_EQ(down->digit, '5');
    EXPECT_EQ(down->party, alice);
    const auto up = exchange.wait_for<DtmfEvent>();
    ASSERT_TRUE(up);
    EXPECT_TRUE(up->end);
    EXPECT_NEAR(seconds(up->duration), 0.12, 0.02);
    EXPECT_FALSE(exchange.wait_for<DtmfEvent>(30ms));
}

}  // namespace
}  // namespace strowger::media
