#include "media/codec/codec.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <numbers>

#include "base/random.hpp"
#include "io/test_directory.hpp"

namespace strowger::codec {
namespace {

std::vector<Sample> tone(std::uint32_t rate, double hertz, double amplitude, double length) {
    std::vector<Sample> samples(static_cast<std::size_t>(length * rate));
    for (std::size_t i = 0; i < samples.size(); ++i)
        samples[i] = static_cast<Sample>(std::lround(
            amplitude * std::sin(2 * std::numbers::pi * hertz * static_cast<double>(i) / rate)));
    return samples;
}

struct Heard {
    double amplitude = 0;  // of the frequency that was asked for
    double noise_db = 0;   // everything else against it
};

// What of `samples` is a sine of that frequency, by least squares; phase does not matter.
Heard measure(std::span<const Sample> samples, std::uint32_t rate, double hertz) {
    double sines = 0, cosines = 0, energy = 0;
    const auto n = static_cast<double>(samples.size());
    for (std::size_t i = 0; i < samples.size(); ++i) {
        const double angle = 2 * std::numbers::pi * hertz * static_cast<double>(i) / rate;
        sines += samples[i] * std::sin(angle);
        cosines += samples[i] * std::cos(angle);
        energy += double{1} * samples[i] * samples[i];
    }
    const double amplitude = 2 / n * std::hypot(sines, cosines);
    const double wanted = amplitude * amplitude / 2;
    return {amplitude,
            10 * std::log10(std::max(energy / n - wanted, 1e-3) / std::max(wanted, 1e-3))};
}

// The second second: codecs begin slowly. 1 kHz and 1 s make whole periods.
Heard measure_second(const std::vector<Sample>& samples, std::uint32_t rate, double hertz) {
    if (samples.size() < 2 * std::size_t{rate}) return {};
    return measure(std::span(samples).subspan(rate, rate - rate / 10), rate, hertz);
}

std::vector<std::vector<std::uint8_t>> packets_of(Encoder& encoder, std::span<const Sample> sound) {
    std::vector<std::vector<std::uint8_t>> packets;
    const std::size_t size = encoder.packet_samples(20);
    std::array<std::uint8_t, max_payload> payload;
    for (; sound.size() >= size; sound = sound.subspan(size)) {
        const auto bytes = encoder.encode(sound.first(size), payload);
        packets.emplace_back(payload.begin(), payload.begin() + static_cast<std::ptrdiff_t>(bytes));
    }
    return packets;
}

sdp::Codec codec_of(const Listed& listed, std::string fmtp = {}) {
    return {std::string(listed.name), listed.clock_rate, listed.channels, std::move(fmtp)};
}

// What a sine may lose in each. Codecs that model a voice are not made for sines.
double noise_limit(std::string_view name) {
    if (name == "L16") return -80;
    if (name == "PCMU" || name == "PCMA") return -34;
    if (name == "G722") return -30;
    if (name == "G726-40" || name == "opus") return -20;
    if (name == "G726-16") return -6;
    return -10;
}

TEST(Codec, EachGivesATuneBackAsLoudAsItWas) {
    for (const auto& listed : all()) {
        const auto codec = codec_of(listed);
        SCOPED_TRACE(fmt::format("{}/{}/{}", listed.name, listed.clock_rate, listed.channels));
        const auto encoder = make_encoder(codec, 48000);
        const auto decoder = make_decoder(codec, 48000);
        const auto support = support_of(codec);
        ASSERT_EQ(support.encodes, encoder != nullptr);
        ASSERT_EQ(support.decodes, decoder != nullptr);
        if (!encoder) {
            EXPECT_TRUE(listed.name == "iLBC" || listed.name == "G723");
            continue;  // which libavcodec has, and iLBC it only decodes
        }
        ASSERT_TRUE(decoder);
        ASSERT_EQ(encoder->rate(), decoder->rate());
        std::vector<Sample> heard, room(max_packet_samples);
        for (const auto& packet : packets_of(*encoder, tone(encoder->rate(), 1000, 8000, 3))) {
            ASSERT_FALSE(packet.empty());
            const auto count = decoder->decode(packet, room);
            ASSERT_EQ(count, encoder->packet_samples(20));
            heard.insert(heard.end(), room.begin(),
                         room.begin() + static_cast<std::ptrdiff_t>(count));
        }
        const auto got = measure_second(heard, decoder->rate(), 1000);
        EXPECT_NEAR(20 * std::log10(got.amplitude / 8000), 0, 1.0);
        EXPECT_LT(got.noise_db, noise_limit(listed.name));
    }
}

TEST(Codec, AnyBytesAreDecodedOrRefusedWithinTheRoom) {
    Random random{7};
    for (const auto& listed : all())
        for (const char* fmtp : {"", "octet-align=1"}) {
            const auto decoder = make_decoder(codec_of(listed, fmtp), 16000);
            if (!support_of(codec_of(listed, fmtp)).decodes) continue;
            ASSERT_TRUE(decoder);
            std::vector<Sample> room(decoder->rate() / 1000 * 120);
            for (int i = 0; i < 200; ++i) {
                std::vector<std::uint8_t> bytes(random.next() % 400);
                for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random.next());
                EXPECT_LE(decoder->decode(bytes, room), room.size());
            }
        }
}

// RFC 3551 section 4.5.3: the lowest two bits of a frame tell its length.
TEST(Codec, G723FramesOfAnyKindFollowEachOtherInAPacket) {
    const sdp::Codec g723{"G723", 8000, 1};
    if (!is_transcodable(g723)) GTEST_SKIP() << "libavcodec is not installed";
    const auto encoder = make_encoder(g723, 8000);
    ASSERT_EQ(encoder->packet_samples(20), 240);  // 30 ms are the least
    ASSERT_EQ(encoder->packet_samples(60), 480);
    const auto sound = tone(8000, 500, 8000, 0.3);
    std::array<std::uint8_t, max_payload> payload;
    ASSERT_EQ(encoder->encode(std::span(sound).first(480), payload), 48);
    EXPECT_EQ(payload[0] & 3, 0);
    EXPECT_EQ(payload[24] & 3, 0);
    const auto decoder = make_decoder(g723, 8000);
    std::vector<Sample> room(max_packet_samples);
    EXPECT_EQ(decoder->decode(Bytes(payload).first(48), room), 480);
    std::vector<std::uint8_t> mixed(payload.begin(), payload.begin() + 24);
    mixed.insert(mixed.end(), {0x02, 0x10, 0x20, 0x30});  // a description of the silence
    EXPECT_EQ(decoder->decode(mixed, room), 480);
    // Cut off, too long for the room, nothing.
    EXPECT_EQ(decoder->decode(Bytes(payload).first(23), room), 0);
    EXPECT_EQ(decoder->decode(Bytes(payload).first(47), room), 240);
    EXPECT_EQ(decoder->decode(Bytes(payload).first(48), std::span(room).first(479)), 240);
    EXPECT_EQ(decoder->decode({}, room), 0);
}

// RFC 3952 section 4: 38 bytes are 20 ms, 50 are 30, whatever was agreed.
TEST(Codec, IlbcIsDecodedByTheLengthOfItsFrames) {
    const sdp::Codec ilbc{"iLBC", 8000, 1, "mode=20"};
    if (!support_of(ilbc).decodes) GTEST_SKIP() << "libavcodec is not installed";
    EXPECT_FALSE(support_of(ilbc).encodes);
    EXPECT_EQ(make_encoder(ilbc, 8000), nullptr);
    const auto decoder = make_decoder(ilbc, 8000);
    std::vector<Sample> room(max_packet_samples);
    const std::vector<std::uint8_t> bytes(200, 0x5a);
    EXPECT_EQ(decoder->decode(Bytes(bytes).first(38), room), 160);
    EXPECT_EQ(decoder->decode(Bytes(bytes).first(76), room), 320);
    EXPECT_EQ(decoder->decode(Bytes(bytes).first(50), room), 240);
    EXPECT_EQ(decoder->decode(Bytes(bytes).first(100), room), 480);
    EXPECT_EQ(decoder->decode(Bytes(bytes).first(38), room), 160);
    EXPECT_EQ(decoder->decode(Bytes(bytes).first(39), room), 0);
    EXPECT_EQ(decoder->decode(Bytes(bytes).first(100), std::span(room).first(300)), 240);
}

TEST(Codec, OpusWorksAtTheRateThatIsWanted) {
    const sdp::Codec opus{"opus", 48000, 2};
    EXPECT_EQ(make_decoder(opus, 8000)->rate(), 8000);
    EXPECT_EQ(make_decoder(opus, 16000)->rate(), 16000);
    EXPECT_EQ(make_decoder(opus, 44100)->rate(), 48000);
    EXPECT_EQ(make_encoder(opus, 32000)->rate(), 48000);
}

// What 8 kHz hears of a full-band Opus packet is what was said below 4 kHz.
TEST(Codec, NarrowEarsHearWideOpus) {
    const sdp::Codec opus{"opus", 48000, 2};
    const auto encoder = make_encoder(opus, 48000);
    const auto decoder = make_decoder(opus, 8000);
    std::vector<Sample> heard, room(max_packet_samples);
    for (const auto& packet : packets_of(*encoder, tone(48000, 1000, 8000, 3))) {
        const auto count = decoder->decode(packet, room);
        heard.insert(heard.end(), room.begin(), room.begin() + static_cast<std::ptrdiff_t>(count));
    }
    EXPECT_NEAR(20 * std::log10(measure_second(heard, 8000, 1000).amplitude / 8000), 0, 1.0);
}

// RFC 4867 section 4.4.5: with octet-align a packet of one frame of 12.2 kbit/s has 33 octets,
// without it 32, as 4 + 6 + 244 bits need.
TEST(Codec, AmrHasBothItsFormats) {
    const auto sound = tone(8000, 440, 8000, 0.1);
    const auto aligned = make_encoder({"AMR", 8000, 1, "octet-align=1"}, 8000);
    const auto efficient = make_encoder({"AMR", 8000, 1}, 8000);
    EXPECT_EQ(packets_of(*aligned, sound)[0].size(), 33);
    EXPECT_EQ(packets_of(*efficient, sound)[0].size(), 32);
    // Mode 0 is 4.75 kbit/s, 95 bits.
    const auto slow = make_encoder({"AMR", 8000, 1, "mode-set=0"}, 8000);
    EXPECT_EQ(packets_of(*slow, sound)[0].size(), 14);
    EXPECT_FALSE(is_transcodable({"AMR", 8000, 1, "octet-align=1;interleaving=30"}));
}

TEST(Codec, NamesAreComparedWithoutCaseAndRatesMatter) {
    EXPECT_TRUE(is_transcodable({"OPUS", 48000, 2}));
    EXPECT_FALSE(is_transcodable({"opus", 8000, 1}));
    EXPECT_FALSE(is_transcodable({"telephone-event", 8000, 1}));
    EXPECT_EQ(native_rate({"g722", 8000, 1}), 16000);
}

// An independent decoder hears what ours encoded, and the other way.
class Oracle : public testing::Test {
protected:
    void SetUp() override {
        if (std::system("ffmpeg -version >/dev/null 2>&1") != 0) GTEST_SKIP() << "no ffmpeg";
    }
    std::string path(std::string_view name) const {
        return directory_.path + "/" + std::string(name);
    }
    static bool run(const std::string& arguments) {
        return std::system(("ffmpeg -v error -y " + arguments).c_str()) == 0;
    }
    void write(std::string_view name, Bytes bytes) const {
        std::ofstream(path(name), std::ios::binary)
            .write(reinterpret_cast<const char*>(bytes.data()),
                   static_cast<std::streamsize>(bytes.size()));
    }
    std::vector<std::uint8_t> read(std::string_view name) const {
        std::ifstream file(path(name), std::ios::binary);
        return {std::istreambuf_iterator<char>(file), {}};
    }

