#include "wire/rtcp/schedule.hpp"

#include <gtest/gtest.h>

namespace strowger::rtcp {
namespace {

using namespace std::chrono_literals;

TEST(RtcpSchedule, OfACallSendsAboutEveryFiveSecondsAndTheFirstSooner) {
    Random random{1};
    Schedule schedule({}, Time{}, random);
    schedule.set_members(2, 2, Time{});
    schedule.set_we_sent(true);
    EXPECT_EQ(schedule.deterministic_interval(), Duration(2500ms));
    int sent = 0;
    Time first{};
    for (Time now = schedule.deadline(); now < Time{} + 10min; now = schedule.deadline()) {
        if (!schedule.tick(now)) continue;
        schedule.sent(120);
        if (sent++ == 0) first = now;
    }
    EXPECT_GE(first - Time{}, 1s);  // 2.5 s * 0.5 / 1.218
    EXPECT_LE(first - Time{}, 3100ms);
    // Reconsideration makes it 5 s in the mean (section 6.3.1).
    EXPECT_GE(sent, 105);
    EXPECT_LE(sent, 140);
}

// Section 6.2: a quarter of 5 % for the senders, the rest for the others.
TEST(RtcpSchedule, GrowsWithTheMembers) {
    Random random{1};
    Schedule schedule({.session_bandwidth = 8000}, Time{}, random);
    schedule.set_members(1000, 10, Time{});
    EXPECT_NEAR(seconds(schedule.deterministic_interval()), 990 * 128 / (400 * 0.75), 0.001);
    schedule.set_we_sent(true);
    EXPECT_NEAR(seconds(schedule.deterministic_interval()), 10 * 128 / (400 * 0.25), 0.001);
}

TEST(RtcpSchedule, ComesNearerWhenMembersLeave) {
    Random random{1};
    Schedule schedule({}, Time{}, random);
    schedule.set_members(1000, 0, Time{});
    while (!schedule.tick(schedule.deadline())) {}
    const auto before = schedule.deadline();
    schedule.set_members(10, 0, Time{} + 10s);
    EXPECT_LT(schedule.deadline(), before);
}

}  // namespace
}  // namespace strowger::rtcp
