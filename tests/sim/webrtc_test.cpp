#include <gtest/gtest.h>

#include "webrtc_peer.hpp"

namespace strowger::sim {
namespace {

using namespace std::chrono_literals;
using End = WebrtcPeer::End;

SocketAddress at(std::string_view text) { return *SocketAddress::parse(text); }
IpAddress ip(std::string_view text) { return *IpAddress::parse(text); }

const WebrtcPeer::Options offerer{.role = ice::Role::controlling};
const WebrtcPeer::Options answerer{.ordinary_checks = false, .echoes = true};

/// A client, maybe behind a NAT, and an echo server that makes checks in return only.
struct Call {
    explicit Call(const VirtualNetwork::Weather& weather, std::uint64_t seed = 1,
                  const WebrtcPeer::Options& server_options = answerer,
                  std::optional<NatKind> nat = std::nullopt)
        : network(weather, seed) {
        if (nat) network.add_nat(ip("192.0.2.254"), {ip("10.0.0.1")}, 60s, *nat);
        client.emplace(network, at(nat ? "10.0.0.1:1000" : "192.0.2.1:1000"), offerer, seed);
        server.emplace(network, at("198.51.100.1:2000"), server_options, seed + 1000);
        client->open_channel("echo");
    }
    void introduce_them(Duration signalling = 30ms, bool named = true) {
        introduce(network, *client, *server, signalling, named);
    }
    void run(Duration time) { run_until(network, {&*client, &*server}, network.now() + time); }
    bool opens_within(Duration limit) {
        const Time end = network.now() + limit;
        while (network.now() < end && client->opened_at() == Time::max()) run(10ms);
        return client->opened_at() != Time::max();
    }

    VirtualNetwork network;
    std::optional<WebrtcPeer> client, server;
};

void expect_echo(Call& call, std::string_view text) {
    const auto before = call.client->texts().size();
    EXPECT_TRUE(call.client->send_text(text));
    call.run(1s);
    ASSERT_EQ(call.client->texts().size(), before + 1);
    EXPECT_EQ(call.client->texts().back(), text);
}

TEST(Webrtc, OnACleanPathASessionTakesAHandfulOfRoundTrips) {
    Call call({.delay = 10ms});
    call.introduce_them(0ms);
    ASSERT_TRUE(call.opens_within(1s));
    // One for the checks, two for DTLS; then two for SCTP and one for the channel.
    EXPECT_LE(call.client->connected_at() - Time{}, 100ms);
    EXPECT_LE(call.client->opened_at() - Time{}, 200ms);
    expect_echo(call, "hello");
    for (std::uint16_t i = 0; i < 100; ++i) EXPECT_TRUE(call.client->send_rtp(i));
    call.run(100ms);
    EXPECT_EQ(call.server->heard().size(), 100u);
}

struct Path {
    std::string_view name;
    std::optional<NatKind> nat;
    bool named;  ///< the offer has the client's candidate
};

class WebrtcPaths : public testing::TestWithParam<Path> {};

TEST_P(WebrtcPaths, AServerFindsItsClientByItsChecks) {
    Call call({.delay = 15ms}, 3, answerer, GetParam().nat);
    call.introduce_them(30ms, GetParam().named);
    ASSERT_TRUE(call.opens_within(2s));
    expect_echo(call, "through");
}

INSTANTIATE_TEST_SUITE_P(Sim, WebrtcPaths,
                         testing::Values(Path{"NoCandidates", std::nullopt, false},
                                         Path{"FullCone", NatKind::full_cone, true},
                                         Path{"PortRestricted", NatKind::port_restricted, true},
                                         Path{"Symmetric", NatKind::symmetric, false}),
                         [](const auto& test) { return std::string(test.param.name); });

class WebrtcLoss : public testing::TestWithParam<std::uint64_t> {};

TEST_P(WebrtcLoss, AFifthLostBothWaysWithDisorderAndDuplicatesConnectsWithinThreeSeconds) {
    Call call({.delay = 20ms, .jitter = 30ms, .loss = 0.2, .duplication = 0.1}, GetParam());
    call.introduce_them();
    while (call.client->connected_at() == Time::max() && call.network.now() < Time{} + 3s) {
        call.run(10ms);
    }
    EXPECT_NE(call.client->connected_at(), Time::max());
    EXPECT_TRUE(call.opens_within(6s));
    std::size_t sent = 0;
    for (int i = 0; i < 20; ++i) sent += call.client->send_text(std::to_string(i));
    EXPECT_EQ(sent, 20u);
    call.run(20s);
    std::vector<std::string> expected;
    for (int i = 0; i < 20; ++i) expected.push_back(std::to_string(i));
    EXPECT_EQ(call.client->texts(), expected);
}

INSTANTIATE_TEST_SUITE_P(Sim, WebrtcLoss, testing::Range<std::uint64_t>(1, 21));

/// A server that waits for its client to begin SCTP, whose last flight of DTLS gets lost; and when
/// each side's first application data was sent.
struct LostFinished {
    static constexpr std::uint8_t application_data = 23;  // RFC 5246 section 6.2.1

