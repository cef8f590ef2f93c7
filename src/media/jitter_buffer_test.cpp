#include "media/jitter_buffer.hpp"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace strowger::media {
namespace {

using namespace std::chrono_literals;
using Kind = JitterSettings::Kind;
using Verdict = JitterBuffer::Verdict;

/// A phone that speaks every 20 ms, and what the buffer lets go, millisecond by millisecond.
class JitterBuffers : public ::testing::Test {
protected:
    struct Out {
        int number;
        Duration at;
    };

    rtp::Header header(int number, std::uint32_t ssrc = 1) const {
        return {.sequence = static_cast<std::uint16_t>(65530 + number),
                .timestamp = 0xffffff00U + 160U * static_cast<std::uint32_t>(number),
                .ssrc = ssrc};
    }
    Verdict put(JitterBuffer& buffer, int number, Duration at, std::uint32_t ssrc = 1) {
        run(buffer, at);
        const std::array<std::uint8_t, 2> bytes{static_cast<std::uint8_t>(number >> 8),
                                                static_cast<std::uint8_t>(number)};
        return buffer.put(header(number, ssrc), bytes, true, 8000, start + at);
    }
    void run(JitterBuffer& buffer, Duration until) {
        while (buffer.deadline() <= start + until) {
            const Time now = std::max(buffer.deadline(), reached);
            reached = now;
            const auto bytes = buffer.take(now);
            ASSERT_EQ(bytes.size(), 2U);
            out.push_back({bytes[0] << 8 | bytes[1], now - start});
        }
        reached = std::max(reached, start + until);
    }

