#include "io/udp.hpp"

#include <gtest/gtest.h>

#include <string>

namespace strowger::io {
namespace {

using namespace std::chrono_literals;

SocketAddress loopback(std::uint16_t port) { return {IpAddress::v4({127, 0, 0, 1}), port}; }

struct Received {
    SocketAddress remote, local;
    std::string text;
};

UdpSocket::Receive keep_in(std::vector<Received>& list) {
    return [&list](std::span<const UdpSocket::Datagram> batch) {
        for (const auto& d : batch)
            list.push_back({d.remote, d.local, std::string(as_text(d.bytes))});
    };
}

TEST(UdpSocket, CarriesDatagramsBothWaysWithTheirAddresses) {
    Loop loop;
    std::vector<Received> at_a, at_b;
    auto a = UdpSocket::bind(loop, loopback(0), {}, keep_in(at_a)).value();
    auto b = UdpSocket::bind(loop, loopback(0), {}, keep_in(at_b)).value();
    a->send(b->local(), as_bytes("REGISTER"));
    ASSERT_TRUE(loop.run_until([&] { return !at_b.empty(); }, 2s));
    EXPECT_EQ(at_b[0].text, "REGISTER");
    EXPECT_EQ(at_b[0].remote, a->local());
    EXPECT_EQ(at_b[0].local, b->local());
    b->send(at_b[0].remote, as_bytes("401"));
    ASSERT_TRUE(loop.run_until([&] { return !at_a.empty(); }, 2s));
    EXPECT_EQ(at_a[0].text, "401");
    EXPECT_EQ(a->counters().sent, 1u);
    EXPECT_EQ(b->counters().received_bytes, 8u);
}

TEST(UdpSocket, RepliesLeaveFromTheAddressThatWasAsked) {
    Loop loop;
    std::vector<Received> at_client;
    std::unique_ptr<UdpSocket> server;
    server = UdpSocket::bind(loop, {IpAddress::any_v4(), 0}, {},
                             [&](std::span<const UdpSocket::Datagram> batch) {
                                 for (const auto& d : batch)
                                     server->send(d.remote, d.bytes, d.local.ip);
                             })
                 .value();
    auto client = UdpSocket::bind(loop, loopback(0), {}, keep_in(at_client)).value();
    const SocketAddress asked{IpAddress::v4({127, 0, 0, 53}), server->local().port};
    client->send(asked, as_bytes("who"));
    ASSERT_TRUE(loop.run_until([&] { return !at_client.empty(); }, 2s));
    EXPECT_EQ(at_client[0].remote.text(), asked.text());
}

TEST(UdpSocket, AnIpv6WildcardSocketServesBothFamilies) {
    Loop loop;
    std::vector<Received> at_four, at_six;
    std::unique_ptr<UdpSocket> server;
    auto made = UdpSocket::bind(loop, {IpAddress::any_v6(), 0}, {},
                                [&](std::span<const UdpSocket::Datagram> batch) {
                                    for (const auto& d : batch)
                                        server->send(d.remote, d.bytes, d.local.ip);
                                });
    if (!made) GTEST_SKIP() << made.error().text();
    server = std::move(*made);
    const auto port = server->local().port;
    auto four = UdpSocket::bind(loop, loopback(0), {}, keep_in(at_four)).value();
    four->send({IpAddress::v4({127, 0, 0, 9}), port}, as_bytes("4"));
    ASSERT_TRUE(loop.run_until([&] { return !at_four.empty(); }, 2s));
    EXPECT_EQ(at_four[0].remote, (SocketAddress{IpAddress::v4({127, 0, 0, 9}), port}));
    auto six = UdpSocket::bind(loop, *SocketAddress::parse("[::1]:0"), {}, keep_in(at_six));
    if (!six) GTEST_SKIP() << six.error().text();
    (*six)->send(*SocketAddress::parse("[::1]:" + std::to_string(port)), as_bytes("6"));
    ASSERT_TRUE(loop.run_until([&] { return !at_six.empty(); }, 2s));
    EXPECT_EQ(at_six[0].remote.ip.text(), "::1");
}

TEST(UdpSocket, SendsABurstBeyondItsQueueAndTheLargestDatagram) {
    Loop loop;
    std::vector<Received> list;
    auto b = UdpSocket::bind(loop, loopback(0), {}, keep_in(list)).value();
    auto a = UdpSocket::bind(loop, loopback(0), {}, [](auto) {}).value();
    for (int i = 0; i < 300; ++i) a->send(b->local(), as_bytes(std::to_string(i)));
    const std::string largest(65507, 'x');
    a->send(b->local(), as_bytes(largest));
    a->send(b->local(), as_bytes(std::string(65508, 'x')));  // no IPv4 datagram is so long
    ASSERT_TRUE(loop.run_until([&] { return list.size() == 301; }, 5s)) << list.size();
    EXPECT_EQ(list[299].text, "299");
    EXPECT_EQ(list[300].text, largest);
    EXPECT_EQ(a->counters().sent, 301u);
    EXPECT_EQ(a->counters().send_failed, 1u);
}

TEST(UdpSocket, ABurstOfDatagramsOfAllLengthsToSeveralAddressesArrivesAsItWasSent) {
    Loop loop;
    std::vector<Received> at_a, at_b;
    auto sender = UdpSocket::bind(loop, loopback(0), {}, [](auto) {}).value();
    auto a = UdpSocket::bind(loop, loopback(0), {}, keep_in(at_a)).value();
    auto b = UdpSocket::bind(loop, loopback(0), {}, keep_in(at_b)).value();
    std::vector<std::string> to_a, to_b;
    for (std::size_t i = 0; i < 120; ++i) {
        // Runs of one length, that end with shorter and longer ones, and another address between.
        const std::size_t length = i % 17 == 16 ? 3 : i % 29 == 28 ? 1400 : 1150;
        const std::string text(length, static_cast<char>('a' + i % 26));
        const bool other = i % 13 == 12;
        (other ? to_b : to_a).push_back(text);
        sender->send((other ? b : a)->local(), as_bytes(text));
    }
    ASSERT_TRUE(loop.run_until(
        [&] { return at_a.size() == to_a.size() && at_b.size() == to_b.size(); }, 2s));
    for (std::size_t i = 0; i < to_a.size(); ++i) EXPECT_EQ(at_a[i].text, to_a[i]) << i;
    for (std::size_t i = 0; i < to_b.size(); ++i) EXPECT_EQ(at_b[i].text, to_b[i]) << i;
    EXPECT_EQ(sender->counters().sent, 120u);
    EXPECT_EQ(sender->counters().send_failed, 0u);
}

TEST(UdpSocket, MayBeDestroyedByItsReceiver) {
    Loop loop;
    std::unique_ptr<UdpSocket> b;
    bool called = false;
    b = UdpSocket::bind(loop, loopback(0), {}, [&](std::span<const UdpSocket::Datagram> batch) {
            called = true;
            b.reset();
            EXPECT_EQ(as_text(batch[0].bytes), "last");  // the batch outlives it
        }).value();
    auto a = UdpSocket::bind(loop, loopback(0), {}, [](auto) {}).value();
    a->send(b->local(), as_bytes("last"));
    EXPECT_TRUE(loop.run_until([&] { return called; }, 2s));
}

TEST(UdpSocket, SaysWhichAddressCouldNotBeBound) {
    Loop loop;
    auto a = UdpSocket::bind(loop, loopback(0), {}, [](auto) {}).value();
    const auto again = UdpSocket::bind(loop, a->local(), {}, [](auto) {});
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code(), EADDRINUSE);
    EXPECT_NE(again.error().text().find(a->local().text()), std::string::npos);
}

TEST(UdpSocket, KnowsTheSourceAddressTowardsARemote) {
    EXPECT_EQ(UdpSocket::source_for(IpAddress::v4({127, 0, 0, 1})), IpAddress::v4({127, 0, 0, 1}));
}

}  // namespace
}  // namespace strowger::io