    // `strip`: what stands before each frame in a packet and not in the file.
    void decodes_ours(const sdp::Codec& codec, const std::string& format, std::string_view magic,
                      std::size_t strip) {
        const auto encoder = make_encoder(codec, 8000);
        const auto rate = encoder->rate();
        std::vector<std::uint8_t> bytes(magic.begin(), magic.end());
        for (const auto& packet : packets_of(*encoder, tone(rate, 1000, 8000, 3)))
            bytes.insert(bytes.end(), packet.begin() + static_cast<std::ptrdiff_t>(strip),
                         packet.end());
        write("ours", bytes);
        ASSERT_TRUE(run(fmt::format("-f {} -i {} -f s16le -ar {} {}", format, path("ours"), rate,
                                    path("theirs.raw"))));
        const auto raw = read("theirs.raw");
        std::vector<Sample> heard(raw.size() / 2);
        for (std::size_t i = 0; i < heard.size(); ++i)
            heard[i] = static_cast<Sample>(raw[2 * i] | raw[2 * i + 1] << 8);
        const auto got = measure_second(heard, rate, 1000);
        // Two decoders of AMR differ in what they do after the synthesis.
        EXPECT_NEAR(20 * std::log10(got.amplitude / 8000), 0, codec.name.starts_with("AMR") ? 5 : 1)
            << codec.name;
        EXPECT_LT(got.noise_db, noise_limit(codec.name)) << codec.name;
    }

