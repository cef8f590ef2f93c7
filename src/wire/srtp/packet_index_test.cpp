#include "wire/srtp/packet_index.hpp"

#include <gtest/gtest.h>

namespace strowger::srtp {
namespace {

constexpr std::uint64_t at(std::uint64_t rollover, std::uint16_t sequence) {
    return rollover << 16 | sequence;
}

TEST(PacketIndex, BeginsWithTheSequenceNumber) {
    EXPECT_EQ(estimate_index(std::nullopt, 65'535), at(0, 65'535));
}

TEST(PacketIndex, RollsOverBetweenTheHalves) {
    EXPECT_EQ(estimate_index(at(3, 65'000), 10), at(4, 10));
    EXPECT_EQ(estimate_index(at(4, 10), 65'000), at(3, 65'000));
    EXPECT_EQ(estimate_index(at(4, 10), 11), at(4, 11));
    EXPECT_EQ(estimate_index(at(4, 40'000), 39'000), at(4, 39'000));
}

TEST(PacketIndex, TakesTheBoundariesOfAppendixA) {
    EXPECT_EQ(estimate_index(at(1, 32'767), 65'535), at(1, 65'535));  // 32768 ahead: not more
    EXPECT_EQ(estimate_index(at(1, 32'766), 65'535), at(0, 65'535));
    EXPECT_EQ(estimate_index(at(1, 32'768), 0), at(1, 0));
    EXPECT_EQ(estimate_index(at(1, 32'769), 0), at(2, 0));
}

TEST(PacketIndex, NeverGoesBelowTheBeginning) {
    EXPECT_EQ(estimate_index(at(0, 10), 65'000), at(0, 65'000));
}

TEST(PacketIndex, EndsAtTwoToThe48) {
    EXPECT_LT(estimate_index(at(0xffffffff, 65'000), 65'535), rtp_index_end);
    EXPECT_GE(estimate_index(at(0xffffffff, 65'000), 3), rtp_index_end);
}

}  // namespace
}  // namespace strowger::srtp
