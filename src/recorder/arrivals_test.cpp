#include "recorder/arrivals.hpp"

#include <gtest/gtest.h>

#include <array>

namespace strowger::recorder {
namespace {

using namespace std::chrono_literals;

constexpr std::array<std::uint8_t, 2> payload{1, 2};

struct Listener {
    Arrivals arrivals{8000};
    std::vector<Arrivals::Packet> heard;

    /// Packet `number` of 20 ms, so much later than its time.
    void hear(int number, Duration late = {}, Duration base = 10s) {
        const Duration now = base + number * 20ms + late;
        arrivals.put({.sequence = static_cast<std::uint16_t>(65530 + number),
                      .timestamp = 0xffffff00U + static_cast<std::uint32_t>(number) * 160},
                     payload, now);
        take(now);
    }
    void take(Duration now) {
        while (auto packet = arrivals.take(now)) heard.push_back(std::move(*packet));
    }
    void finish() { take(Duration::max() / 2); }
};

TEST(Arrivals, KeepOrderAndTimeOverTheEndOfNumbersAndTimestamps) {
    Listener listener;
    for (int i = 0; i < 100; ++i) listener.hear(i);
    listener.finish();
    ASSERT_EQ(listener.heard.size(), 100U);
    for (int i = 0; i < 100; ++i)
        EXPECT_EQ(listener.heard[static_cast<std::size_t>(i)].spoken, 10s + i * 20ms) << i;
}

TEST(Arrivals, WaitForLateOnesAndDropDuplicates) {
    Listener listener;
    for (int i = 0; i < 10; ++i)
        if (i != 4) listener.hear(i);
    listener.hear(4, 150ms);
    listener.hear(5, 160ms);
    listener.finish();
    ASSERT_EQ(listener.heard.size(), 10U);
    EXPECT_EQ(listener.heard[4].spoken, 10s + 80ms);
    EXPECT_EQ(listener.arrivals.dropped(), 1U);
}

TEST(Arrivals, AStallMovesNothing) {
    Listener listener;
    for (int i = 0; i < 50; ++i) listener.hear(i);
    // Half a second of packets comes at once at its end.
    for (int i = 50; i < 75; ++i) listener.hear(i, (75 - i) * 20ms);
    for (int i = 75; i < 150; ++i) listener.hear(i);
    listener.finish();
    ASSERT_EQ(listener.heard.size(), 150U);
    for (int i = 0; i < 150; ++i)
        EXPECT_EQ(listener.heard[static_cast<std::size_t>(i)].spoken, 10s + i * 20ms) << i;
}

TEST(Arrivals, FollowAClockThatIsWrongWithinTheTolerance) {
    Listener listener;
    // 500 parts in a million slow, for a quarter of an hour: 450 ms in all.
    for (int i = 0; i < 45'000; ++i) listener.hear(i, i * 10us);
    listener.finish();
    for (int i = 0; i < 45'000; i += 500) {
        const Duration true_time = 10s + i * 20ms + i * 10us;
        const Duration wrong = listener.heard[static_cast<std::size_t>(i)].spoken - true_time;
        EXPECT_LE(wrong, 25ms) << i;
        EXPECT_GE(wrong, -25ms) << i;
    }
}

TEST(Arrivals, APauseWithoutTimestampsIsAPause) {
    Listener listener;
    for (int i = 0; i < 50; ++i) listener.hear(i);
    for (int i = 50; i < 100; ++i) listener.hear(i, 3s);
    listener.finish();
    ASSERT_EQ(listener.heard.size(), 100U);
    EXPECT_EQ(listener.heard[49].spoken, 10s + 49 * 20ms);
    EXPECT_EQ(listener.heard[50].spoken, 13s + 50 * 20ms);
}

}  // namespace
}  // namespace strowger::recorder