    // `frame`: bytes of the file that are one packet's.
    void decoded_here(const sdp::Codec& codec, const std::string& output, std::size_t frame) {
        const auto decoder = make_decoder(codec, 8000);
        ASSERT_TRUE(
            run(fmt::format("-f lavfi -i sine=frequency=1000:duration=3 -af volume=2 -ac 1 {} {}",
                            output, path("theirs"))));
        const auto bytes = read("theirs");
        std::vector<Sample> heard, room(max_packet_samples);
        for (Bytes rest(bytes); rest.size() >= frame; rest = rest.subspan(frame)) {
            const auto count = decoder->decode(rest.first(frame), room);
            heard.insert(heard.end(), room.begin(),
                         room.begin() + static_cast<std::ptrdiff_t>(count));
        }
        const auto got = measure_second(heard, decoder->rate(), 1000);
        // Its sine has an eighth of full scale; here twice that.
        EXPECT_NEAR(20 * std::log10(got.amplitude / 8191), 0, 1.0) << codec.name;
        EXPECT_LT(got.noise_db, noise_limit(codec.name)) << codec.name;
    }

private:
    io::TestDirectory directory_;
};

TEST_F(Oracle, DecodesWhatIsEncodedHere) {
    decodes_ours({"G722", 8000, 1}, "g722", "", 0);
    decodes_ours({"GSM", 8000, 1}, "gsm", "", 0);
    decodes_ours({"G726-32", 8000, 1}, "g726le -code_size 4", "", 0);
    decodes_ours({"AAL2-G726-32", 8000, 1}, "g726 -code_size 4", "", 0);
    decodes_ours({"G729", 8000, 1}, "g729", "", 0);
    decodes_ours({"AMR", 8000, 1, "octet-align=1"}, "amr", "#!AMR\n", 1);
    decodes_ours({"AMR-WB", 16000, 1, "octet-align=1"}, "amr", "#!AMR-WB\n", 1);
}

TEST_F(Oracle, IsDecodedHere) {
    decoded_here({"G722", 8000, 1}, "-ar 16000 -f g722", 160);
    decoded_here({"GSM", 8000, 1}, "-ar 8000 -c:a libgsm -f gsm", 33);
    decoded_here({"G726-32", 8000, 1}, "-ar 8000 -c:a g726le -b:a 32k -f g726le", 80);
    decoded_here({"AAL2-G726-32", 8000, 1}, "-ar 8000 -c:a g726 -b:a 32k -f g726", 80);
    decoded_here({"L16", 16000, 1}, "-ar 16000 -f s16be", 640);
}

}  // namespace
}  // namespace strowger::codec
