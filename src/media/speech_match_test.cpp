#include "media/speech_match.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "base/random.hpp"
#include "media/resampler.hpp"

namespace strowger::media {
namespace {

using namespace std::chrono_literals;
using Samples = std::vector<Sample>;

/// Something with the course of speech: syllables of changing pitch, formant and loudness, hisses
/// between them, pauses.
Samples speech(std::uint64_t seed, std::size_t count = 80000) {
    Random random(seed);
    Samples samples(count);
    double phase = 0;
    for (std::size_t at = 0; at < count;) {
        const auto length = static_cast<std::size_t>(random.between(600, 2400));
        const double kind = random.between(0, 1), pitch = random.between(90, 220);
        const double glide = random.between(-30, 30), formant = random.between(300, 2500);
        const double loud = random.between(1500, 6000);
        for (std::size_t i = 0; i < length && at < count; ++i, ++at) {
            const double t = static_cast<double>(i) / static_cast<double>(length);
            const double envelope = std::sin(M_PI * t) * loud;
            phase += (pitch + glide * t) / 8000;
            double value = 0;
            if (kind < 0.65) {
                for (int h = 1; h * pitch < 3400; ++h) {
                    const double away = (h * pitch - formant) / 400;
                    value += std::sin(2 * M_PI * h * phase) * (0.15 + std::exp(-away * away));
                }
                value /= 3;
            } else if (kind < 0.85) {
                value = random.between(-0.4, 0.4);
            }
            samples[at] = static_cast<Sample>(envelope * value);
        }
    }
    return samples;
}

Samples delayed(const Samples& in, std::size_t by, double gain = 1) {
    Samples out(by, 0);
    for (const Sample s : in) out.push_back(static_cast<Sample>(s * gain));
    return out;
}

TEST(SpeechMatch, FindsDelayAndLevelThroughBothLaws) {
    const auto sent = speech(1);
    for (const auto law : {g711::Law::mu, g711::Law::a}) {
        auto received = delayed(sent, 12345, 0.7);
        std::vector<std::uint8_t> codes(received.size());
        g711::encode(law, received, codes);
        g711::decode(law, codes, received);
        const auto match = match_speech(sent, received);
        EXPECT_GT(match.similarity, 0.98);
        EXPECT_EQ(match.matched, 1);
        EXPECT_NEAR(seconds(match.delay), 12345 / 8000.0, 0.0001);
        EXPECT_NEAR(match.level_change, -3.1, 0.1);
    }
}

TEST(SpeechMatch, TakesSpeechWhoseStartWasCut) {
    const auto sent = speech(1);
    const Samples received(sent.begin() + 1000, sent.end());
    const auto match = match_speech(sent, received);
    EXPECT_GT(match.similarity, 0.95);
    EXPECT_NEAR(seconds(match.delay), -0.125, 0.0001);
}

TEST(SpeechMatch, FollowsADriftingClock) {
    const auto sent = speech(2);
    // 200 ppm: linear steps between windowed-sinc points would be coarser than what is tested.
    Resampler up(8000, 40000);
    Samples fine, received(500);
    up.process(sent, fine);
    up.flush(fine);
    for (double at = 0; at + 1 < static_cast<double>(fine.size()); at += 5 * 1.0002) {
        const auto i = static_cast<std::size_t>(at);
        const double f = at - static_cast<double>(i);
        received.push_back(static_cast<Sample>(fine[i] * (1 - f) + fine[i + 1] * f));
    }
    const auto match = match_speech(sent, received);
    EXPECT_GT(match.similarity, 0.95);
    EXPECT_NEAR(seconds(match.drift), -0.002, 0.0003);
}

TEST(SpeechMatch, FollowsAStepOfTheJitterBuffer) {
    const auto sent = speech(3);
    auto received = delayed(sent, 800);
    received.insert(received.begin() + 40000, 24, 0);
    EXPECT_GT(match_speech(sent, received).similarity, 0.95);
}

TEST(SpeechMatch, IsLowForOtherSpeechSilenceAndNoise) {
    const auto sent = speech(4);
    for (std::uint64_t seed = 10; seed < 14; ++seed) {
        const auto match = match_speech(sent, speech(seed));
        EXPECT_LT(match.similarity, 0.3) << seed;
        EXPECT_LT(match.matched, 0.1) << seed;
    }
    EXPECT_EQ(match_speech(sent, Samples(80000, 0)).similarity, 0);
    Random random(1);
    Samples noise(80000);
    for (auto& s : noise) s = static_cast<Sample>(random.between(-3000, 3000));
    EXPECT_LT(match_speech(sent, noise).similarity, 0.1);
    EXPECT_EQ(match_speech(sent, {}).similarity, 0);
    EXPECT_EQ(match_speech({}, sent).similarity, 0);
    EXPECT_EQ(match_speech(Samples(80000, 0), sent).similarity, 0);
}

TEST(SpeechMatch, SeesATenthMissingInOnePieceAndInPackets) {
    const auto sent = speech(5);
    auto piece = delayed(sent, 800);
    std::fill_n(piece.begin() + 30000, 8000, Sample{0});
    EXPECT_LT(match_speech(sent, piece).similarity, 0.93);
    EXPECT_GT(match_speech(sent, piece).similarity, 0.8);
    auto packets = delayed(sent, 800);
    for (std::size_t at = 800; at + 160 <= packets.size(); at += 1600) {
        std::fill_n(packets.begin() + static_cast<std::ptrdiff_t>(at), 160, Sample{0});
    }
    EXPECT_LT(match_speech(sent, packets).similarity, 0.95);
    const Samples shorter(sent.begin(), sent.end() - 8000);
    EXPECT_LT(match_speech(sent, shorter).similarity, 0.95);
}

}  // namespace
}  // namespace strowger::media
