#include "wire/rtp/rewriter.hpp"

#include <gtest/gtest.h>

namespace strowger::rtp {
namespace {

using namespace std::chrono_literals;

Header voice(std::uint16_t sequence, std::uint32_t timestamp, std::uint32_t ssrc = 5) {
    return {.payload_type = 8, .sequence = sequence, .timestamp = timestamp, .ssrc = ssrc};
}

TEST(Rewriter, PassesOrderLossAndTimingOfOneSourceThrough) {
    Rewriter rewriter(77, 1000, 50000);
    const Time t{};
    EXPECT_EQ(rewriter.forward(voice(10, 160), t), voice(1000, 50000, 77));
    EXPECT_EQ(rewriter.forward(voice(13, 640), t + 60ms), voice(1003, 50480, 77));
    EXPECT_EQ(rewriter.forward(voice(12, 480), t + 61ms), voice(1002, 50320, 77));
    EXPECT_EQ(rewriter.forward(voice(14, 800), t + 80ms), voice(1004, 50640, 77));
}

TEST(Rewriter, GoesOnWithoutAGapWhenTheSourceChanges) {
    Rewriter rewriter(77, 65535, 0xffffff00);
    const Time t{};
    rewriter.forward(voice(10, 160), t);
    const auto other = rewriter.forward(voice(900, 123456, 6), t + 20ms);
    auto expected = voice(0, 0xffffff00 + 160, 77);
    expected.marker = true;
    EXPECT_EQ(other, expected);
    EXPECT_EQ(rewriter.forward(voice(901, 123616, 6), t + 40ms)->timestamp, 0xffffff00 + 320);
    EXPECT_EQ(rewriter.forward(voice(899, 123296, 6), t + 41ms), std::nullopt);
}

TEST(Rewriter, GoesOnWithMusicAndBack) {
    Rewriter rewriter(77, 0, 0);
    const Time t{};
    rewriter.forward(voice(10, 160), t);
    const auto first = rewriter.generate(0, 160, t + 20ms);
    const auto second = rewriter.generate(0, 160, t + 41ms);
    EXPECT_TRUE(first.marker);
    EXPECT_FALSE(second.marker);
    EXPECT_EQ(first.sequence, 1);
    EXPECT_EQ(first.timestamp, 160U);
    EXPECT_EQ(second.sequence, 2);
    EXPECT_EQ(second.timestamp, 320U);
    const auto back = rewriter.forward(voice(13, 640), t + 61ms);
    EXPECT_EQ(back->sequence, 3);
    EXPECT_EQ(back->timestamp, 480U);
    EXPECT_TRUE(back->marker);
}

TEST(Rewriter, KeepsTimeWhileAnEventRepeatsItsStart) {
    Rewriter rewriter(77, 0, 0);
    const Time t{};
    rewriter.forward(voice(10, 0), t);
    for (int i = 1; i <= 5; ++i) {
        const auto header = rewriter.generate_at(101, 160, t + i * 20ms, i == 1);
        EXPECT_EQ(header.sequence, i);
        EXPECT_EQ(header.timestamp, 160U);
    }
    EXPECT_EQ(rewriter.forward(voice(16, 960), t + 120ms)->timestamp, 960U);
}

TEST(Rewriter, TakesARestartUnderTheSameSsrcAsANewSource) {
    Rewriter rewriter(77, 0, 0);
    const Time t{};
    rewriter.forward(voice(10, 0), t);
    EXPECT_EQ(rewriter.forward(voice(30010, 999999), t + 20ms)->sequence, 1);
}

TEST(Rewriter, RewritesInPlaceAndLeavesThePayload) {
    std::uint8_t packet[14] = {0x90, 8, 0, 10, 0, 0, 0, 0, 0, 0, 0, 5, 0xab, 0xcd};
    Rewriter rewriter(0x01020304, 0x1111, 0x22222222);
    EXPECT_TRUE(rewriter.forward(MutableBytes(packet), Time{}));
    const std::uint8_t expected[14] = {0x90, 8, 0x11, 0x11, 0x22, 0x22, 0x22,
                                       0x22, 1, 2,    3,    4,    0xab, 0xcd};
    EXPECT_TRUE(std::ranges::equal(packet, expected));
}

TEST(Rewriter, LivesThroughManyWraps) {
    Rewriter rewriter(77, 0, 0);
    std::uint16_t expected = 0;
    for (std::uint32_t i = 0; i < 200000; ++i) {
        const auto out = rewriter.forward(voice(static_cast<std::uint16_t>(i + 60000), i * 160),
                                          Time{} + i * 20ms);
        ASSERT_TRUE(out);
        ASSERT_EQ(out->sequence, expected++);
    }
}

}  // namespace
}  // namespace strowger::rtp
