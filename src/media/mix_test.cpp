#include "media/mix.hpp"

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

std::vector<Sample> sine(double hertz, std::size_t first, double level, std::size_t size = 160) {
    std::vector<Sample> samples(size);
    for (std::size_t i = 0; i < size; ++i)
        samples[i] = static_cast<Sample>(
            std::lround(level * std::sin(2 * std::numbers::pi * hertz *
                                         static_cast<double>(first + i) / 8000)));
    return samples;
}

/// Somebody who hums one tone, and remembers what it hears.
struct Hummer {
    Party party;
    double hertz;
    g711::Law law = g711::Law::mu;
    double level = 6000;
    TestPhone phone = TestPhone();
    std::vector<Sample> heard = {};
    std::size_t hummed = 0;

    void hum() {
        std::vector<std::uint8_t> codes(160);
        g711::encode(law, sine(hertz, hummed, level), codes);
        hummed += 160;
        phone.send(codes, law == g711::Law::mu ? 0 : 8);
    }
    void listen() {
        while (const auto packet = phone.hear(0ms)) {
            std::vector<Sample> samples(packet->payload.size());
            g711::decode(packet->header.payload_type == 8 ? g711::Law::a : g711::Law::mu,
                         packet->payload, samples);
            if (packet->payload.size() == 160)
                heard.insert(heard.end(), samples.begin(), samples.end());
        }
    }
    /// Of the last half second that it heard.
    double hears(double other) const {
        const auto size = std::min<std::size_t>(heard.size(), 4000);
        return size < 1600 ? -1 : amplitude(std::span(heard).last(size), other);
    }
};

class Mixes : public ::testing::Test {
protected:
    void SetUp() override {
        directory =
            std::filesystem::temp_directory_path() / ("strowger-mix-" + std::to_string(::getpid()));
        std::filesystem::create_directories(directory);
        for (Hummer* each : all)
            exchange.call_in(each->phone, each->party,
                             each->phone.sdp(each->law == g711::Law::a ? "8 101" : "0 101",
                                             {"101 telephone-event/8000"}));
    }
    void TearDown() override { std::filesystem::remove_all(directory); }

    void mix(const Hummer& who, MixSettings settings = {}, const std::string& name = "room") {
        const auto joined = exchange.run(exchange.engine.mix({who.party, name, settings}));
        ASSERT_TRUE(joined) << joined.error().text();
    }
    void spy(const Hummer& who, const Hummer& whom, SpySettings settings = {}) {
        const auto started = exchange.run(exchange.engine.spy({who.party, whom.party, settings}));
        ASSERT_TRUE(started) << started.error().text();
    }
    /// Everybody hums and listens for so long, in real time.
    void talk(Duration length, std::vector<const Hummer*> silent = {}) {
        const Time start = io::monotonic_now();
        for (Hummer* each : all) each->heard.clear();
        for (int i = 0; i * 20ms < length; ++i) {
            std::this_thread::sleep_until(
                std::chrono::steady_clock::time_point((start + i * 20ms).time_since_epoch()));
            for (Hummer* each : all) {
                if (std::ranges::find(silent, each) == silent.end()) each->hum();
                each->listen();
            }
            exchange.engine.dispatch();
        }
    }
    std::string path(const std::string& name) const { return directory / name; }

    std::filesystem::path directory;
    TestExchange exchange;
    // Of different calls, so that they begin on different threads.
    Hummer ann{{"call-1", "ann"}, 500}, ben{{"call-2", "ben"}, 900, g711::Law::a},
        cat{{"call-3", "cat"}, 1500}, dan{{"call-4", "dan"}, 2100};
    std::vector<Hummer*> all{&ann, &ben, &cat, &dan};
};

TEST_F(Mixes, LetEachHearTheOthersAndNotItself) {
    for (const auto* each : {&ann, &ben, &cat}) mix(*each);
    talk(1s);
    for (const auto* listener : {&ann, &ben, &cat})
        for (const auto* speaker : {&ann, &ben, &cat}) {
            if (listener == speaker)
                EXPECT_LT(listener->hears(speaker->hertz), 150) << listener->party.tag;
            else
                EXPECT_NEAR(listener->hears(speaker->hertz), 6000, 600)
                    << listener->party.tag << " hears " << speaker->party.tag;
        }
    EXPECT_TRUE(dan.heard.empty()) << "who is not in it hears nothing";
    EXPECT_EQ(exchange.settle(ann.party).mode, "mix");
}