    LostFinished() : call({.delay = 10ms}, 1, patient()) {
        call.network.tap = [this](const SocketAddress& from, const SocketAddress&,
                                  std::string_view bytes) {
            if (static_cast<std::uint8_t>(bytes[0]) != application_data) return;
            auto& first = from == at("192.0.2.1:1000") ? client_spoke : server_spoke;
            first = std::min(first, call.network.now());
        };
        call.introduce_them();
        while (call.server->connected_at() == Time::max() && call.network.now() < Time{} + 2s) {
            call.run(1ms);
        }
        call.network.set_weather({.delay = 10ms, .loss = 1});
    }
    static WebrtcPeer::Options patient() {
        auto options = answerer;
        options.sctp_patience = 5s;
        return options;
    }

    Call call;
    Time client_spoke = Time::max(), server_spoke = Time::max();
};

TEST(Webrtc, AServerSaysNothingOnChannelsBeforeItsClientHasDoneDtls) {
    LostFinished lost;
    ASSERT_NE(lost.call.server->connected_at(), Time::max());
    lost.call.run(2500ms);
    EXPECT_EQ(lost.server_spoke, Time::max());
    lost.call.network.set_weather({.delay = 10ms});
    ASSERT_TRUE(lost.call.opens_within(5s));
    EXPECT_LT(lost.client_spoke, lost.server_spoke);
    expect_echo(lost.call, "late");
}

TEST(Webrtc, AServerWhoseClientDoesNotBeginSctpDoesSoAfterFiveSeconds) {
    LostFinished lost;
    ASSERT_NE(lost.call.server->connected_at(), Time::max());
    lost.call.run(7s);
    EXPECT_GE(lost.server_spoke, lost.call.server->connected_at() + 5s);
    EXPECT_LE(lost.server_spoke, lost.call.server->connected_at() + 5500ms);
}

TEST(Webrtc, ALiteServerConnectsToo) {
    auto lite = answerer;
    lite.lite = true;
    Call call({.delay = 10ms}, 1, lite);
    call.introduce_them();
    ASSERT_TRUE(call.opens_within(1s));
    expect_echo(call, "lite");
}

TEST(Webrtc, ACloseIsToldToThePeer) {
    Call call({.delay = 10ms});
    call.introduce_them();
    ASSERT_TRUE(call.opens_within(1s));
    call.client->session().close();
    call.client->work();
    call.run(100ms);
    EXPECT_EQ(call.client->session().end(), End::closed);
    EXPECT_EQ(call.server->session().end(), End::closed_by_peer);
}

TEST(Webrtc, APeerThatIsGoneIsNoticedAfterThirtySeconds) {
    Call call({.delay = 10ms});
    call.introduce_them();
    ASSERT_TRUE(call.opens_within(1s));
    call.network.set_weather({.loss = 1});
    call.run(29s);
    EXPECT_FALSE(call.server->session().ended());
    call.run(7s);
    EXPECT_EQ(call.server->session().end(), End::consent_lost);
    EXPECT_EQ(call.client->session().end(), End::consent_lost);
    EXPECT_FALSE(call.client->send_rtp(1));
}

TEST(Webrtc, AnIdleSessionStays) {
    Call call({.delay = 10ms});
    call.introduce_them();
    ASSERT_TRUE(call.opens_within(1s));
    call.run(180s);
    EXPECT_FALSE(call.client->session().ended());
    expect_echo(call, "still here");
}

TEST(Webrtc, AClientToWhomANatGivesAnotherPortIsFollowed) {
    for (const bool lite : {false, true}) {
        auto options = answerer;
        options.lite = lite;
        Call call({.delay = 10ms}, 5, options, NatKind::symmetric);
        call.introduce_them();
        ASSERT_TRUE(call.opens_within(1s));
        for (int changes = 0; changes < 3; ++changes) {
            call.network.rebind(ip("192.0.2.254"));
            // The client's next check within 6 s, and the doubt: of 2 s, or of 8 s on a lite side.
            call.run(lite ? 15s : 9s);
            EXPECT_FALSE(call.server->session().ended());
            expect_echo(call, "from port " + std::to_string(changes));
        }
        call.run(60s);
        EXPECT_FALSE(call.client->session().ended());
        expect_echo(call, "still here");
    }
}

TEST(Webrtc, AnOfferWithoutAClientIsForgottenAfterFifteenSeconds) {
    Call call({.delay = 10ms});
    call.server->meet(call.client->description(dtls::Role::server));
    call.run(14900ms);
    EXPECT_FALSE(call.server->session().ended());
    call.run(200ms);
    EXPECT_EQ(call.server->session().end(), End::too_late);
}

TEST(Webrtc, AnotherCertificateThanTheAnnouncedOneIsRefused) {
    Call call({.delay = 10ms});
    auto offer = call.client->description(dtls::Role::server);
    offer.fingerprints = {dtls::Fingerprint::of(dtls::Hash::sha_256, as_bytes("another"))};
    call.server->meet(offer);
    call.client->meet(call.server->description(dtls::Role::client));
    call.run(2s);
    EXPECT_EQ(call.server->session().end(), End::dtls_failed);
    EXPECT_EQ(call.server->connected_at(), Time::max());
}

TEST(Webrtc, WhatComesFromElsewhereReachesNothing) {
    Call call({.delay = 10ms});
    call.introduce_them();
    ASSERT_TRUE(call.opens_within(1s));
    const auto& counters = call.server->session().counters();
    const auto before = counters.unexpected;
    for (const std::string bytes :
         {"\x16\xfe\xfd garbage of DTLS", "\x80\x6f no SRTP at all of ours", "\x80\xc8 no SRTCP",
          "\x40 nothing"}) {
        call.network.send(at("203.0.113.66:666"), at("198.51.100.1:2000"), bytes);
    }
    call.run(100ms);
    EXPECT_EQ(counters.unexpected, before + 4);
    EXPECT_FALSE(call.server->session().ended());
    // From the right address, but not of the right key.
    std::string forged(60, 'x');
    forged[0] = '\x80';
    forged[1] = '\x6f';
    call.network.send(at("192.0.2.1:1000"), at("198.51.100.1:2000"), forged);
    call.network.send(at("192.0.2.1:1000"), at("198.51.100.1:2000"), "\x15\xfe\xfd an alert?");
    call.run(100ms);
    EXPECT_EQ(counters.refused, 1u);
    EXPECT_TRUE(call.server->heard().empty());
    expect_echo(call, "unharmed");
}

}  // namespace
}  // namespace strowger::sim
