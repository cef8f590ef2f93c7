#include "media/source_lock.hpp"

#include <gtest/gtest.h>

namespace strowger::media {
namespace {

using namespace std::chrono_literals;

const SocketAddress phone = *SocketAddress::parse("192.0.2.1:4000");
const SocketAddress behind_nat = *SocketAddress::parse("198.51.100.7:61000");
const SocketAddress stranger = *SocketAddress::parse("203.0.113.9:5555");

constexpr Time start{};

/// Feeds `count` packets 20 ms apart; returns how many were accepted.
int feed(SourceLock& lock, const SocketAddress& from, int count, Time& now,
         std::uint16_t first = 1) {
    int accepted = 0;
    for (int i = 0; i < count; ++i, now += 20ms)
        accepted += lock.accept(from, 7, static_cast<std::uint16_t>(first + i), now);
    return accepted;
}

TEST(SourceLock, TakesTheSignalledAddressAtItsSecondPacketAndHearsBoth) {
    SourceLock lock;
    lock.expect(phone, std::nullopt);
    Time now = start;
    EXPECT_EQ(feed(lock, phone, 2, now), 2);
    EXPECT_EQ(lock.source(), phone);
    EXPECT_TRUE(lock.firm(now));
}

TEST(SourceLock, TakesAnotherAddressAfterFourConsecutivePackets) {
    SourceLock lock;
    lock.expect(phone, behind_nat.ip);
    Time now = start;
    EXPECT_EQ(feed(lock, behind_nat, 3, now), 3);
    EXPECT_FALSE(lock.locked());
    EXPECT_EQ(feed(lock, behind_nat, 1, now, 4), 1);
    EXPECT_EQ(lock.source(), behind_nat);
    EXPECT_TRUE(lock.firm(now)) << "it is the host that signals";
}

TEST(SourceLock, NeverTakesASourceThatSendsTheSameNumberOrRandomOnes) {
    SourceLock lock;
    lock.expect(phone, std::nullopt);
    Time now = start;
    for (int i = 0; i < 50; ++i, now += 20ms) lock.accept(stranger, 7, 100, now);
    for (int i = 0; i < 50; ++i, now += 20ms)
        lock.accept(stranger, 7, static_cast<std::uint16_t>(i * 7919), now);
    EXPECT_FALSE(lock.locked());
}

TEST(SourceLock, RefusesStrangersOnceLocked) {
    SourceLock lock;
    lock.expect(phone, std::nullopt);
    Time now = start;
    feed(lock, phone, 3, now);
    EXPECT_EQ(feed(lock, stranger, 100, now), 0);
    EXPECT_EQ(lock.source(), phone);
}

TEST(SourceLock, LetsTheSignalledAddressTakeTheStreamBackFromAnEarlyStranger) {
    SourceLock lock;
    lock.expect(phone, std::nullopt);
    Time now = start;
    feed(lock, stranger, 10, now);
    EXPECT_EQ(lock.source(), stranger);
    EXPECT_FALSE(lock.firm(now));
    feed(lock, phone, 2, now);
    EXPECT_EQ(lock.source(), phone);
    EXPECT_TRUE(lock.firm(now));
}

TEST(SourceLock, FindsTheSignalledAddressInAFloodOfForgedSources) {
    SourceLock lock;
    lock.expect(phone, std::nullopt);
    Time now = start;
    std::uint16_t sequence = 1;
    for (int i = 0; i < 200; ++i, now += 1ms) {
        const SocketAddress forged{stranger.ip, static_cast<std::uint16_t>(1000 + i)};
        lock.accept(forged, static_cast<std::uint32_t>(i), static_cast<std::uint16_t>(i), now);
        if (i % 20 == 0) lock.accept(phone, 7, sequence++, now);
    }
    EXPECT_EQ(lock.source(), phone);
}

TEST(SourceLock, OpensAfterThreeSecondsOfSilenceButNotBefore) {
    SourceLock lock;
    lock.expect(phone, std::nullopt);
    Time now = start;
    feed(lock, phone, 2, now);  // heard last at 20 ms
    EXPECT_FALSE(lock.expire(start + 20ms + 3s - 1ns));
    EXPECT_TRUE(lock.expire(start + 20ms + 3s));
    now = start + 4s;
    feed(lock, behind_nat, 4, now);
    EXPECT_EQ(lock.source(), behind_nat);
}

}  // namespace
}  // namespace strowger::media
