#include "media/shaper.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <random>
#include <vector>

namespace strowger::media {
namespace {

constexpr std::size_t frame = 160;

std::vector<Sample> tone(std::size_t count, double level) {
    std::vector<Sample> samples(count);
    for (std::size_t i = 0; i < count; ++i)
        samples[i] = static_cast<Sample>(
            level * std::sin(2 * std::numbers::pi * 400 * static_cast<double>(i) / 8000));
    return samples;
}

double loudness(std::span<const Sample> samples) {
    double sum = 0;
    for (const auto sample : samples) sum += static_cast<double>(sample) * sample;
    return std::sqrt(sum / static_cast<double>(samples.size()));
}

// By frames through the shaper, as packets come.
std::vector<Sample> through(Shaper& shaper, g711::Law law, std::vector<Sample> samples) {
    std::vector<std::uint8_t> codes(samples.size());
    g711::encode(law, samples, codes);
    for (std::size_t at = 0; at + frame <= codes.size(); at += frame)
        shaper.shape(law, std::span(codes).subspan(at, frame));
    (void)g711::decode(law, codes, samples);
    return samples;
}

TEST(Shaper, GainOfTwoIsSixDecibelsInEitherLaw) {
    for (const auto law : {g711::Law::mu, g711::Law::a}) {
        auto shaper = Shaper::make({.gain = 2});
        ASSERT_TRUE(shaper && *shaper);
        const auto in = tone(1600, 4000);
        const auto out = through(**shaper, law, in);
        EXPECT_NEAR(20 * std::log10(loudness(out) / loudness(in)), 6.02, 0.2);
    }
}

TEST(Shaper, WhatIsTooLoudIsClippedAndKeepsItsSign) {
    auto shaper = Shaper::make({.gain = 100});
    ASSERT_TRUE(shaper && *shaper);
    const auto in = tone(160, 20000);
    const auto out = through(**shaper, g711::Law::mu, in);
    for (std::size_t i = 0; i < in.size(); ++i)
        if (in[i] > 1000)
            EXPECT_GT(out[i], 30000);
        else if (in[i] < -1000)
            EXPECT_LT(out[i], -30000);
}

TEST(Shaper, NothingToDoIsNoShaper) {
    const auto none = Shaper::make({});
    ASSERT_TRUE(none);
    EXPECT_EQ(*none, nullptr);
}

TEST(Shaper, RefusesGainsAndLevelsThatMakeNoSense) {
    EXPECT_FALSE(Shaper::make({.gain = 0}));
    EXPECT_FALSE(Shaper::make({.gain = NAN}));
    EXPECT_FALSE(Shaper::make({.gain = 5000}));
    EXPECT_FALSE(Shaper::make({.level = 40000}));
    EXPECT_FALSE(Shaper::make({.level = -1}));
}

TEST(Shaper, NoiseIsMadeQuieter) {
    auto shaper = Shaper::make({.denoise = true});
    ASSERT_TRUE(shaper && *shaper);
    std::mt19937 chance(1);
    std::normal_distribution<double> noise(0, 500);
    std::vector<Sample> in(8000 * 3);
    for (auto& sample : in) sample = static_cast<Sample>(noise(chance));
    const auto out = through(**shaper, g711::Law::mu, in);
    const auto last = [](const auto& all) { return std::span(all).last(8000); };
    EXPECT_LT(loudness(last(out)), loudness(last(in)) / 3);
}

TEST(Shaper, PacketsOfPartsOfFramesKeepTheirSound) {
    auto shaper = Shaper::make({.denoise = true, .level = 8000});
    ASSERT_TRUE(shaper && *shaper);
    std::vector<std::uint8_t> codes(100, 0x12);
    (*shaper)->shape(g711::Law::mu, codes);
    EXPECT_EQ(codes, std::vector<std::uint8_t>(100, 0x12));
}

}  // namespace
}  // namespace strowger::media
