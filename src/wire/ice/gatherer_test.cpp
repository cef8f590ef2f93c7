#include "wire/ice/gatherer.hpp"

#include <gtest/gtest.h>

#include "wire/stun/builder.hpp"

namespace strowger::ice {
namespace {

using namespace std::chrono_literals;

const SocketAddress server = *SocketAddress::parse("203.0.113.3:3478");
const Candidate host = Candidate::host(*SocketAddress::parse("10.0.0.1:1000"));

struct Asking {
    Random random{1};
    Gatherer gatherer{{}, random};
    Time now{};
    Transmit transmit;

    void answer(std::string_view mapped, const SocketAddress& from = server) {
        std::array<std::uint8_t, 100> buffer;
        const auto id = stun::Message::parse(transmit.bytes())->transaction();
        gatherer.receive({0, from,
                          stun::Builder(buffer, stun::Class::success, stun::Method::binding, id)
                              .xor_address(stun::AttributeType::xor_mapped_address,
                                           *SocketAddress::parse(mapped))
                              .finish()},
                         now);
    }
};

TEST(IceGatherer, WhatTheServerSawBecomesACandidateBehindTheSocket) {
    Asking a;
    ASSERT_TRUE(a.gatherer.ask(host, 0, server));
    a.gatherer.tick(a.now);
    ASSERT_TRUE(a.gatherer.poll(a.transmit));
    EXPECT_EQ(a.transmit.to, server);
    a.answer("192.0.2.9:40000");
    Gatherer::Event event;
    ASSERT_TRUE(a.gatherer.poll(event));
    EXPECT_EQ(event.candidate.address, SocketAddress::parse("192.0.2.9:40000"));
    EXPECT_EQ(event.candidate.type, Candidate::Type::server_reflexive);
    EXPECT_EQ(event.candidate.related, host.address);
    EXPECT_TRUE(a.gatherer.finished());
    EXPECT_EQ(a.gatherer.deadline(), Time::max());
}

TEST(IceGatherer, AnAddressWithoutNatAddsNothing) {
    Asking a;
    a.gatherer.ask(host, 0, server);
    a.gatherer.tick(a.now);
    a.gatherer.poll(a.transmit);
    a.answer(host.address.text());
    Gatherer::Event event;
    EXPECT_FALSE(a.gatherer.poll(event));
    EXPECT_TRUE(a.gatherer.finished());
}

TEST(IceGatherer, OnlyTheServerThatWasAskedIsBelieved) {
    Asking a;
    a.gatherer.ask(host, 0, server);
    a.gatherer.tick(a.now);
    a.gatherer.poll(a.transmit);
    a.answer("192.0.2.9:40000", *SocketAddress::parse("203.0.113.4:3478"));
    Gatherer::Event event;
    EXPECT_FALSE(a.gatherer.poll(event));
    EXPECT_FALSE(a.gatherer.finished());
}

TEST(IceGatherer, ASilentServerIsGivenUpAfterEightSeconds) {
    Asking a;
    a.gatherer.ask(host, 0, server);
    int sent = 0;
    while (!a.gatherer.finished()) {
        a.now = std::max(a.now, a.gatherer.deadline());
        a.gatherer.tick(a.now);
        while (a.gatherer.poll(a.transmit)) ++sent;
    }
    EXPECT_EQ(sent, 7);
    EXPECT_EQ(a.now - Time{}, 6300ms + 1600ms);
}

TEST(IceGatherer, FirstRequestsKeepTheirPace) {
    Asking a;
    for (SocketId socket = 0; socket < 3; ++socket) a.gatherer.ask(host, socket, server);
    a.gatherer.tick(a.now);
    EXPECT_TRUE(a.gatherer.poll(a.transmit));
    EXPECT_FALSE(a.gatherer.poll(a.transmit));
    EXPECT_EQ(a.gatherer.deadline(), a.now + 20ms);
}

TEST(IceGatherer, FamiliesMustMatchAndTheNumberOfRequestsIsBounded) {
    Asking a;
    EXPECT_FALSE(a.gatherer.ask(host, 0, *SocketAddress::parse("[2001:db8::1]:3478")));
    for (std::size_t i = 0; i < Gatherer::max_requests; ++i) {
        EXPECT_TRUE(a.gatherer.ask(host, 0, server));
    }
    EXPECT_FALSE(a.gatherer.ask(host, 0, server));
}

}  // namespace
}  // namespace strowger::ice
