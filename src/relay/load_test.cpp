#include "relay/load.hpp"

#include <gtest/gtest.h>

namespace strowger::relay {
namespace {

constexpr std::string_view quiet = "0.52 0.58 0.59 1/389 12345\n";
const Time start{std::chrono::seconds{100}};

TEST(LoadMeter, KnowsNothingOfTheProcessorsBeforeTheSecondSample) {
    LoadMeter meter;
    meter.sample(start, quiet, "cpu  1000 0 0 0 0 0 0 0 0 0\n", 1 << 30);
    EXPECT_EQ(meter.load(), 0.52);
    EXPECT_EQ(meter.cpu(), 0);
    EXPECT_EQ(meter.bandwidth(), 0);
}

TEST(LoadMeter, CountsWhatIsNeitherIdleNorWaitingForDisksAsBusy) {
    LoadMeter meter;
    meter.sample(start, quiet, "cpu  100 10 50 800 40 0 0 0 7 0\ncpu0 1 1 1 1\n", 0);
    meter.sample(start + std::chrono::seconds{2}, quiet,
                 "cpu  120 10 60 850 55 1 2 2 20 0\ncpu0 1 1 1 1\n", 3000);
    EXPECT_EQ(meter.cpu(), 35);
    EXPECT_EQ(meter.bandwidth(), 1500);
}

TEST(LoadMeter, KeepsItsFiguresWhereTheTextsSayNothing) {
    LoadMeter meter;
    meter.sample(start, "1.5", "cpu  0 0 0 100 0\n", 0);
    meter.sample(start + std::chrono::seconds{1}, "1.5", "cpu  50 0 0 150 0\n", 0);
    for (const auto* text : {"", "cpu", "cpu  1 2", "intr 5", "cpu  x y z"})
        meter.sample(start + std::chrono::seconds{2}, text, text, 0);
    EXPECT_EQ(meter.load(), 1.5);
    EXPECT_EQ(meter.cpu(), 50);
}

TEST(LoadMeter, NamesTheLimitThatIsReached) {
    LoadMeter meter;
    meter.sample(start, "2.0", "cpu  0 0 0 100 0\n", 0);
    meter.sample(start + std::chrono::seconds{1}, "2.0", "cpu  90 0 0 110 0\n", 5000);
    EXPECT_EQ(meter.over({}), std::nullopt);
    EXPECT_EQ(meter.over({.load = 2.1, .cpu = 91, .bandwidth = 5001}), std::nullopt);
    EXPECT_EQ(meter.over({.load = 2.0}), "Load limit reached: 2.00 of 2.00");
    EXPECT_EQ(meter.over({.cpu = 90}), "CPU limit reached: 90.0 % of 90.0 %");
    EXPECT_EQ(meter.over({.bandwidth = 4000}),
              "Bandwidth limit reached: 5000 bytes a second of 4000");
}

}  // namespace
}  // namespace strowger::relay
