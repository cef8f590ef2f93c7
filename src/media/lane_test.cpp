#include "media/lane.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace strowger::media {
namespace {

constexpr std::size_t frame = 160;

std::vector<Sample> level(Sample value) { return std::vector<Sample>(frame, value); }

/// What a clock that ticks once after each packet takes: one packet a tick, `count` of them.
std::vector<Sample> in_step(Lane& lane, std::uint32_t first, int count, Sample value) {
    std::vector<Sample> taken;
    for (int i = 0; i < count; ++i) {
        lane.put(first + static_cast<std::uint32_t>(i) * frame, level(value));
        std::vector<Sample> out(frame);
        lane.take(out);
        taken.insert(taken.end(), out.begin(), out.end());
    }
    return taken;
}

TEST(Lane, GivesWhatWasPutFortyMillisecondsLater) {
    Lane lane;
    const auto taken = in_step(lane, 5000, 10, 1000);
    // 40 ms, and the 3.75 ms of the concealment's own delay.
    const auto begin = static_cast<std::size_t>(Lane::delay) + Plc::delay;
    EXPECT_TRUE(std::all_of(taken.begin(), taken.begin() + static_cast<std::ptrdiff_t>(begin),
                            [](Sample s) { return s == 0; }));
    EXPECT_TRUE(std::all_of(taken.begin() + static_cast<std::ptrdiff_t>(begin), taken.end(),
                            [](Sample s) { return s == 1000; }));
}

TEST(Lane, IsSilentBeforeAnythingCameAndLongAfter) {
    Lane lane;
    std::vector<Sample> out(frame, 7);
    EXPECT_FALSE(lane.take(out));
    EXPECT_EQ(out, level(0));
    in_step(lane, 0, 5, 1000);
    for (int i = 0; i < 6; ++i) lane.take(out);  // 40 ms delay, 60 ms concealed
    EXPECT_FALSE(lane.take(out));
    EXPECT_EQ(out, level(0));
}

TEST(Lane, PutsPacketsInOrderThatCameOutOfOrder) {
    Lane lane;
    in_step(lane, 0, 8, 1000);
    const std::uint32_t next = 8 * frame;
    std::vector<Sample> out(frame);
    lane.put(next + frame, level(1000));
    lane.put(next, level(1000));
    for (int i = 0; i < 3; ++i) {
        lane.take(out);
        EXPECT_EQ(*std::ranges::min_element(out), 1000) << i;
    }
}

TEST(Lane, ConcealsALostPacket) {
    Lane lane;
    in_step(lane, 0, 8, 1000);
    std::vector<Sample> out(frame);
    lane.take(out);  // the ninth is lost
    lane.put(9 * frame, level(1000));
    for (int i = 0; i < 2; ++i) {
        lane.take(out);
        EXPECT_GT(*std::ranges::min_element(out), 500) << i;
    }
}

TEST(Lane, FollowsTimestampsThatJump) {
    Lane lane;
    in_step(lane, 0, 8, 1000);
    const auto taken = in_step(lane, 0x80000000U, 8, 2000);
    EXPECT_EQ(taken.back(), 2000);
    const auto wrapped = in_step(lane, 0xffffffffU - 300, 8, 3000);
    EXPECT_EQ(wrapped.back(), 3000);
}

TEST(Lane, DoesNotPileUpDelayWhenTheSpeakersClockIsFaster) {
    Lane lane;
    std::vector<Sample> out(frame);
    std::uint32_t timestamp = 0;
    // 0.5 % too fast, for five minutes: one packet more every four seconds.
    for (int i = 0; i < 15000; ++i) {
        for (int packets = i % 200 == 0 ? 2 : 1; packets > 0; --packets) {
            lane.put(timestamp, level(1000));
            timestamp += frame;
        }
        lane.take(out);
    }
    // Silence follows: how many frames were still waiting is the delay.
    int waiting = 0;
    while (lane.take(out) && *std::ranges::max_element(out) > 900) ++waiting;
    EXPECT_LE(waiting, 8);
}

TEST(Lane, RecoversFromPacketsThatAllComeLate) {
    Lane lane;
    in_step(lane, 0, 4, 1000);
    std::vector<Sample> out(frame);
    for (int i = 0; i < 10; ++i) lane.take(out);  // the network stood still for 200 ms
    const auto taken = in_step(lane, 4 * frame, 10, 1000);
    EXPECT_EQ(*std::min_element(taken.end() - 5 * frame, taken.end()), 1000);
}

}  // namespace
}  // namespace strowger::media
