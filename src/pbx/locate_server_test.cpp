#include "pbx/locate_server.hpp"

#include <gtest/gtest.h>

#include "io/loop.hpp"
#include "io/test_name_server.hpp"

namespace strowger::pbx {
namespace {

using namespace std::chrono_literals;
using io::be16;
using sip::Transport;

constexpr int type_a = 1, type_aaaa = 28, type_srv = 33, type_naptr = 35;

struct LocateServer : testing::Test {
    io::Loop loop;
    Random random{1};
    io::NameServer server{loop};
    io::Resolver resolver{loop,
                          {.servers = {server.socket->local()},
                           .timeout = 100ms,
                           .tries = 1,
                           .hosts_file = "/dev/null"}};

    void a(const std::string& name, std::array<std::uint8_t, 4> ip) {
        server.zone.insert({name, {type_a, 60, std::string(ip.begin(), ip.end())}});
    }
    void srv(const std::string& name, unsigned priority, unsigned port, std::string_view target) {
        server.zone.insert(
            {name, {type_srv, 60, be16(priority) + be16(0) + be16(port) + io::name_field(target)}});
    }
    void naptr(const std::string& name, unsigned order, std::string_view service,
               std::string_view target) {
        server.zone.insert(
            {name,
             {type_naptr, 60,
              be16(order) + be16(50) + io::text_field("s") + io::text_field(service) +
                  io::text_field("") + io::name_field(target)}});
    }

