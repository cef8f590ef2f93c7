#include "media/ports.hpp"

#include <gtest/gtest.h>

#include <set>

namespace strowger::media {
namespace {

const IpAddress loopback = IpAddress::v4({127, 0, 0, 1});
constexpr std::uint16_t first = 36'200, last = 36'399;

/// Opens so many pairs and gives them back as kept, by thread 0.
void keep(Ports& ports, std::size_t count) {
    std::vector<SocketPair> open;
    for (std::size_t i = 0; i < count; ++i) open.push_back(ports.open(loopback, 0).value());
    for (auto& sockets : open) ports.keep({std::move(sockets), loopback, 0, 0});
}

TEST(Ports, SocketsThatAreKeptCountAsFree) {
    Ports ports(first, last);
    keep(ports, 40);
    EXPECT_EQ(ports.in_use(), 0U);
    EXPECT_EQ(ports.available(), 100U);
}

TEST(Ports, WhatWasGivenBackJustNowRests) {
    Ports ports(first, last);
    Random random(1);
    keep(ports, Ports::resting + 3);
    std::set<std::uint16_t> taken;
    while (auto sockets = ports.take_kept(loopback, 0, 0, random))
        taken.insert(sockets->sockets.port);
    EXPECT_EQ(taken, (std::set<std::uint16_t>{first, first + 2, first + 4}));
    EXPECT_EQ(ports.in_use(), 3U);
}

TEST(Ports, KeptSocketsFitTheirAddressTypeOfServiceAndThread) {
    Ports ports(first, last);
    Random random(1);
    keep(ports, Ports::resting + 1);
    EXPECT_FALSE(ports.take_kept(IpAddress::v4({127, 0, 0, 2}), 0, 0, random));
    EXPECT_FALSE(ports.take_kept(loopback, 184, 0, random));
    EXPECT_FALSE(ports.take_kept(loopback, 0, 1, random));
    EXPECT_TRUE(ports.take_kept(loopback, 0, 0, random));
}

TEST(Ports, WhereSomebodyStillSpeaksNoCallBegins) {
    Ports::Kept kept{.sockets = {}, .address = loopback};
    const Time now{std::chrono::hours{1}};
    EXPECT_FALSE(Ports::disturbed(kept, now));
    kept.sockets.watched = std::make_unique<Watched>();
    EXPECT_FALSE(Ports::disturbed(kept, now));
    kept.sockets.watched->disturbed = now - std::chrono::milliseconds{300};
    EXPECT_TRUE(Ports::disturbed(kept, now));
    EXPECT_FALSE(Ports::disturbed(kept, now + Ports::quiet));
}

TEST(Ports, TheOldestIsClosedFirst) {
    Ports ports(first, last);
    keep(ports, 2);
    EXPECT_EQ(ports.drop_kept()->sockets.port, first);
    EXPECT_EQ(ports.drop_kept()->sockets.port, first + 2);
    EXPECT_FALSE(ports.drop_kept());
}

TEST(Ports, NoMoreAreKeptThanTheBound) {
    Ports ports(36'000, 36'999);
    for (std::size_t i = 0; i < Ports::max_kept; ++i) {
        EXPECT_TRUE(ports.keeps_more());
        ports.keep({ports.open(loopback, 0).value(), loopback, 0, 0});
    }
    EXPECT_FALSE(ports.keeps_more());
}

}  // namespace
}  // namespace strowger::media