TEST_F(Mixes, AreSentEvenlyAndWithoutGaps) {
    mix(ann);
    mix(ben);
    const Time start = io::monotonic_now();
    std::optional<rtp::Header> last;
    int packets = 0;
    while (io::monotonic_now() - start < 600ms) {
        const auto packet = ann.phone.hear(100ms);
        ASSERT_TRUE(packet);
        if (last) {
            EXPECT_EQ(packet->header.timestamp - last->timestamp, 160U);
            EXPECT_EQ(static_cast<std::uint16_t>(packet->header.sequence - last->sequence), 1);
        }
        last = packet->header;
        ++packets;
    }
    EXPECT_NEAR(packets, 30, 3);
}

TEST_F(Mixes, SaturateWhenAllShout) {
    for (auto* each : {&ann, &ben, &cat}) each->level = 30000;
    for (const auto* each : {&ann, &ben, &cat}) mix(*each);
    mix(dan);
    talk(600ms, {&dan});
    const auto [low, high] = std::minmax_element(dan.heard.end() - 4000, dan.heard.end());
    EXPECT_GT(*high, 31000);
    EXPECT_LT(*low, -31000);
    // What wrapped around instead would be mostly noise.
    EXPECT_GT(dan.hears(500), 9000);
}

TEST_F(Mixes, MuteDeafenAndAmplifyOneMember) {
    for (const auto* each : {&ann, &ben, &cat, &dan}) mix(*each);
    mix(ann, {.muted = true});
    mix(ben, {.deaf = true});
    mix(cat, {.talking_gain = 0.5F});
    mix(dan, {.listening_gain = 0.5F});
    talk(1s);
    EXPECT_LT(cat.hears(ann.hertz), 150) << "muted";
    EXPECT_NEAR(ann.hears(ben.hertz), 6000, 600) << "a muted one hears";
    EXPECT_LT(ben.hears(cat.hertz), 50) << "deaf";
    EXPECT_NEAR(ann.hears(cat.hertz), 3000, 300) << "talks at half the loudness";
    EXPECT_NEAR(dan.hears(ben.hertz), 3000, 300) << "hears at half the loudness";
    mix(ann, {});
    talk(800ms);
    EXPECT_NEAR(cat.hears(ann.hertz), 6000, 600);
}

TEST_F(Mixes, LetMembersGoAndComeAndBeConnectedElsewhere) {
    for (const auto* each : {&ann, &ben, &cat}) mix(*each);
    ASSERT_TRUE(exchange.run(exchange.engine.connect({cat.party, dan.party})));
    talk(800ms);
    EXPECT_LT(ann.hears(cat.hertz), 150);
    EXPECT_NEAR(ann.hears(ben.hertz), 6000, 600);
    EXPECT_NEAR(dan.hears(cat.hertz), 6000, 600);
    EXPECT_LT(cat.hears(ann.hertz), 150);
    mix(dan, {}, "other");
    mix(cat);
    talk(800ms);
    EXPECT_NEAR(ann.hears(cat.hertz), 6000, 600);
    EXPECT_TRUE(dan.hears(cat.hertz) < 150);
    for (const auto* each : {&ann, &ben, &cat, &dan})
        ASSERT_TRUE(exchange.run(exchange.engine.leave_mix({each->party})));
    EXPECT_FALSE(exchange.run(exchange.engine.stop_play_mix({"room"}))) << "the mix has ended";
    EXPECT_EQ(exchange.settle(ann.party).mode, "idle");
}

