#include "media/audio_file.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <fstream>

#include "media/wav_writer.hpp"

namespace strowger::media {
namespace {

using namespace std::chrono_literals;

class AudioFileTest : public testing::Test {
protected:
    AudioFileTest()
        : folder_(std::filesystem::temp_directory_path() /
                  ("strowger-audio-" + std::to_string(::getpid()))) {
        std::filesystem::create_directories(folder_);
    }
    ~AudioFileTest() override { std::filesystem::remove_all(folder_); }

    std::filesystem::path store(const std::string& name, const std::string& bytes) {
        std::ofstream(folder_ / name, std::ios::binary) << bytes;
        return folder_ / name;
    }
    static std::string le(std::uint32_t value, int bytes) {
        std::string text;
        for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> 8 * i);
        return text;
    }
    static std::string wav(unsigned tag, unsigned channels, std::uint32_t rate, unsigned bits,
                           const std::string& data, const std::string& before = {}) {
        const auto format = le(tag, 2) + le(channels, 2) + le(rate, 4) +
                            le(rate * channels * bits / 8, 4) + le(channels * bits / 8, 2) +
                            le(bits, 2);
        const auto body = "WAVEfmt " + le(16, 4) + format + before + "data" +
                          le(static_cast<std::uint32_t>(data.size()), 4) + data;
        return "RIFF" + le(static_cast<std::uint32_t>(body.size()), 4) + body;
    }
    static std::vector<Sample> all(AudioFile& file) {
        std::vector<Sample> samples(1000000);
        samples.resize(file.read(samples));
        return samples;
    }