    Result<std::vector<Hop>> locate(std::string uri, Reach reach = {}) {
        std::optional<Result<std::vector<Hop>>> result;
        spawn([](Task<Result<std::vector<Hop>>> task, auto& out) -> Task<> {
            out = co_await std::move(task);
        }(locate_server(resolver, random, std::move(uri), reach), result));
        suspended = !result;
        EXPECT_TRUE(loop.run_until([&] { return result.has_value(); }));
        return std::move(*result);
    }
    /// "udp 192.0.2.1:5060, tcp ..."
    std::string hops(std::string uri, Reach reach = {}) {
        const auto found = locate(std::move(uri), reach);
        if (!found) return found.error().text();
        std::string text;
        for (const auto& hop : *found) {
            if (!text.empty()) text += ", ";
            (text += uri_name(hop.transport)) += " " + hop.address.text();
        }
        return text;
    }
    bool suspended = false;
};

TEST_F(LocateServer, LiteralAddressesAreAnsweredAtOnceAndWithoutAQuestion) {
    EXPECT_EQ(hops("sip:bob@192.0.2.1"), "udp 192.0.2.1:5060");
    EXPECT_FALSE(suspended);
    EXPECT_EQ(hops("sip:192.0.2.1:5080;transport=tcp"), "tcp 192.0.2.1:5080");
    EXPECT_EQ(hops("sip:192.0.2.1;transport=tls"), "tls 192.0.2.1:5061");
    EXPECT_EQ(hops("sips:192.0.2.1"), "tls 192.0.2.1:5061");
    EXPECT_EQ(hops("sips:192.0.2.1;transport=tcp"), "tls 192.0.2.1:5061");
    EXPECT_EQ(hops("sip:bob@[2001:db8::1]:5070"), "udp [2001:db8::1]:5070");
    EXPECT_EQ(hops("sip:example.com;maddr=192.0.2.9"), "udp 192.0.2.9:5060");
    EXPECT_EQ(server.questions, 0);
    EXPECT_FALSE(suspended);
}

TEST_F(LocateServer, TheConfiguredTransportDecidesWhereTheUriDoesNot) {
    EXPECT_EQ(hops("sip:192.0.2.1", {.preferred = Transport::tls}), "tls 192.0.2.1:5061");
    EXPECT_EQ(hops("sip:192.0.2.1;transport=udp", {.preferred = Transport::tls}),
              "udp 192.0.2.1:5060");
}

TEST_F(LocateServer, FollowsTheExampleOfTheRfc) {
    // RFC 3263 section 4.1: TLS before TCP before UDP by NAPTR, then SRV, then addresses.
    naptr("example.com", 50, "SIPS+D2T", "_sips._tcp.example.com");
    naptr("example.com", 90, "SIP+D2T", "_sip._tcp.example.com");
    naptr("example.com", 100, "SIP+D2U", "_sip._udp.example.com");
    srv("_sip._tcp.example.com", 0, 5060, "server1.example.com");
    srv("_sip._tcp.example.com", 1, 5062, "server2.example.com");
    srv("_sip._udp.example.com", 0, 5060, "server2.example.com");
    a("server1.example.com", {192, 0, 2, 1});
    a("server2.example.com", {192, 0, 2, 2});
    EXPECT_EQ(hops("sip:user@example.com", {.tls = false}),
              "tcp 192.0.2.1:5060, tcp 192.0.2.2:5062, udp 192.0.2.2:5060");
    EXPECT_EQ(hops("sip:user@example.com;transport=udp"), "udp 192.0.2.2:5060");
}

TEST_F(LocateServer, WithoutNaptrTheFirstTransportThatHasSrvIsTaken) {
    srv("_sip._tcp.example.com", 0, 5090, "server1.example.com");
    a("server1.example.com", {192, 0, 2, 1});
    EXPECT_EQ(hops("sip:example.com"), "tcp 192.0.2.1:5090");
    EXPECT_EQ(hops("sip:example.com", {.udp = true, .tcp = false, .tls = false}),
              "cannot find 'example.com': the name has neither SRV records nor an address");
}

TEST_F(LocateServer, WithoutSrvTheNamesOwnAddressesAreTaken) {
    a("pbx.example.com", {192, 0, 2, 5});
    server.zone.insert(
        {"pbx.example.com",
         {type_aaaa, 60, std::string("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x05", 16)}});
    EXPECT_EQ(hops("sip:pbx.example.com"), "udp 192.0.2.5:5060, udp [2001:db8::5]:5060");
    EXPECT_EQ(hops("sips:pbx.example.com"), "tls 192.0.2.5:5061, tls [2001:db8::5]:5061");
}

TEST_F(LocateServer, APortInTheUriSkipsNaptrAndSrv) {
    srv("_sip._udp.example.com", 0, 5090, "elsewhere.example.com");
    a("elsewhere.example.com", {192, 0, 2, 9});
    a("example.com", {192, 0, 2, 1});
    EXPECT_EQ(hops("sip:example.com:5060"), "udp 192.0.2.1:5060");
}

TEST_F(LocateServer, GivesTheServersOfHigherPriorityFirst) {
    srv("_sip._udp.example.com", 20, 5060, "backup.example.com");
    srv("_sip._udp.example.com", 10, 5060, "main.example.com");
    srv("_sip._udp.example.com", 30, 5060, "gone.example.com");
    a("main.example.com", {192, 0, 2, 1});
    a("backup.example.com", {192, 0, 2, 2});
    EXPECT_EQ(hops("sip:example.com"), "udp 192.0.2.1:5060, udp 192.0.2.2:5060");
}

TEST_F(LocateServer, SaysWhetherTheNameIsWrongOrDnsIsSilent) {
    EXPECT_EQ(hops("sip:nowhere.example.com:5060"),
              "cannot find 'nowhere.example.com': the name has no address");
    server.silent = true;
    const auto silent = locate("sip:quiet.example.com");
    ASSERT_FALSE(silent);
    EXPECT_EQ(silent.error().code(), io::Resolver::temporary);
    EXPECT_TRUE(
        silent.error().text().starts_with("cannot find 'quiet.example.com': no answer from DNS"))
        << silent.error().text();
}

TEST_F(LocateServer, RefusesUrisThatNameNoServer) {
    EXPECT_FALSE(locate("tel:+4612345"));
    EXPECT_FALSE(locate("sip:"));
    EXPECT_EQ(
        hops("sip:example.com;transport=carrier-pigeon"),
        "'sip:example.com;transport=carrier-pigeon': transport 'carrier-pigeon' is not known here");
    EXPECT_EQ(hops("sips:example.com;transport=udp"),
              "'sips:example.com;transport=udp': sips cannot go over udp");
    EXPECT_EQ(server.questions, 0);
}

TEST_F(LocateServer, AGenerousAnswerIsCut) {
    for (std::uint8_t i = 0; i < 25; ++i) a("many.example.com", {192, 0, 2, i});
    const auto found = locate("sip:many.example.com:5060");
    ASSERT_TRUE(found);
    EXPECT_EQ(found->size(), max_hops);
}

}  // namespace
}  // namespace strowger::pbx
