#include "wire/ice/candidate.hpp"

#include <gtest/gtest.h>

#include "wire/ice/credentials.hpp"

namespace strowger::ice {
namespace {

// What peers send, in the manner of their stacks.
constexpr std::string_view lines[] = {
    "candidate:1 1 udp 2130706431 203.0.113.141 8998 typ host",  // RFC 8839 section 5.1
    "candidate:2 1 udp 1694498815 192.0.2.3 45664 typ srflx raddr 203.0.113.141 rport 8998",
    "candidate:842163049 1 udp 1677729535 198.51.100.4 46416 typ srflx raddr 0.0.0.0 rport 0 "
    "generation 0 network-cost 999",
    "candidate:3745641921 1 udp 2122260223 a3f1c6a8-4d0a-4c35-8d0e-5a2d7d1c1f0b.local 53216 typ "
    "host generation 0 ufrag 0aXd network-id 1",
    "candidate:6815297761 1 tcp 1518280447 192.0.2.9 9 typ host tcptype active generation 0",
    "candidate:0 2 udp 2122252542 2001:db8::17 40000 typ host",
    "candidate:R/7+ 1 udp 7935 203.0.113.9 50000 typ relay raddr 2001:db8::1 rport 3478",
};

TEST(IceCandidate, IsPrintedAsItWasRead) {
    for (const auto line : lines) {
        const auto candidate = Candidate::parse(line);
        ASSERT_TRUE(candidate) << line << ": " << candidate.error().text();
        EXPECT_EQ(candidate->text(), line);
    }
}

TEST(IceCandidate, HasTheFieldsOfItsLine) {
    const auto c = *Candidate::parse("a=" + std::string(lines[1]));
    EXPECT_EQ(c.foundation, "2");
    EXPECT_EQ(c.component, 1);
    EXPECT_EQ(c.priority, 1694498815u);
    EXPECT_EQ(c.address, SocketAddress::parse("192.0.2.3:45664"));
    EXPECT_EQ(c.type, Candidate::Type::server_reflexive);
    EXPECT_EQ(c.related, SocketAddress::parse("203.0.113.141:8998"));
}

TEST(IceCandidate, OnlyThePortBesideTheRelatedAddressIsItsPort) {
    const auto c = *Candidate::parse(
        "1 1 udp 1 192.0.2.3 9 typ srflx rport 1 raddr 10.0.0.1 rport 2 rport 3 raddr 10.0.0.2");
    EXPECT_EQ(c.related, SocketAddress::parse("10.0.0.1:2"));
    EXPECT_EQ(c.extensions.size(), 3u);
    EXPECT_EQ(Candidate::parse(c.text()), c);
}

TEST(IceCandidate, ALineCannotSmuggleInAnother) {
    EXPECT_FALSE(Candidate::parse("1 1 udp 1 192.0.2.3 9 typ host x y\r\na=evil"));
}

TEST(IceCandidate, AnMdnsNameStaysUnresolved) {
    const auto c = *Candidate::parse(lines[3]);
    EXPECT_FALSE(c.resolved());
    EXPECT_TRUE(c.is_mdns());
    EXPECT_EQ(c.address.port, 53216);
    EXPECT_EQ(c.extension("ufrag"), "0aXd");
    EXPECT_FALSE(Candidate::parse("1 1 udp 1 phone.example 9 typ host")->is_mdns());
}

TEST(IceCandidate, TellsTcpFromUdpInAnyCase) {
    const auto c = *Candidate::parse(lines[4]);
    EXPECT_EQ(c.transport, Candidate::Transport::tcp);
    EXPECT_EQ(c.extension("tcptype"), "active");
    EXPECT_EQ(Candidate::parse("1 1 UDP 1 192.0.2.1 9 typ HOST")->transport,
              Candidate::Transport::udp);
}

TEST(IceCandidate, WhatTheStandardDoesNotAllowIsRefused) {
    for (const std::string_view line :
         {"", "candidate:", "candidate:1 1 udp 1 192.0.2.1 9", "1 0 udp 1 192.0.2.1 9 typ host",
          "1 257 udp 1 192.0.2.1 9 typ host", "1 1 sctp 1 192.0.2.1 9 typ host",
          "1 1 udp 4294967296 192.0.2.1 9 typ host", "1 1 udp -1 192.0.2.1 9 typ host",
          "1 1 udp 1 192.0.2.1 65536 typ host", "1 1 udp 1 fe80::1%eth0 9 typ host",
          "1 1 udp 1 192.0.2.256 9 typ host", "1 1 udp 1 192.0.2.1 9 typ wormhole",
          "1 1 udp 1 192.0.2.1 9 type host", "a_b 1 udp 1 192.0.2.1 9 typ host",
          "123456789012345678901234567890123 1 udp 1 192.0.2.1 9 typ host"}) {
        EXPECT_FALSE(Candidate::parse(line)) << line;
    }
    EXPECT_FALSE(Candidate::parse(std::string(lines[0]) + std::string(1000, ' ')));
}

TEST(IceCandidate, PrioritiesAreThoseOfSection5_1_2) {
    // 2^24 * 126 + 2^8 * 65535 + 256 - 1, as in the example of RFC 8839
    EXPECT_EQ(priority_of(Candidate::Type::host, 65535, 1), 2130706431u);
    EXPECT_EQ(priority_of(Candidate::Type::server_reflexive, 65535, 1), 1694498815u);
    EXPECT_EQ(priority_of(Candidate::Type::relayed, 65535, 2), 16777214u);
    EXPECT_EQ(peer_reflexive_priority(2130706431u), 1862270975u);  // 0x6effffff
}

TEST(IceCandidate, ThePriorityOfAPairIsThatOfSection6_1_2_3) {
    // 2^32 * min(G, D) + 2 * max(G, D) + (G > D)
    EXPECT_EQ(pair_priority(2, 1), (1ULL << 32) + 4 + 1);
    EXPECT_EQ(pair_priority(1, 2), (1ULL << 32) + 4);
    EXPECT_EQ(pair_priority(3, 3), (3ULL << 32) + 6);
}

TEST(IceCandidate, FoundationsAreOneForOneBaseAndServer) {
    const auto a = Candidate::host(*SocketAddress::parse("192.0.2.1:1000"));
    const auto b = Candidate::host(*SocketAddress::parse("192.0.2.1:1001"), 2);
    const auto c = Candidate::host(*SocketAddress::parse("192.0.2.2:1000"));
    EXPECT_EQ(a.foundation, b.foundation);
    EXPECT_NE(a.foundation, c.foundation);
    const auto seen = *SocketAddress::parse("198.51.100.1:7");
    const auto server = *IpAddress::parse("203.0.113.1");
    const auto d = Candidate::server_reflexive(seen, a, server);
    const auto e = Candidate::server_reflexive(seen, a, *IpAddress::parse("203.0.113.2"));
    EXPECT_NE(d.foundation, a.foundation);
    EXPECT_NE(d.foundation, e.foundation);
    EXPECT_EQ(d.related, a.address);
    EXPECT_EQ(d.priority, priority_of(Candidate::Type::server_reflexive, 65535, 1));
    EXPECT_TRUE(Candidate::parse(d.text()));
}

TEST(IceCredentials, FreshOnesSatisfyTheStandardAndDiffer) {
    const auto a = Credentials::generate();
    EXPECT_TRUE(Credentials::check(a.ufrag, a.pwd));
    EXPECT_NE(a, Credentials::generate());
}

TEST(IceCredentials, LengthsAndCharactersAreBounded) {
    const std::string pwd(22, 'p');
    EXPECT_TRUE(Credentials::check("a/+9", pwd));
    EXPECT_FALSE(Credentials::check("abc", pwd));
    EXPECT_FALSE(Credentials::check("ab:d", pwd));
    EXPECT_FALSE(Credentials::check("abcd", pwd.substr(1)));
    EXPECT_FALSE(Credentials::check(std::string(257, 'a'), pwd));
    EXPECT_FALSE(Credentials::check("abcd", std::string(257, 'a')));
}

}  // namespace
}  // namespace strowger::ice