    const Time start = Time{} + 1h;
    Time reached = start;
    std::vector<Out> out;
};

TEST_F(JitterBuffers, WhatComesUnevenlyAndOutOfOrderGoesOnEvenlyAndInOrder) {
    JitterBuffer buffer({.kind = Kind::fixed, .max = 100ms});
    const std::array<Duration, 5> late{0ms, 35ms, 5ms, 61ms, 20ms};
    // By when they come: 0 at 0, 1 at 55, 2 at 45, 3 at 121, 4 at 100, ...
    std::vector<std::pair<Duration, int>> coming;
    for (int i = 0; i < 200; ++i) coming.emplace_back(20ms * i + late[i % late.size()], i);
    std::ranges::sort(coming);
    for (const auto& [at, number] : coming) EXPECT_EQ(put(buffer, number, at), Verdict::kept);
    run(buffer, 10s);
    ASSERT_EQ(out.size(), 200U);
    for (int i = 0; i < 200; ++i) {
        EXPECT_EQ(out[i].number, i);
        EXPECT_EQ(out[i].at, 20ms * i + 100ms) << i;
    }
    EXPECT_EQ(buffer.dropped(), 0U);
}

TEST_F(JitterBuffers, AnAdaptiveOneWaitsAsLongAsPacketsOfLateNeeded) {
    JitterBuffer buffer({.kind = Kind::adaptive, .max = 200ms, .target = 40ms});
    put(buffer, 0, 0ms);
    EXPECT_EQ(buffer.delay(), 40ms);
    for (int i = 1; i < 100; ++i) put(buffer, i, 20ms * i + (i % 10 == 0 ? 60ms : 0ms));
    EXPECT_EQ(buffer.delay(), 100ms);
    // The way is even again: ten seconds later so is the buffer, a millisecond at a time.
    for (int i = 100; i < 700; ++i) put(buffer, i, 20ms * i);
    EXPECT_EQ(buffer.delay(), 40ms);
    run(buffer, 20s);
    ASSERT_EQ(out.size(), 700U);
    for (std::size_t i = 1; i < out.size(); ++i) {
        EXPECT_EQ(out[i].number, out[i - 1].number + 1);
        if (i > 20) {
            EXPECT_GE(out[i].at - out[i - 1].at, 19ms) << i;
            EXPECT_LE(out[i].at - out[i - 1].at, 20ms) << i;
        }
    }
}

TEST_F(JitterBuffers, TheDelayOfAnAdaptiveOneHasItsBound) {
    JitterBuffer buffer({.kind = Kind::adaptive, .max = 120ms, .target = 40ms});
    for (int i = 0; i < 50; ++i) put(buffer, i, 20ms * i + (i == 25 ? 300ms : 0ms));
    EXPECT_EQ(buffer.delay(), 120ms);
}

TEST_F(JitterBuffers, WhatComesAfterItsTimeIsDroppedOnlyIfLaterOnesHaveGone) {
    JitterBuffer buffer({.kind = Kind::fixed, .max = 40ms});
    EXPECT_EQ(put(buffer, 0, 0ms), Verdict::kept);
    EXPECT_EQ(put(buffer, 1, 110ms), Verdict::kept);  // due at 60: goes at once
    run(buffer, 110ms);
    ASSERT_EQ(out.size(), 2U);
    EXPECT_EQ(out[1].at, 110ms);
    EXPECT_EQ(put(buffer, 3, 111ms), Verdict::kept);
    run(buffer, 120ms);
    EXPECT_EQ(put(buffer, 2, 121ms), Verdict::late);
    EXPECT_EQ(buffer.dropped(), 1U);
}

TEST_F(JitterBuffers, AJumpOfTimestampsBeginsAnewAndSoDoesAnotherSource) {
    JitterBuffer buffer({.kind = Kind::fixed, .max = 60ms, .resync = 500ms});
    put(buffer, 0, 0ms);
    run(buffer, 100ms);
    EXPECT_EQ(put(buffer, 1000, 100ms), Verdict::kept);  // twenty seconds ahead of its time
    EXPECT_EQ(buffer.deadline(), start + 160ms);
    EXPECT_EQ(put(buffer, 5, 120ms, 2), Verdict::kept);
    EXPECT_EQ(buffer.size(), 1U);
    EXPECT_EQ(buffer.deadline(), start + 180ms);
}

TEST_F(JitterBuffers, AFloodIsBounded) {
    JitterBuffer buffer({.kind = Kind::fixed, .max = 1s});
    std::size_t kept = 0;
    for (int i = 0; i < 2000; ++i) {
        const std::array<std::uint8_t, 1> byte{};
        kept += buffer.put({.sequence = static_cast<std::uint16_t>(i), .ssrc = 1}, byte, true, 8000,
                           start) == Verdict::kept;
    }
    EXPECT_EQ(kept, 108U);
    EXPECT_EQ(buffer.dropped(), 2000U - 108U);
    const std::vector<std::uint8_t> jumbo(JitterBuffer::max_datagram + 1);
    EXPECT_EQ(buffer.put({.sequence = 3000, .ssrc = 1}, jumbo, true, 8000, start), Verdict::whole);
}

TEST_F(JitterBuffers, WhatIsNoSpeechKeepsItsPlaceInTheOrder) {
    JitterBuffer buffer({.kind = Kind::fixed, .max = 100ms});
    put(buffer, 0, 0ms);
    put(buffer, 1, 20ms);
    const std::array<std::uint8_t, 2> event{0, 2};
    EXPECT_EQ(buffer.put(header(2), event, false, 8000, start + 40ms), Verdict::kept);
    run(buffer, 1s);
    ASSERT_EQ(out.size(), 3U);
    EXPECT_EQ(out[2].number, 2);
    EXPECT_EQ(out[2].at, 120ms);
}

// 500 millionths are more than any clock of a phone is off by: 300 ms in ten minutes.
TEST_F(JitterBuffers, AClockThatDriftsIsFollowed) {
    for (const bool fast : {true, false}) {
        JitterBuffer buffer({.kind = Kind::fixed, .max = 60ms});
        const Duration step = fast ? 19990us : 20010us;
        out.clear();
        const Duration begin = reached - start;
        for (int i = 0; i < 30000; ++i) EXPECT_EQ(put(buffer, i, begin + i * step), Verdict::kept);
        run(buffer, begin + 30001 * step);
        ASSERT_GT(out.size(), 29990U);
        for (std::size_t i = 0; i < out.size(); ++i) {
            const Duration late = out[i].at - begin - static_cast<int>(i) * step;
            ASSERT_NEAR(std::chrono::duration<double>(late).count(), 0.06, 0.006) << fast << i;
        }
    }
}

}  // namespace
}  // namespace strowger::media
