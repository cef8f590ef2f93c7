#include "media/packet_ring.hpp"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace strowger::media {
namespace {

TEST(PacketRing, GivesBackInOrderWhatWasPutIn) {
    PacketRing ring;
    std::vector<std::uint8_t> bytes(172, 7);
    for (std::uint16_t i = 0; i < 10; ++i)
        EXPECT_TRUE(ring.put({.recording = 3, .stream = i, .rtcp = i == 4}, bytes));
    std::uint16_t next = 0;
    ring.drain([&](const PacketRing::Packet& packet, Bytes got) {
        EXPECT_EQ(packet.recording, 3U);
        EXPECT_EQ(packet.stream, next++);
        EXPECT_TRUE(std::ranges::equal(got, bytes));
    });
    EXPECT_EQ(next, 10);
    ring.drain([&](const PacketRing::Packet&, Bytes) { ADD_FAILURE(); });
}

TEST(PacketRing, DropsAndCountsWhatHasNoRoomAndGoesOn) {
    PacketRing ring;
    const std::vector<std::uint8_t> bytes(1000, 1);
    std::uint64_t put = 0;
    while (ring.put({}, bytes)) ++put;
    EXPECT_GT(put, PacketRing::capacity / 1200);
    EXPECT_EQ(ring.dropped(), 1U);
    std::uint64_t taken = 0;
    ring.drain([&](const auto&, Bytes) { ++taken; });
    EXPECT_EQ(taken, put);
    EXPECT_TRUE(ring.put({}, bytes));
}

TEST(PacketRing, LosesNothingBetweenTwoThreadsOverManyRounds) {
    PacketRing ring;
    constexpr std::uint64_t total = 100'000;
    std::atomic<bool> wrong = false;
    std::thread reader([&] {
        std::uint64_t next = 0;
        while (next < total)
            ring.drain([&](const PacketRing::Packet& packet, Bytes got) {
                if (packet.recording != next || got.size() != next % 1500) wrong = true;
                for (const auto byte : got)
                    if (byte != static_cast<std::uint8_t>(next)) wrong = true;
                ++next;
            });
    });
    std::vector<std::uint8_t> bytes(1500);
    for (std::uint64_t i = 0; i < total;) {
        std::ranges::fill(bytes, static_cast<std::uint8_t>(i));
        if (ring.put({.recording = i}, Bytes(bytes).first(i % 1500)))
            ++i;
        else
            std::this_thread::yield();
    }
    reader.join();
    EXPECT_FALSE(wrong);
}

}  // namespace
}  // namespace strowger::media
