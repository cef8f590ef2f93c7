#include "media/packet_history.hpp"

#include <gtest/gtest.h>

namespace strowger::media {
namespace {

using namespace std::chrono_literals;

std::vector<std::uint8_t> packet(std::uint16_t number) {
    return {static_cast<std::uint8_t>(number >> 8), static_cast<std::uint8_t>(number), 1, 2};
}

bool holds(const PacketHistory& history, std::uint16_t number, Time now) {
    const auto found = history.find(number, now);
    return std::vector(found.begin(), found.end()) == packet(number);
}

TEST(PacketHistory, HasThePacketsOfTheLastHalfSecond) {
    PacketHistory history;
    EXPECT_TRUE(history.find(7, Time{}).empty());
    for (std::uint16_t i = 0; i < 100; ++i) history.add(i, packet(i), Time{} + i * 20ms);
    const Time now = Time{} + 99 * 20ms;
    EXPECT_TRUE(holds(history, 99, now));
    EXPECT_TRUE(holds(history, 74, now));         // 500 ms ago
    EXPECT_TRUE(history.find(73, now).empty());   // 520 ms ago
    EXPECT_TRUE(history.find(100, now).empty());  // not yet
    EXPECT_TRUE(history.find(99, now + 501ms).empty());
}

TEST(PacketHistory, GrowsWithTheRateUpToItsBound) {
    PacketHistory history;
    const auto at = [](int i) { return Time{} + i * 500us; };  // 2000 a second: 1000 in 500 ms
    for (int i = 0; i < 2000; ++i) {
        const auto number = static_cast<std::uint16_t>(65000 + i);  // over the end of the numbers
        history.add(number, packet(number), at(i));
    }
    const auto newest = static_cast<std::uint16_t>(65000 + 1999);
    EXPECT_TRUE(holds(history, newest, at(1999)));
    EXPECT_TRUE(holds(history, static_cast<std::uint16_t>(newest - 511), at(1999)));
    EXPECT_TRUE(history.find(static_cast<std::uint16_t>(newest - 512), at(1999)).empty());
}

}  // namespace
}  // namespace strowger::media
