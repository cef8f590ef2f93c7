#include "media/plc.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace strowger::media {
namespace {

// A voice-like sound: harmonics of a pitch that lies between two sample counts.
std::vector<Sample> vowel(std::size_t count) {
    std::vector<Sample> samples(count);
    for (std::size_t i = 0; i < count; ++i) {
        double value = 0;
        for (int harmonic = 1; harmonic <= 8; ++harmonic) {
            value +=
                std::sin(2 * M_PI * 118.7 * harmonic * static_cast<double>(i) / 8000) / harmonic;
        }
        samples[i] = static_cast<Sample>(5000 * value);
    }
    return samples;
}

double error_db(std::span<const Sample> a, std::span<const Sample> b) {
    double signal = 1, noise = 1;
    for (std::size_t i = 0; i < a.size(); ++i) {
        signal += double{1} * a[i] * a[i];
        noise += (a[i] - b[i]) * double{1} * (a[i] - b[i]);
    }
    return 10 * std::log10(noise / signal);
}

TEST(Plc, DelaysGoodSpeechByThirtySamplesAndChangesNothing) {
    const auto in = vowel(1600);
    auto out = in;
    Plc plc;
    for (std::size_t at = 0; at < out.size(); at += 160)
        plc.received(std::span(out).subspan(at, 160));
    for (std::size_t i = Plc::delay; i < out.size(); ++i) ASSERT_EQ(out[i], in[i - Plc::delay]);
}

TEST(Plc, FillsALostFrameOfAVowelSoThatItIsHardlyHeard) {
    const auto in = vowel(3200);
    auto concealed = in;
    Plc plc;
    for (std::size_t at = 0; at < in.size(); at += 160) {
        const auto frame = std::span(concealed).subspan(at, 160);
        at == 1600 ? plc.conceal(frame) : plc.received(frame);
    }
    const auto original = std::span(in).subspan(1600, 160);
    const auto repaired = std::span(concealed).subspan(1600 + Plc::delay, 160);
    EXPECT_LT(error_db(original, repaired), -12);
    // No step anywhere larger than the signal itself makes.
    int largest = 0, largest_in = 0;
    for (std::size_t i = 100; i + 1 < in.size(); ++i) {
        largest = std::max(largest, std::abs(concealed[i + 1] - concealed[i]));
        largest_in = std::max(largest_in, std::abs(in[i + 1] - in[i]));
    }
    EXPECT_LE(largest, largest_in * 12 / 10);
    // And afterwards the signal is as it was.
    EXPECT_LT(error_db(std::span(in).subspan(2000, 1000),
                       std::span(concealed).subspan(2000 + Plc::delay, 1000)),
              -80);
}

TEST(Plc, FadesFromTenMillisecondsOnAndIsSilentAfterSixty) {
    auto samples = vowel(1600);
    Plc plc;
    plc.received(samples);
    std::vector<Sample> lost(160 * 5);
    for (std::size_t at = 0; at < lost.size(); at += 160)
        plc.conceal(std::span(lost).subspan(at, 160));
    EXPECT_TRUE(plc.concealing());
    const auto power = [&](std::size_t from, std::size_t count) {
        double sum = 0;
        for (std::size_t i = from; i < from + count; ++i) sum += double{1} * lost[i] * lost[i];
        return sum;
    };
    EXPECT_GT(power(80, 160), 2 * power(240, 160));
    EXPECT_EQ(power(480 + Plc::delay, 160), 0);
}

TEST(Plc, TakesFramesOfAnyLengthAndSilence) {
    Plc plc;
    std::vector<Sample> frame;
    for (const std::size_t length : {1U, 7U, 160U, 0U, 479U, 30U}) {
        frame.assign(length, 0);
        plc.received(frame);
        plc.conceal(frame);
        for (const Sample s : frame) EXPECT_EQ(s, 0);
    }
}

}  // namespace
}  // namespace strowger::media