    std::filesystem::path folder_;
};

TEST_F(AudioFileTest, ReadsEveryEncoding) {
    struct Case {
        unsigned tag, channels, bits;
        std::string data;
        std::vector<Sample> samples;
    };
    const Case cases[] = {{1, 1, 16, le(1000, 2) + le(0xff00, 2), {1000, -256}},
                          {1, 1, 8, "\x80\x81\x7f", {0, 256, -256}},
                          {7, 1, 8, "\xff\x80", {0, 32124}},
                          {6, 1, 8, "\xd5\xaa", {8, 32256}},
                          {1, 2, 16, le(100, 2) + le(300, 2), {200}}};
    for (const auto& c : cases) {
        auto file = AudioFile::open(store("a.wav", wav(c.tag, c.channels, 8000, c.bits, c.data)));
        ASSERT_TRUE(file) << file.error().text();
        EXPECT_EQ(all(*file), c.samples);
        EXPECT_FALSE(file->failed());
    }
}

TEST_F(AudioFileTest, SkipsOtherChunksAndTakesStreamsWithoutASize) {
    auto bytes = wav(1, 1, 8000, 16, le(7, 2), "LIST" + le(3, 4) + "abc" + '\0');
    auto file = AudioFile::open(store("a.wav", bytes));
    ASSERT_TRUE(file);
    EXPECT_EQ(all(*file), std::vector<Sample>{7});
    bytes.replace(bytes.size() - 6, 4, "\xff\xff\xff\xff");
    file = AudioFile::open(store("a.wav", bytes));
    ASSERT_TRUE(file);
    EXPECT_EQ(all(*file), std::vector<Sample>{7});
}

TEST_F(AudioFileTest, ReadsHeaderlessFilesByTheirSuffix) {
    const std::pair<std::string, Sample> cases[] = {{"a.ulaw", g711::decode_mu(0x80)},
                                                    {"a.alaw", g711::decode_a(0x80)},
                                                    {"a.sln", static_cast<Sample>(0x8080)},
                                                    {"a.raw", static_cast<Sample>(0x8080)}};
    for (const auto& [name, first] : cases) {
        auto file = AudioFile::open(store(name, "\x80\x80"));
        ASSERT_TRUE(file);
        const auto samples = all(*file);
        ASSERT_FALSE(samples.empty());
        EXPECT_EQ(samples[0], first) << name;
    }
    EXPECT_FALSE(AudioFile::open(store("a.mp3", "x")));
    EXPECT_FALSE(AudioFile::open(folder_ / "none.wav"));
}

TEST_F(AudioFileTest, RefusesMalformedHeads) {
    auto good = wav(1, 1, 8000, 16, "ab");
    for (std::size_t cut = 0; cut < 44; ++cut) {
        EXPECT_FALSE(AudioFile::open(store("a.wav", good.substr(0, cut)))) << cut;
    }
    EXPECT_FALSE(AudioFile::open(store("a.wav", wav(1, 0, 8000, 16, "ab"))));
    EXPECT_FALSE(AudioFile::open(store("a.wav", wav(1, 9, 8000, 16, "ab"))));
    EXPECT_FALSE(AudioFile::open(store("a.wav", wav(1, 1, 0, 16, "ab"))));
    EXPECT_FALSE(AudioFile::open(store("a.wav", wav(1, 1, 0xffffffff, 16, "ab"))));
    EXPECT_FALSE(AudioFile::open(store("a.wav", wav(1, 1, 8000, 24, "abc"))));
    const auto error = AudioFile::open(store("a.wav", wav(85, 1, 8000, 16, "ab"))).error().text();
    EXPECT_NE(error.find("expected PCM of 8 or 16 bits, A-law or u-law, got format 85"),
              std::string::npos);
}

TEST_F(AudioFileTest, ResamplesWhatHasAnotherRate) {
    for (const std::uint32_t rate : {16000U, 44100U, 48000U, 6000U, 11025U}) {
        std::string data;
        for (std::uint32_t i = 0; i < rate; ++i) {
            data += le(static_cast<std::uint16_t>(
                           std::lround(10000 * std::sin(2 * M_PI * 1000 * i / rate))),
                       2);
        }
        auto file = AudioFile::open(store("a.wav", wav(1, 1, rate, 16, data)));
        ASSERT_TRUE(file);
        EXPECT_NEAR(seconds(file->length()), 1, 0.001);
        const auto samples = all(*file);
        EXPECT_NEAR(static_cast<double>(samples.size()), 8000, 1) << rate;
        double noise = 0;
        for (std::size_t i = 200; i < 7800; ++i) {
            const double wanted = 10000 * std::sin(2 * M_PI * 1000 * static_cast<double>(i) / 8000);
            noise += (samples[i] - wanted) * (samples[i] - wanted) / 7600;
        }
        EXPECT_LT(10 * std::log10(noise / 5e7), -50) << rate;
    }
}

TEST_F(AudioFileTest, DoesNotLetHighTonesFoldBack) {
    Resampler resampler(16000, 8000);
    std::vector<Sample> in(16000), out;
    for (std::size_t i = 0; i < in.size(); ++i) {
        in[i] =
            static_cast<Sample>(10000 * std::sin(2 * M_PI * 5500 * static_cast<double>(i) / 16000));
    }
    for (std::size_t at = 0; at < in.size(); at += 100) {
        resampler.process(std::span(in).subspan(at, 100), out);
    }
    double power = 0;
    for (std::size_t i = 200; i < 7000; ++i) power += double{1} * out[i] * out[i] / 6800;
    EXPECT_LT(10 * std::log10(power / 5e7), -50);
}

TEST_F(AudioFileTest, Seeks) {
    std::string data;
    for (unsigned i = 0; i < 16000; ++i) data += le(i, 2);
    auto file = AudioFile::open(store("a.wav", wav(1, 1, 8000, 16, data)));
    Sample sample[1];
    file->seek(500ms);
    ASSERT_EQ(file->read(sample), 1U);
    EXPECT_EQ(sample[0], 4000);
    file->rewind();
    ASSERT_EQ(file->read(sample), 1U);
    EXPECT_EQ(sample[0], 0);
    file->seek(1h);
    EXPECT_EQ(file->read(sample), 0U);
}

TEST_F(AudioFileTest, WriterMakesAFileThatIsWholeEvenBeforeItIsClosed) {
    const auto path = folder_ / "out.wav";
    auto writer = WavWriter::open(path);
    ASSERT_TRUE(writer);
    std::vector<Sample> second(8000, 1234);
    ASSERT_TRUE(writer->write(second));
    ASSERT_TRUE(writer->write(std::span(second).first(100)));
    {
        auto file = AudioFile::open(path);  // as a crash would leave it
        ASSERT_TRUE(file);
        EXPECT_GE(file->length(), 1s);
    }
    ASSERT_TRUE(writer->close());
    EXPECT_FALSE(writer->write(second));
    auto file = AudioFile::open(path);
    auto samples = all(*file);
    EXPECT_EQ(samples, std::vector<Sample>(8100, 1234));
    auto more = WavWriter::open(path, true);
    ASSERT_TRUE(more);
    ASSERT_TRUE(more->write(std::span(second).first(50)));
    ASSERT_TRUE(more->close());
    file = AudioFile::open(path);
    EXPECT_EQ(all(*file).size(), 8150U);
    EXPECT_EQ(std::filesystem::file_size(path), 44U + 8150 * 2);
}

}  // namespace
}  // namespace strowger::media
