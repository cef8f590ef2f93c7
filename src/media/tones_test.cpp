#include "media/tones.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "media/dtmf_detector.hpp"

namespace strowger::media {
namespace {

using namespace std::chrono_literals;

double level_of(std::span<const Sample> samples) {
    double power = 0;
    for (const Sample s : samples) power += static_cast<double>(s) * s;
    return 10 * std::log10(power / static_cast<double>(samples.size()) / (32767.0 * 32767 / 2)) +
           3.14;
}

TEST(Tones, SoundAtTheLevelAskedFor) {
    auto tone = ToneGenerator::parse("425", -20);
    std::vector<Sample> samples(8000);
    ASSERT_EQ(tone->generate(samples), samples.size());
    EXPECT_NEAR(level_of(samples), -20, 0.02);
}

TEST(Tones, FollowTheCadence) {
    auto tone = ToneGenerator::parse("425/1000,0/4000");
    std::vector<Sample> samples(8000 * 11);
    ASSERT_EQ(tone->generate(samples), samples.size());
    EXPECT_NEAR(level_of(std::span(samples).first(8000)), -13, 0.05);
    EXPECT_EQ(samples[8000], 0);
    EXPECT_EQ(samples[39999], 0);
    EXPECT_NEAR(level_of(std::span(samples).subspan(40000, 8000)), -13, 0.05);
}

TEST(Tones, PlayOnceElementsOnce) {
    auto tone = ToneGenerator::parse("!350/100,!0/100");
    std::vector<Sample> samples(8000);
    EXPECT_EQ(tone->generate(samples), 1600U);
    EXPECT_TRUE(tone->finished());
    auto stutter = ToneGenerator::parse("!350+440/100,!0/100,350+440");
    ASSERT_EQ(stutter->generate(samples), 8000U);
    EXPECT_EQ(samples[1000], 0);
    EXPECT_NEAR(level_of(std::span(samples).subspan(1600)), -10, 0.1) << "two tones: 3 dB more";
}

TEST(Tones, KeepTheirPhaseOverChunksAndElements) {
    auto whole = ToneGenerator::parse("440/35,440/17");
    auto plain = ToneGenerator::parse("440");
    std::vector<Sample> a(4000), b(4000);
    plain->generate(a);
    for (std::size_t at = 0; at < b.size(); at += 160)
        whole->generate(std::span(b).subspan(at, 160));
    EXPECT_EQ(a, b);
}

TEST(Tones, ModulateTheAmplitude) {
    auto tone = ToneGenerator::parse("400*20/2000,0/4000");
    std::vector<Sample> samples(8000);
    tone->generate(samples);
    // 20 Hz: full after an eighth of 50 ms times 2, silent at three quarters.
    EXPECT_GT(level_of(std::span(samples).subspan(80, 40)), -14);
    EXPECT_LT(level_of(std::span(samples).subspan(295, 10)), -40);
}

TEST(Tones, RefuseWhatIsNone) {
    for (const auto* spec : {"", "x", "440/", "440/0", "440/-5", "5000", "440+", "440*/100",
                             "1+2+3+4+5", "440/99999999", "nan", "inf"}) {
        EXPECT_FALSE(ToneGenerator::parse(spec)) << spec;
    }
}

std::string heard(std::span<const Sample> samples) {
    DtmfDetector detector;
    std::string text;
    for (std::size_t at = 0; at < samples.size(); at += 160) {
        detector.process(samples.subspan(at, std::min<std::size_t>(160, samples.size() - at)));
        for (DtmfDetector::Key key; detector.poll(key);) {
            if (!key.end) text += key.digit;
        }
    }
    return text;
}

std::vector<Sample> dialled(std::string_view digits, Duration on, Duration off,
                            std::size_t lead = 0) {
    auto generator = DtmfGenerator::make(digits, on, off);
    std::vector<Sample> samples(lead + 8000 * 20);
    const auto count = generator->generate(std::span(samples).subspan(lead));
    samples.resize(lead + count + 800);
    return samples;
}

std::vector<Sample> pair(double low, double high, double low_dbm, double high_dbm,
                         std::size_t length, std::size_t lead) {
    std::vector<Sample> samples(lead + length + 1600);
    for (std::size_t i = 0; i < length; ++i) {
        const double t = 2 * M_PI * static_cast<double>(i) / 8000;
        samples[lead + i] = static_cast<Sample>(amplitude_of(low_dbm) * std::sin(low * t) +
                                                amplitude_of(high_dbm) * std::sin(high * t));
    }
    return samples;
}

TEST(DtmfDetector, HearsAllSixteenKeysAtTheShortestTiming) {
    constexpr std::string_view all = "123A456B789C*0#D1155";
    for (std::size_t lead = 0; lead < 80; lead += 13) {
        EXPECT_EQ(heard(dialled(all, 40ms, 40ms, lead)), all) << lead;
    }
    EXPECT_EQ(heard(dialled(all, 250ms, 100ms)), all);
}

TEST(DtmfDetector, HearsThroughG711) {
    for (const auto law : {g711::Law::mu, g711::Law::a}) {
        auto samples = dialled("0123456789*#", 60ms, 60ms);
        std::vector<std::uint8_t> codes(samples.size());
        g711::encode(law, samples, codes);
        g711::decode(law, codes, samples);
        EXPECT_EQ(heard(samples), "0123456789*#");
    }
}

TEST(DtmfDetector, TellsHowLongAKeyWasDown) {
    DtmfDetector detector;
    detector.process(dialled("5", 200ms, 100ms));
    DtmfDetector::Key key;
    ASSERT_TRUE(detector.poll(key));
    EXPECT_FALSE(key.end);
    ASSERT_TRUE(detector.poll(key));
    EXPECT_TRUE(key.end);
    EXPECT_NEAR(seconds(key.duration), 0.2, 0.015);
}

TEST(DtmfDetector, KeepsToTheTolerancesOfQ24) {
    for (const double low : {697.0, 770.0, 852.0, 941.0}) {
        for (const double high : {1209.0, 1336.0, 1477.0, 1633.0}) {
            for (std::size_t lead = 0; lead < 80; lead += 23) {
                const auto count = [&](double l, double h, double l_dbm = -10, double h_dbm = -10,
                                       std::size_t length = 800) {
                    return heard(pair(l, h, l_dbm, h_dbm, length, lead)).size();
                };
                EXPECT_EQ(count(low * 1.015, high * 0.985), 1U) << low << " " << high;
                EXPECT_EQ(count(low * 0.985, high * 1.015), 1U) << low << " " << high;
                EXPECT_EQ(count(low, high, -6, -14), 1U) << low << " " << high << " twist";
                EXPECT_EQ(count(low, high, -14, -10), 1U) << low << " " << high << " reverse twist";
                EXPECT_EQ(count(low, high, -37, -37), 1U) << low << " " << high << " quiet";
                EXPECT_EQ(count(low * 1.035, high), 0U) << low << " " << high << " low off";
                EXPECT_EQ(count(low, high * 0.965), 0U) << low << " " << high << " high off";
                EXPECT_EQ(count(low, high, -10, -10, 22 * 8), 0U) << low << " " << high << " short";
                EXPECT_EQ(count(low, high, -50, -50), 0U) << low << " " << high << " too quiet";
            }
        }
    }
}

TEST(DtmfDetector, TakesAKeyWithAShortGapAsOne) {
    auto samples = dialled("8", 200ms, 0ms);
    std::fill_n(samples.begin() + 700, 80, Sample{0});
    EXPECT_EQ(heard(samples), "8");
}

TEST(DtmfDetector, HearsNothingInTonesAndNoise) {
    auto ringback = ToneGenerator::parse("440+480");
    std::vector<Sample> samples(80000);
    ringback->generate(samples);
    EXPECT_EQ(heard(samples), "");
    std::uint32_t state = 1;
    for (auto& s : samples) s = static_cast<Sample>((state = state * 1664525 + 1013904223) >> 18);
    EXPECT_EQ(heard(samples), "");
}

TEST(DtmfGenerator, RefusesWhatIsNoKey) {
    EXPECT_FALSE(DtmfGenerator::make("12!", 100ms, 0ms));
    EXPECT_FALSE(DtmfGenerator::make(std::string(257, '1'), 100ms, 0ms));
}

}  // namespace
}  // namespace strowger::media