TEST_F(Mixes, PlayToAllAndToOne) {
    auto writer = WavWriter::open(path("tone.wav"));
    ASSERT_TRUE(writer->write(sine(1200, 0, 8000, 16000)));
    ASSERT_TRUE(writer->close());
    mix(ann);
    mix(ben);
    ASSERT_TRUE(exchange.run(exchange.engine.play_mix({"room", {{path("tone.wav")}}, 44})));
    talk(800ms);
    EXPECT_NEAR(ann.hears(1200), 8000, 800);
    EXPECT_NEAR(ben.hears(1200), 8000, 800);
    EXPECT_NEAR(ann.hears(ben.hertz), 6000, 600) << "over what is said";
    ASSERT_TRUE(exchange.run(exchange.engine.stop_play_mix({"room"})));
    const auto finished = exchange.wait_for<PlayFinished>();
    ASSERT_TRUE(finished);
    EXPECT_EQ(finished->id, 44U);
    EXPECT_EQ(finished->party, (Party{"room", ""}));
    EXPECT_FALSE(finished->completed);

    ASSERT_TRUE(exchange.run(exchange.engine.play({ann.party, PlayFiles{{path("tone.wav")}}, 45})));
    talk(800ms);
    EXPECT_NEAR(ann.hears(1200), 8000, 800);
    EXPECT_LT(ann.hears(ben.hertz), 150) << "in place of the others";
    EXPECT_LT(ben.hears(1200), 150);
    EXPECT_NEAR(ben.hears(ann.hertz), 6000, 600);
}

TEST_F(Mixes, AreRecordedWhole) {
    mix(ann);
    mix(ben);
    ASSERT_TRUE(exchange.run(exchange.engine.record_mix({"room", path("room.wav"), false, 8})));
    talk(1s);
    ASSERT_TRUE(exchange.run(exchange.engine.stop_record_mix({"room", 8})));
    const auto finished = exchange.wait_for<RecordFinished>();
    ASSERT_TRUE(finished);
    EXPECT_EQ(finished->id, 8U);
    EXPECT_NEAR(seconds(finished->duration), 1, 0.1);
    auto file = AudioFile::open(path("room.wav"));
    ASSERT_TRUE(file) << file.error().text();
    std::vector<Sample> samples(16000);
    samples.resize(file->read(samples));
    ASSERT_GT(samples.size(), 6000U);
    const auto middle = std::span(samples).subspan(2400, 3200);
    EXPECT_NEAR(amplitude(middle, ann.hertz), 6000, 600);
    EXPECT_NEAR(amplitude(middle, ben.hertz), 6000, 600);
}

TEST_F(Mixes, TellWhoTalks) {
    mix(ann, {.detects_talk = true, .silence = 300ms});
    talk(400ms);
    auto told = exchange.wait_for<TalkingChanged>(0ms);
    ASSERT_TRUE(told);
    EXPECT_EQ(told->party, ann.party);
    EXPECT_TRUE(told->talking);
    EXPECT_FALSE(exchange.wait_for<TalkingChanged>(0ms));
    talk(600ms, {&ann});
    told = exchange.wait_for<TalkingChanged>(0ms);
    ASSERT_TRUE(told);
    EXPECT_FALSE(told->talking);
    EXPECT_NEAR(seconds(told->talked), 0.75, 0.2);
}

TEST_F(Mixes, PassKeysOnWhereAsked) {
    mix(ann, {.pass_keys = true});
    mix(cat);
    talk(100ms);
    const std::uint32_t at = ann.phone.timestamp;
    ann.phone.send_at({5, 10, 0, 160}, 101, at, true);
    for (int i = 0; i < 3; ++i) ann.phone.send_at({5, 0x80 | 10, 3, 0x20}, 101, at);
    const Time start = io::monotonic_now();
    bool heard = false;
    while (!heard && io::monotonic_now() - start < 1s) {
        const auto packet = cat.phone.hear(100ms);
        heard = packet && packet->header.payload_type == 101 && packet->payload[0] == 5;
    }
    EXPECT_TRUE(heard);
}

TEST_F(Mixes, EndWithTheLastMemberAndTellWhatWasGoingOn) {
    mix(ann);
    ASSERT_TRUE(exchange.run(exchange.engine.record_mix({"room", path("room.wav"), false, 9})));
    exchange.settle(ann.party);
    ASSERT_TRUE(exchange.run(exchange.engine.remove({ann.party})));
    const auto finished = exchange.wait_for<RecordFinished>();
    ASSERT_TRUE(finished);
    EXPECT_EQ(finished->reason, "ended");
    mix(ben);
    EXPECT_EQ(exchange.settle(ben.party).mode, "mix");
}

TEST_F(Mixes, RefuseWhoSpeaksNothingThatCanBeMixed) {
    TestPhone other;
    exchange.call_in(other, {"call-9", "eve"}, other.sdp("111", {"111 iLBC/8000"}),
                     {.codecs = {{"iLBC", 8000, 1}}});
    EXPECT_FALSE(exchange.run(exchange.engine.mix({{"call-9", "eve"}, "room"})));
    EXPECT_FALSE(exchange.run(exchange.engine.mix({ann.party, ""})));
    EXPECT_FALSE(exchange.run(exchange.engine.mix({{"call-9", "nobody"}, "room"})));
}

