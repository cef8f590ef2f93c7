#include <gtest/gtest.h>

#include "ice_peer.hpp"
#include "wire/stun/builder.hpp"

namespace strowger::sim {
namespace {

using namespace std::chrono_literals;
using ice::Agent;
using ice::Role;
using Kind = Agent::Event::Kind;

SocketAddress at(std::string_view text) { return *SocketAddress::parse(text); }
IpAddress ip(std::string_view text) { return *IpAddress::parse(text); }

const SocketAddress stun_server = at("203.0.113.3:3478");

void add_stun_server(VirtualNetwork& network) {
    network.attach(stun_server, [&](const SocketAddress& from, std::string_view bytes) {
        const auto request = stun::Message::parse(as_bytes(bytes));
        if (!request) return;
        std::array<std::uint8_t, 100> buffer;
        const Bytes answer = stun::Builder(buffer, stun::Class::success, stun::Method::binding,
                                           request->transaction())
                                 .xor_address(stun::AttributeType::xor_mapped_address, from)
                                 .finish();
        network.send(stun_server, from, std::string(as_text(answer)));
    });
}

Agent::Config config(Role role, bool lite = false, std::uint16_t components = 1) {
    Agent::Config config;
    config.role = role;
    config.lite = lite;
    config.components = components;
    return config;
}

/// A calls B: each hears of the other after one way of signalling, B first.
void introduce(IcePeer& a, IcePeer& b, Duration signalling = 30ms) {
    a.tell(b, signalling);
    b.tell(a, 2 * signalling);
}

/// Both have selected.
void expect_completed(IcePeer& a, IcePeer& b, std::uint16_t component = 1) {
    EXPECT_EQ(a.agent().state(), Agent::State::completed);
    EXPECT_EQ(b.agent().state(), Agent::State::completed);
    EXPECT_TRUE(a.agent().path(component));
    EXPECT_TRUE(b.agent().path(component));
}

/// Data that each sends now arrives.
void expect_data_flows(VirtualNetwork& network, IcePeer& a, IcePeer& b) {
    const auto before_a = a.data_received(), before_b = b.data_received();
    EXPECT_TRUE(a.send_data());
    EXPECT_TRUE(b.send_data());
    network.run_until(network.now() + 1s);
    EXPECT_EQ(a.data_received(), before_a + 1);
    EXPECT_EQ(b.data_received(), before_b + 1);
}

// ---- roles

struct Sides {
    Role a;
    bool a_lite;
    Role b;
    bool b_lite;
    std::string_view name;
};

class IceRoles : public testing::TestWithParam<Sides> {};

TEST_P(IceRoles, FindOnePathAndOneControls) {
    const auto& sides = GetParam();
    VirtualNetwork network({.delay = 10ms}, 1);
    IcePeer a(network, config(sides.a, sides.a_lite), 1);
    IcePeer b(network, config(sides.b, sides.b_lite), 2);
    a.open(at("192.0.2.1:1000"));
    b.open(at("198.51.100.1:2000"));
    introduce(a, b);
    network.run_until(Time{} + 2s);
    expect_completed(a, b);
    expect_data_flows(network, a, b);
    EXPECT_NE(a.agent().role(), b.agent().role());
    EXPECT_EQ(a.count(Kind::selected), 1u);
    EXPECT_EQ(b.count(Kind::selected), 1u);
    EXPECT_EQ(a.count(Kind::connected), 1u);
}

INSTANTIATE_TEST_SUITE_P(
    Ice, IceRoles,
    testing::Values(
        Sides{Role::controlling, false, Role::controlled, false, "ControllingAndControlled"},
        Sides{Role::controlled, false, Role::controlling, false, "ControlledAndControlling"},
        Sides{Role::controlling, false, Role::controlling, false, "BothBelieveToControl"},
        Sides{Role::controlled, false, Role::controlled, false, "BothBelieveToBeControlled"},
        Sides{Role::controlling, false, Role::controlled, true, "FullAndLite"},
        Sides{Role::controlled, false, Role::controlling, true, "FullAndLiteThatOffered"},
        Sides{Role::controlled, true, Role::controlling, false, "LiteAndFull"},
        Sides{Role::controlling, true, Role::controlled, true, "LiteAndLite"}),
    [](const auto& test) { return std::string(test.param.name); });

// ---- networks

struct Networks {
    std::optional<NatKind> a, b;
    bool connects;
    std::string_view name;
};

class IceNats : public testing::TestWithParam<Networks> {};

TEST_P(IceNats, AreTraversedWhereTheirKindsAllowIt) {
    const auto& kinds = GetParam();
    VirtualNetwork network({.delay = 15ms}, 3);
    add_stun_server(network);
    if (kinds.a) network.add_nat(ip("192.0.2.254"), {ip("10.0.0.1")}, 60s, *kinds.a);
    if (kinds.b) network.add_nat(ip("198.51.100.254"), {ip("10.1.0.1")}, 60s, *kinds.b);
    IcePeer a(network, config(Role::controlling), 1);
    IcePeer b(network, config(Role::controlled), 2);
    a.open(at("10.0.0.1:1000"));
    b.open(at("10.1.0.1:2000"));
    a.gather(stun_server);
    b.gather(stun_server);
    introduce(a, b);
    network.run_until(Time{} + 3s);
    if (kinds.connects) {
        expect_completed(a, b);
        expect_data_flows(network, a, b);
    } else {
        EXPECT_NE(a.agent().state(), Agent::State::completed);
        network.run_until(Time{} + 45s);
        EXPECT_EQ(a.count(Kind::failed), 1u);
        EXPECT_EQ(b.count(Kind::failed), 1u);
        EXPECT_FALSE(a.agent().path());
    }
}

INSTANTIATE_TEST_SUITE_P(
    Ice, IceNats,
    testing::Values(
        Networks{std::nullopt, std::nullopt, true, "None"},
        Networks{NatKind::full_cone, NatKind::full_cone, true, "TwoFullCones"},
        Networks{NatKind::port_restricted, NatKind::port_restricted, true, "TwoPortRestricted"},
        Networks{NatKind::symmetric, NatKind::full_cone, true, "SymmetricAndFullCone"},
        Networks{NatKind::symmetric, std::nullopt, true, "SymmetricAndNone"},
        // Either port is open only to a port that the other cannot know: that needs a relay.
        Networks{NatKind::symmetric, NatKind::symmetric, false, "TwoSymmetric"}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(IceNetworks, TwoPhonesBehindOneNatTalkWithoutIt) {
    VirtualNetwork network({.delay = 5ms}, 3);
    add_stun_server(network);
    network.add_nat(ip("192.0.2.254"), {ip("10.0.0.1"), ip("10.0.0.2")}, 60s);
    IcePeer a(network, config(Role::controlling), 1);
    IcePeer b(network, config(Role::controlled), 2);
    a.open(at("10.0.0.1:1000"));
    b.open(at("10.0.0.2:2000"));
    a.gather(stun_server);
    b.gather(stun_server);
    introduce(a, b);
    network.run_until(Time{} + 2s);
    expect_completed(a, b);
    EXPECT_EQ(a.agent().path()->remote, at("10.0.0.2:2000"));
}

TEST(IceNetworks, APeerWhoseCandidatesAreUselessIsFoundByItsChecks) {
    VirtualNetwork network({.delay = 5ms}, 3);
    network.add_nat(ip("192.0.2.254"), {ip("10.0.0.1")}, 60s, NatKind::symmetric);
    IcePeer client(network, config(Role::controlling), 1);
    auto server_config = config(Role::controlled);
    server_config.ordinary_checks = false;
    IcePeer server(network, server_config, 2);
    client.open(at("10.0.0.1:1000"));
    server.open(at("198.51.100.1:2000"));
    introduce(client, server);
    network.run_until(Time{} + 1s);
    expect_completed(client, server);
    EXPECT_EQ(server.agent().path()->remote.ip, ip("192.0.2.254"));
}

TEST(IceNetworks, TheBestOfSeveralPathsIsTaken) {
    VirtualNetwork network({.delay = 5ms}, 3);
    IcePeer a(network, config(Role::controlling), 1);
    IcePeer b(network, config(Role::controlled), 2);
    for (const auto address : {"192.0.2.1:1000", "192.0.2.2:1000", "[2001:db8::1]:1000"}) {
        a.open(at(address));
    }
    for (const auto address : {"198.51.100.1:2000", "[2001:db8::2]:2000"}) b.open(at(address));
    introduce(a, b);
    network.run_until(Time{} + 2s);
    expect_completed(a, b);
    EXPECT_EQ(a.agent().path()->socket, 0);
    EXPECT_EQ(a.agent().path()->remote, at("198.51.100.1:2000"));
}

TEST(IceNetworks, APathThatWorksIsNotKeptWaitingForOneThatDoesNot) {
    VirtualNetwork network({.delay = 5ms}, 3);
    IcePeer a(network, config(Role::controlling), 1);
    IcePeer b(network, config(Role::controlled), 2);
    a.open(at("192.0.2.1:1000"));
    const auto dead = b.open(at("198.51.100.9:2000"));
    b.open(at("198.51.100.1:2000"));
    network.detach(*b.address_of(dead));
    introduce(a, b, 0ms);
    network.run_until(Time{} + 200ms);
    expect_completed(a, b);
    EXPECT_EQ(a.agent().path()->remote, at("198.51.100.1:2000"));
}

TEST(IceNetworks, OnACleanLinkAPathIsThereAfterOneRoundTripAndSelectedAfterTwo) {
    VirtualNetwork network({.delay = 10ms}, 3);
    IcePeer a(network, config(Role::controlling), 1);
    IcePeer b(network, config(Role::controlled), 2);
    a.open(at("192.0.2.1:1000"));
    b.open(at("198.51.100.1:2000"));
    introduce(a, b, 0ms);
    network.run_until(Time{} + 1s);
    EXPECT_EQ(a.when(Kind::connected), Time{} + 20ms);
    EXPECT_EQ(a.when(Kind::selected), Time{} + 40ms);
    EXPECT_EQ(b.when(Kind::selected), Time{} + 30ms);
}

// ---- loss

/// How many of 300 sessions have a path on both sides in time; all that can have one end with it.
int connected_within(Duration limit, bool with_nats) {
    int in_time = 0;
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
        VirtualNetwork network({.delay = 30ms, .jitter = 30ms, .loss = 0.2, .duplication = 0.05},
                               seed);
        IcePeer a(network, config(Role::controlling), seed);
        IcePeer b(network, config(Role::controlled), seed + 1000);
        a.open(at("10.0.0.1:1000"));
        b.open(at("10.1.0.1:2000"));
        if (with_nats) {
            add_stun_server(network);
            network.add_nat(ip("192.0.2.254"), {ip("10.0.0.1")}, 60s);
            network.add_nat(ip("198.51.100.254"), {ip("10.1.0.1")}, 60s);
            a.gather(stun_server);
            b.gather(stun_server);
        }
        introduce(a, b);
        network.run_until(Time{} + limit);
        in_time += a.agent().path() && b.agent().path();
        network.run_until(Time{} + 20s);
        const bool completed = a.agent().state() == Agent::State::completed &&
                               b.agent().state() == Agent::State::completed;
        EXPECT_TRUE(completed) << "seed " << seed;
    }
    return in_time;
}

TEST(IceLoss, WithTwentyPerCentLostBothWaysAPathIsThereWithinThreeSeconds) {
    EXPECT_GE(connected_within(3s, false), 299);
}

TEST(IceLoss, BehindTwoNatsThatTakesAsLongAsTheServersAnswer) {
    EXPECT_GE(connected_within(4s, true), 294);
}

// ---- consent

TEST(IceConsent, HoldsForAnHourOfIdlenessAndKeepsTheNatsOpen) {
    VirtualNetwork network({.delay = 20ms, .loss = 0.05}, 5);
    add_stun_server(network);
    network.add_nat(ip("192.0.2.254"), {ip("10.0.0.1")}, 15s);  // a NAT of little patience
    IcePeer a(network, config(Role::controlling), 1);
    IcePeer b(network, config(Role::controlled), 2);
    a.open(at("10.0.0.1:1000"));
    b.open(at("198.51.100.1:2000"));
    introduce(a, b);
    network.run_until(Time{} + 1h);
    expect_completed(a, b);
    EXPECT_EQ(a.count(Kind::consent_lost) + b.count(Kind::consent_lost), 0u);
    // A check of either side every 4 to 6 s, and an answer to the other's.
    EXPECT_GT(a.sent(), 2u * 3600 / 6);
    EXPECT_LT(a.sent(), 2u * 3600 / 4);
}

TEST(IceConsent, IsLostThirtySecondsAfterThePeerHasGone) {
    VirtualNetwork network({.delay = 20ms}, 5);
    IcePeer a(network, config(Role::controlling), 1);
    auto b = std::make_unique<IcePeer>(network, config(Role::controlled), 2);
    a.open(at("192.0.2.1:1000"));
    b->open(at("198.51.100.1:2000"));
    introduce(a, *b);
    network.run_until(Time{} + 60s);
    b.reset();
    network.run_until(Time{} + 2min);
    ASSERT_EQ(a.count(Kind::consent_lost), 1u);
    const auto lost = a.when(Kind::consent_lost) - Time{};
    EXPECT_GT(lost, 60s + 30s - 6s);  // the last answer was to a check of the 6 s before
    EXPECT_LE(lost, 60s + 30s + 40ms);
    EXPECT_FALSE(a.agent().path());
    const auto sent = a.sent();
    network.run_until(Time{} + 10min);
    EXPECT_EQ(a.sent(), sent) << "nothing more is sent";
}

TEST(IceConsent, ALiteSideLivesOnWhatItHears) {
    VirtualNetwork network({.delay = 20ms}, 5);
    auto full = std::make_unique<IcePeer>(network, config(Role::controlling), 1);
    IcePeer lite(network, config(Role::controlled, true), 2);
    full->open(at("192.0.2.1:1000"));
    lite.open(at("198.51.100.1:2000"));
    introduce(*full, lite);
    network.run_until(Time{} + 10min);
    EXPECT_EQ(lite.count(Kind::consent_lost), 0u);
    full.reset();
    network.run_until(Time{} + 11min);
    EXPECT_EQ(lite.count(Kind::consent_lost), 1u);
}

TEST(IceConsent, BetweenTwoLiteSidesKeepAlivesGoAndNothingExpires) {
    VirtualNetwork network({.delay = 20ms}, 5);
    IcePeer a(network, config(Role::controlling, true), 1);
    IcePeer b(network, config(Role::controlled, true), 2);
    a.open(at("192.0.2.1:1000"));
    b.open(at("198.51.100.1:2000"));
    introduce(a, b);
    network.run_until(Time{} + 30min);
    expect_completed(a, b);
    EXPECT_GE(a.sent(), 30u * 60 / 18);
    EXPECT_LE(a.sent(), 30u * 60 / 12);
}

// ---- restart

TEST(IceRestart, KeepsTheOldPathUntilTheNewOneIsSelected) {
    VirtualNetwork network({.delay = 20ms}, 6);
    IcePeer a(network, config(Role::controlling), 1);
    IcePeer b(network, config(Role::controlled), 2);
    a.open(at("192.0.2.1:1000"));
    b.open(at("198.51.100.1:2000"));
    introduce(a, b);
    network.run_until(Time{} + 10s);
    expect_completed(a, b);
    a.open(at("192.0.2.7:1000"));  // what the restart is for: another network
    a.restart();
    b.restart();
    introduce(a, b, 100ms);
    while (a.count(Kind::selected) < 2 && network.now() < Time{} + 12s) {
        EXPECT_TRUE(a.agent().path());
        EXPECT_TRUE(b.agent().path());
        network.run_until(network.now() + 5ms);
    }
    network.run_until(network.now() + 1min);
    expect_completed(a, b);
    expect_data_flows(network, a, b);
    EXPECT_EQ(a.count(Kind::selected), 2u);
    EXPECT_EQ(a.count(Kind::consent_lost), 0u);
}

TEST(IceRestart, TheOldPathKeepsItsConsentHoweverLongTheNewOneTakes) {
    VirtualNetwork network({.delay = 20ms}, 6);
    IcePeer a(network, config(Role::controlling), 1);
    IcePeer b(network, config(Role::controlled), 2);
    a.open(at("192.0.2.1:1000"));
    b.open(at("198.51.100.1:2000"));
    introduce(a, b);
    network.run_until(Time{} + 10s);
    a.restart();
    b.restart();
    network.run_until(Time{} + 5min);
    EXPECT_TRUE(a.agent().path());
    EXPECT_TRUE(b.agent().path());
    introduce(a, b);
    network.run_until(Time{} + 6min);
    expect_completed(a, b);
}

TEST(IceRestart, InTheMiddleOfChecksBeginsAnew) {
    for (int after = 0; after < 100; after += 7) {
        VirtualNetwork network({.delay = 20ms}, 6);
        IcePeer a(network, config(Role::controlling), 1);
        IcePeer b(network, config(Role::controlled), 2);
        for (const auto address : {"192.0.2.1:1000", "192.0.2.2:1000"}) a.open(at(address));
        for (const auto address : {"198.51.100.1:2000", "198.51.100.2:2000"}) b.open(at(address));
        introduce(a, b, 10ms);
        network.run_until(Time{} + 30ms + std::chrono::milliseconds(after));
        a.restart();
        b.restart();
        introduce(a, b, 10ms);
        network.run_until(Time{} + 3s);
        expect_completed(a, b);
        expect_data_flows(network, a, b);
    }
}

TEST(IceRestart, AfterFailureFindsWhatHasBecomeReachable) {
    VirtualNetwork network({.delay = 20ms, .loss = 1}, 6);
    IcePeer a(network, config(Role::controlling), 1);
    IcePeer b(network, config(Role::controlled), 2);
    a.open(at("192.0.2.1:1000"));
    b.open(at("198.51.100.1:2000"));
    introduce(a, b);
    network.run_until(Time{} + 1min);
    EXPECT_EQ(a.agent().state(), Agent::State::failed);
    EXPECT_EQ(a.when(Kind::failed), Time{} + 60ms + 39500ms);  // RFC 8863
    network.set_weather({.delay = 20ms});
    a.restart();
    b.restart();
    introduce(a, b);
    network.run_until(Time{} + 62s);
    expect_completed(a, b);
}

// ---- components

TEST(IceComponents, TwoHaveAPathEach) {
    VirtualNetwork network({.delay = 20ms}, 7);
    IcePeer a(network, config(Role::controlling, false, 2), 1);
    IcePeer b(network, config(Role::controlled, false, 2), 2);
    a.open(at("192.0.2.1:1000"), 1);
    a.open(at("192.0.2.1:1001"), 2);
    b.open(at("198.51.100.1:2000"), 1);
    b.open(at("198.51.100.1:2001"), 2);
    introduce(a, b);
    network.run_until(Time{} + 2s);
    expect_completed(a, b, 1);
    expect_completed(a, b, 2);
    EXPECT_EQ(a.agent().path(1)->remote, at("198.51.100.1:2000"));
    EXPECT_EQ(a.agent().path(2)->remote, at("198.51.100.1:2001"));
    EXPECT_EQ(a.count(Kind::selected), 2u);
    EXPECT_EQ(a.count(Kind::connected), 1u);
}

TEST(IceComponents, OneIsEnoughWhenTheAnswerMuxes) {
    VirtualNetwork network({.delay = 20ms}, 7);
    IcePeer a(network, config(Role::controlling, false, 2), 1);
    IcePeer b(network, config(Role::controlled), 2);
    a.open(at("192.0.2.1:1000"), 1);
    a.open(at("192.0.2.1:1001"), 2);
    b.open(at("198.51.100.1:2000"), 1);
    introduce(a, b);
    network.at(Time{} + 60ms, [&] { a.agent().use_one_component(); });
    network.run_until(Time{} + 2s);
    expect_completed(a, b);
    EXPECT_FALSE(a.agent().path(2));
}

// ---- trickle

TEST(IceTrickle, CandidatesThatComeLateAreChecked) {
    VirtualNetwork network({.delay = 20ms}, 8);
    IcePeer a(network, config(Role::controlling), 1);
    IcePeer b(network, config(Role::controlled), 2);
    a.open(at("192.0.2.1:1000"));
    introduce(a, b);  // b has no socket yet
    network.run_until(Time{} + 5s);
    EXPECT_EQ(a.agent().state(), Agent::State::checking);
    b.open(at("198.51.100.1:2000"));
    b.work();
    network.run_until(Time{} + 6s);
    expect_completed(a, b);
}

}  // namespace
}  // namespace strowger::sim
