#include "media/comfort_noise.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

namespace strowger::media {
namespace {

std::vector<Sample> noise_of(std::vector<std::uint8_t> payload, std::size_t count = 8000) {
    ComfortNoise noise;
    noise.describe(payload);
    std::vector<Sample> samples(count);
    noise.generate(samples);
    return samples;
}

double dbov(const std::vector<Sample>& samples) {
    double power = 0;
    for (const double s : samples) power += s * s;
    return 10 * std::log10(power / static_cast<double>(samples.size())) - 20 * std::log10(32768.0);
}

// Of neighbouring samples: the first coefficient of a low or high sound decides it.
double correlation(const std::vector<Sample>& samples) {
    double power = 0, product = 0;
    for (std::size_t i = 1; i < samples.size(); ++i) {
        power += double(samples[i]) * samples[i];
        product += double(samples[i]) * samples[i - 1];
    }
    return product / power;
}

TEST(ComfortNoise, IsAsLoudAsThePayloadSays) {
    for (const std::uint8_t level : {20, 32, 40, 60})
        EXPECT_NEAR(dbov(noise_of({level})), -double(level), 0.5) << int(level);
    EXPECT_LT(dbov(noise_of({127})), -80);
    EXPECT_EQ(noise_of({}), std::vector<Sample>(8000));
}

// The highest bit is not of the level (section 3.1).
TEST(ComfortNoise, LevelHasSevenBits) { EXPECT_EQ(noise_of({0x80 | 40}), noise_of({40})); }

TEST(ComfortNoise, SpectrumChangesTheSoundAndNotTheLevel) {
    EXPECT_NEAR(correlation(noise_of({32})), 0, 0.05);
    // A coefficient of 258 * (27 - 127) / 32768 = -0.787: low sounds.
    EXPECT_NEAR(correlation(noise_of({32, 27})), 0.787, 0.05);
    EXPECT_NEAR(correlation(noise_of({32, 227})), -0.787, 0.05);
    EXPECT_NEAR(dbov(noise_of({32, 27})), -32, 1);
    EXPECT_NEAR(dbov(noise_of({32, 60, 190, 100, 140}, 80000)), -32, 1);
}

TEST(ComfortNoise, NoPayloadMakesItRunAway) {
    for (const std::uint8_t each : {0, 254, 255}) {
        std::vector<std::uint8_t> payload(40, each);
        payload[0] = 30;
        EXPECT_LT(dbov(noise_of(payload, 80000)), -15) << int(each);
    }
}

}  // namespace
}  // namespace strowger::media