class Spies : public Mixes {
protected:
    void SetUp() override {
        Mixes::SetUp();
        ASSERT_TRUE(exchange.run(exchange.engine.connect({ann.party, ben.party})));
    }
};

TEST_F(Spies, HearBothWaysUnheard) {
    spy(cat, ann);
    talk(1s);
    EXPECT_NEAR(cat.hears(ann.hertz), 6000, 600);
    EXPECT_NEAR(cat.hears(ben.hertz), 6000, 600);
    EXPECT_LT(ann.hears(cat.hertz), 150);
    EXPECT_LT(ben.hears(cat.hertz), 150);
    EXPECT_NEAR(ann.hears(ben.hertz), 6000, 600) << "the call goes on";
    EXPECT_EQ(exchange.settle(cat.party).mode, "spy");
}

TEST_F(Spies, HearOneWayOnlyAndAtTheirOwnVolume) {
    spy(cat, ann, {.hears_others = false, .gain = 0.5F});
    talk(1s);
    EXPECT_NEAR(cat.hears(ann.hertz), 3000, 300);
    EXPECT_LT(cat.hears(ben.hertz), 150);
}

TEST_F(Spies, WhisperToOneParty) {
    spy(cat, ann, {.whispers = true});
    talk(1s);
    EXPECT_NEAR(ann.hears(cat.hertz), 6000, 900);
    EXPECT_NEAR(ann.hears(ben.hertz), 6000, 900);
    EXPECT_LT(ben.hears(cat.hertz), 150);
    EXPECT_LT(cat.hears(cat.hertz), 150) << "not its own whisper";
    talk(1s, {&ben});
    EXPECT_NEAR(ann.hears(cat.hertz), 6000, 900) << "even when the other one says nothing";
}

TEST_F(Spies, BargeInOnBoth) {
    spy(cat, ann, {.barges = true});
    talk(1s);
    EXPECT_NEAR(ann.hears(cat.hertz), 6000, 900);
    EXPECT_NEAR(ben.hears(cat.hertz), 6000, 900);
    EXPECT_NEAR(ben.hears(ann.hertz), 6000, 900);
}

TEST_F(Spies, GoWithTheOneTheyListenToAndIntoAMix) {
    spy(cat, ann, {.barges = true});
    mix(ann, {}, "r1");
    mix(dan, {}, "r1");
    talk(1s);
    EXPECT_NEAR(cat.hears(ann.hertz), 6000, 900);
    EXPECT_NEAR(cat.hears(dan.hertz), 6000, 900);
    EXPECT_NEAR(dan.hears(cat.hertz), 6000, 900);
    EXPECT_NEAR(ann.hears(cat.hertz), 6000, 900);
    EXPECT_TRUE(ben.hears(cat.hertz) < 150) << "no longer talks to her";
    // Onto every thread that there is, one after the other.
    for (const auto* name : {"r2", "r3", "r4", "r5"}) {
        mix(ann, {}, name);
        mix(dan, {}, name);
    }
    talk(800ms);
    EXPECT_NEAR(cat.hears(dan.hertz), 6000, 900);
}

TEST_F(Spies, EndWhenToldOrWhenTheOtherGoes) {
    spy(cat, ann);
    spy(dan, ann);
    ASSERT_TRUE(exchange.run(exchange.engine.stop_spy({cat.party})));
    talk(600ms);
    EXPECT_TRUE(cat.hears(ann.hertz) < 150);
    EXPECT_NEAR(dan.hears(ann.hertz), 6000, 600);
    ASSERT_TRUE(exchange.run(exchange.engine.remove({ann.party})));
    EXPECT_EQ(exchange.settle(dan.party).mode, "idle");
    EXPECT_FALSE(exchange.run(exchange.engine.spy({dan.party, dan.party})));
    EXPECT_FALSE(exchange.run(exchange.engine.spy({dan.party, ann.party}))) << "she has gone";
    spy(dan, ben);
    ASSERT_TRUE(exchange.run(exchange.engine.remove({dan.party})));
    talk(100ms, {&ann, &dan});
}

}  // namespace
}  // namespace strowger::media
