#include "media/repacker.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace strowger::media {
namespace {

/// Codes that count: a test sees which ones came.
std::vector<std::uint8_t> codes(std::uint32_t from, std::size_t count) {
    std::vector<std::uint8_t> made(count);
    for (std::size_t i = 0; i < count; ++i) made[i] = static_cast<std::uint8_t>(from + i);
    return made;
}

/// "sequence:timestamp+size" of everything that comes out; fails when a code is not its own.
std::string polled(Repacker& repacker) {
    std::string text;
    Repacker::Packet packet;
    while (repacker.poll(packet)) {
        text += fmt::format("{}:{}+{} ", packet.sequence, packet.timestamp, packet.codes.size());
        EXPECT_TRUE(std::ranges::equal(packet.codes, codes(packet.timestamp, packet.codes.size())));
    }
    return text;
}

std::string put(Repacker& repacker, std::uint32_t timestamp, std::size_t count,
                std::uint16_t skipped = 0) {
    static std::uint16_t sequence = 65530;
    sequence += skipped;
    EXPECT_TRUE(repacker.put(sequence++, timestamp, codes(timestamp, count)));
    return polled(repacker);
}

TEST(Repacker, MakesOneOfTwoAndTwoOfOne) {
    Repacker longer;
    longer.set_length(320);
    EXPECT_EQ(put(longer, 1000, 160), "");
    EXPECT_EQ(put(longer, 1160, 160), "0:1000+320 ");
    EXPECT_EQ(put(longer, 1320, 160), "");
    Repacker shorter;
    shorter.set_length(160);
    EXPECT_EQ(put(shorter, 1000, 320), "0:1000+160 1:1160+160 ");
}

TEST(Repacker, LengthsNeedNotDivideEachOther) {
    Repacker repacker;
    repacker.set_length(240);
    EXPECT_EQ(put(repacker, 0, 160), "");
    EXPECT_EQ(put(repacker, 160, 160), "0:0+240 ");
    EXPECT_EQ(put(repacker, 320, 160), "1:240+240 ");
    EXPECT_EQ(put(repacker, 480, 800), "2:480+240 3:720+240 4:960+240 ");
}

TEST(Repacker, WhatIsMissingStaysMissing) {
    Repacker repacker;
    repacker.set_length(320);
    EXPECT_EQ(put(repacker, 0, 160), "");
    // 160 to 640 were lost: a packet and a half, so one number is left out.
    EXPECT_EQ(put(repacker, 640, 160, 3), "0:0+160 ");
    EXPECT_EQ(put(repacker, 800, 160), "2:640+320 ");
}

TEST(Repacker, WhatWasNotSaidIsNotLost) {
    Repacker repacker;
    repacker.set_length(320);
    EXPECT_EQ(put(repacker, 0, 160), "");
    EXPECT_EQ(put(repacker, 8000, 160), "0:0+160 ");
    EXPECT_EQ(put(repacker, 8160, 160), "1:8000+320 ");
}

TEST(Repacker, WhatComesLateOrTwiceIsLeftOut) {
    Repacker repacker;
    repacker.set_length(320);
    EXPECT_EQ(put(repacker, 320, 160), "");
    EXPECT_EQ(put(repacker, 160, 160), "");
    EXPECT_EQ(put(repacker, 320, 160), "");
    EXPECT_EQ(put(repacker, 480, 160), "0:320+320 ");
}

TEST(Repacker, AnotherSourceBeginsAnewWithoutLoss) {
    Repacker repacker;
    repacker.set_length(160);
    EXPECT_EQ(put(repacker, 0xffffff00, 160), "0:4294967040+160 ");
    EXPECT_EQ(put(repacker, 0xffffffa0, 160), "1:4294967200+160 ");  // timestamps wrap around
    EXPECT_EQ(put(repacker, 0x40, 160), "2:64+160 ");
    EXPECT_EQ(put(repacker, 5'000'000, 160), "3:5000000+160 ");
    EXPECT_EQ(put(repacker, 100, 160), "4:100+160 ");
}

TEST(Repacker, OthersGoOutBetween) {
    Repacker repacker;
    repacker.set_length(320);
    EXPECT_EQ(put(repacker, 0, 160), "");
    repacker.flush();
    EXPECT_EQ(polled(repacker), "0:0+160 ");
    EXPECT_EQ(repacker.next_sequence(7), 1);
    EXPECT_EQ(put(repacker, 160, 160), "");
    EXPECT_EQ(put(repacker, 320, 160), "2:160+320 ");
}

TEST(Repacker, TakesNothingLongerThanItHasRoomFor) {
    Repacker repacker;
    EXPECT_FALSE(repacker.put(0, 0, codes(0, 160))) << "no length was asked for";
    repacker.set_length(480);
    EXPECT_FALSE(repacker.put(0, 0, codes(0, Repacker::max_input + 1)));
    EXPECT_EQ(put(repacker, 0, 0), "");
    for (std::uint32_t at = 0; at < 8000; at += 800) (void)put(repacker, at, 800);
    repacker.flush();
    EXPECT_EQ(polled(repacker), "16:7680+320 ");
}

}  // namespace
}  // namespace strowger::media
