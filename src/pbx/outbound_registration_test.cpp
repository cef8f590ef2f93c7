#include "pbx/outbound_registration.hpp"

#include "pbx/test_parts.hpp"
#include "wire/sip/auth.hpp"
#include "wire/sip/digest.hpp"
#include "wire/sip/uri.hpp"

namespace strowger::pbx {
namespace {

using namespace std::chrono_literals;
using sip::HeaderId;

std::string trunk(std::string_view server_uri, std::string_view more = {}) {
    return fmt::format(
        "[trunk]\ntype=registration\nserver_uri={}\nclient_uri=sip:4612345@example.net\ncontact_"
        "user=4612345\n"
        "outbound_auth=trunk-auth\nmax_random_initial_delay=0\n{}\n"
        "[trunk-auth]\ntype=auth\nusername=4612345\npassword=s3cret\n",
        server_uri, more);
}

/// A registrar that wants digest and knows one password.
struct Provider : Peer {
    explicit Provider(Parts& parts,
                      config::Transport::Protocol protocol = config::Transport::Protocol::udp)
        : Peer(parts, [this](const sip::Message& request) { return decide(request); }, protocol) {}

    std::string password = "s3cret";
    int refuse_with = 0;
    std::string expires = "3600";
    std::string min_expires;

    std::optional<std::string> decide(const sip::Message& request) {
        if (refuse_with != 0) return reply(request, refuse_with);
        const auto header = request.header(HeaderId::authorization);
        if (!header || !is_right(*header))
            return reply(
                request, 401,
                {{"WWW-Authenticate",
                  "Digest realm=\"example.net\", nonce=\"abc\", qop=\"auth\", algorithm=MD5"}});
        if (!min_expires.empty() && *request.header(HeaderId::expires) != min_expires &&
            *request.header(HeaderId::expires) != "0")
            return reply(request, 423, {{"Min-Expires", min_expires}});
        if (*request.header(HeaderId::expires) == "0") return reply(request, 200);
        return reply(request, 200,
                     {{"Contact", "<sip:other@192.0.2.99>;expires=17, " +
                                      std::string(*request.header(HeaderId::contact)) +
                                      ";expires=" + expires}});
    }
    bool is_right(std::string_view header) const {
        const auto credentials = sip::Credentials::parse(header);
        if (!credentials) return false;
        const auto expected =
            sip::response_of(*credentials, "REGISTER", sip::Secret::password(password));
        return expected && std::string_view(*expected) == credentials->response;
    }
};

const OutboundRegistrations::State& only(std::vector<OutboundRegistrations::State>&& states) {
    static OutboundRegistrations::State state;
    state = states.at(0);
    return state;
}

struct Registered {
    Parts& parts;
    OutboundRegistrations registrations{*parts.core};
    explicit Registered(Parts& p) : parts(p) { registrations.configure(); }
    OutboundRegistrations::State state() const { return only(registrations.list()); }
    bool until_status(std::string_view beginning, Duration limit = 5s) {
        return parts.until([&] { return state().status.starts_with(beginning); }, limit);
    }
};

TEST(OutboundRegistration, RegistersWithDigestAndRefreshesTheSameRegistration) {
    Parts parts;
    Provider provider(parts);
    provider.expires = "2";  // raised to the least that we take, 5 s
    parts.load(trunk(provider.uri()));
    Registered r(parts);
    EXPECT_EQ(r.state().status, "Unregistered");
    ASSERT_TRUE(r.until_status("Registered (exp. ")) << r.state().detail;
    EXPECT_TRUE(r.state().registered);
    EXPECT_EQ(r.state().auth, "trunk-auth");
    ASSERT_EQ(provider.requests.size(), 2u);
    const auto& first = provider.requests[0]->message();
    const auto& second = provider.requests[1]->message();
    EXPECT_EQ(first.request_uri(), provider.uri());
    EXPECT_EQ(first.to(), "<sip:4612345@example.net>");
    EXPECT_TRUE(first.from().starts_with("<sip:4612345@example.net>;tag="));
    EXPECT_EQ(*first.header(HeaderId::contact),
              fmt::format("<sip:4612345@{}>", parts.address().text()));
    EXPECT_EQ(*first.header(HeaderId::expires), "3600");
    EXPECT_EQ(second.call_id(), first.call_id());
    EXPECT_EQ(second.from_tag(), first.from_tag());
    EXPECT_EQ(second.cseq(), first.cseq() + 1);

    ASSERT_TRUE(parts.until([&] { return provider.requests.size() >= 4; }, 6s));
    EXPECT_EQ(provider.last().call_id(), first.call_id());
    EXPECT_TRUE(r.state().registered);
}

TEST(OutboundRegistration, AWrongPasswordEndsItAndSaysSo) {
    Parts parts;
    Provider provider(parts);
    provider.password = "another";
    parts.load(trunk(provider.uri()));
    Registered r(parts);
    ASSERT_TRUE(r.until_status("Stopped"));
    EXPECT_EQ(r.state().detail, fmt::format("{} refuses the credentials of 'trunk-auth': wrong "
                                            "user name or password, or the wrong realm; "
                                            "given up after 1 attempt",
                                            provider.address().text()));
    parts.pause(200ms);
    EXPECT_EQ(provider.requests.size(), 2u);  // it does not try until it is banned
    // Once it is mended, the reload alone is enough.
    provider.password = "s3cret2";
    auto text = trunk(provider.uri());
    parts.load(text.replace(text.find("s3cret"), 6, "s3cret2"));
    r.registrations.configure();
    EXPECT_TRUE(r.until_status("Registered"));
}

TEST(OutboundRegistration, AMissingOrForeignCredentialIsNamed) {
    Parts parts;
    Provider provider(parts);
    parts.load(
        fmt::format("[trunk]\ntype=registration\nserver_uri={}\nclient_uri=sip:a@example.net\nmax_"
                    "random_initial_delay=0\n",
                    provider.uri()));
    Registered r(parts);
    ASSERT_TRUE(r.until_status("Stopped"));
    EXPECT_NE(r.state().detail.find(
                  "asks for credentials: no outbound_auth is set (realm 'example.net')"),
              std::string::npos)
        << r.state().detail;
}

TEST(OutboundRegistration, WhileNobodyAnswersItSaysWhomItAsked) {
    Parts parts;
    Peer silent(parts, [](const sip::Message&) { return std::nullopt; });
    parts.load(trunk(silent.uri()));
    Registered r(parts);
    ASSERT_TRUE(parts.until([&] { return !silent.requests.empty(); }));
    EXPECT_EQ(r.state().status, "Unregistered");
    EXPECT_EQ(r.state().detail,
              fmt::format("asked {} (UDP), no answer yet", silent.address().text()));
}

TEST(OutboundRegistration, TriesAgainAfterTheIntervalUntilItsRetriesAreUsedUp) {
    Parts parts;
    Provider provider(parts);
    provider.refuse_with = 480;
    parts.load(trunk(provider.uri(), "retry_interval=1\nmax_retries=1"));
    Registered r(parts);
    ASSERT_TRUE(r.until_status("Rejected"));
    EXPECT_NE(r.state().detail.find("answers 480 Temporarily Unavailable; attempt 2 of 2 in 1 s"),
              std::string::npos)
        << r.state().detail;
    ASSERT_TRUE(r.until_status("Stopped"));
    EXPECT_EQ(provider.requests.size(), 2u);
    EXPECT_NEAR(seconds(provider.requests[1]->at() - provider.requests[0]->at()), 1.0, 0.3);
    // And starts over by hand.
    provider.refuse_with = 0;
    EXPECT_TRUE(r.registrations.register_now("trunk"));
    EXPECT_FALSE(r.registrations.register_now("nobody"));
    EXPECT_TRUE(r.until_status("Registered"));
}

TEST(OutboundRegistration, Forbidden403AndOtherRefusalsHaveTheirOwnIntervals) {
    for (const auto& [status, option] :
         {std::pair{403, "forbidden_retry_interval=1"}, std::pair{404, "fatal_retry_interval=1"}}) {
        Parts parts;
        Provider provider(parts);
        provider.refuse_with = status;
        parts.load(trunk(provider.uri()));
        {
            Registered r(parts);
            ASSERT_TRUE(r.until_status("Stopped")) << status;
        }
        parts.load(trunk(provider.uri(), option));
        Registered r(parts);
        ASSERT_TRUE(r.until_status("Rejected")) << status;
        provider.refuse_with = 0;
        EXPECT_TRUE(r.until_status("Registered")) << status;
    }
}

TEST(OutboundRegistration, AcceptsALongerExpiryWhenTheRegistrarWantsIt) {
    Parts parts;
    Provider provider(parts);
    provider.min_expires = "7200";
    parts.load(trunk(provider.uri(), "expiration=60"));
    Registered r(parts);
    ASSERT_TRUE(r.until_status("Registered")) << r.state().detail;
    EXPECT_EQ(*provider.last().header(HeaderId::expires), "7200");
}

TEST(OutboundRegistration, TakesTheNextServerWhenOneIsUnavailable) {
    Parts parts;
    Provider broken(parts), working(parts);
    broken.refuse_with = 503;
    const auto srv = [&](unsigned priority, const Peer& peer) {
        parts.names.zone.insert({"_sip._udp.example.net",
                                 {33, 60,
                                  io::be16(priority) + io::be16(0) + io::be16(peer.address().port) +
                                      io::name_field("local.example.net")}});
    };
    srv(10, broken);
    srv(20, working);
    parts.names.zone.insert({"local.example.net", {1, 60, std::string{127, 0, 0, 1}}});
    parts.load(trunk("sip:example.net"));
    Registered r(parts);
    ASSERT_TRUE(r.until_status("Registered")) << r.state().detail;
    EXPECT_EQ(broken.requests.size(), 1u);
    EXPECT_EQ(working.requests.size(), 2u);
    EXPECT_EQ(working.last().request_uri(), "sip:example.net");
}

TEST(OutboundRegistration, ANameThatDoesNotResolveIsTheReasonThatIsShown) {
    Parts parts;
    parts.load(trunk("sip:nowhere.example.net"));
    Registered r(parts);
    ASSERT_TRUE(parts.until([&] {
        return r.state().detail.starts_with("cannot find 'nowhere.example.net'");
    })) << r.state().detail;
    EXPECT_FALSE(r.state().registered);
}

TEST(OutboundRegistration, AReloadLeavesAloneWhatDidNotChange) {
    Parts parts;
    Provider provider(parts);
    parts.load(trunk(provider.uri()));
    Registered r(parts);
    ASSERT_TRUE(r.until_status("Registered"));
    const auto sent = provider.requests.size();
    parts.load(trunk(provider.uri()) + "[more]\ntype=auth\nusername=x\npassword=y\n");
    r.registrations.configure();
    parts.pause(100ms);
    EXPECT_TRUE(r.state().registered);
    EXPECT_EQ(provider.requests.size(), sent);
}

TEST(OutboundRegistration, WhatAReloadRemovesIsTakenBack) {
    Parts parts;
    Provider provider(parts);
    parts.load(trunk(provider.uri()));
    Registered r(parts);
    ASSERT_TRUE(r.until_status("Registered"));
    const std::string call_id(provider.last().call_id());
    parts.load("");
    r.registrations.configure();
    EXPECT_TRUE(r.registrations.list().empty());
    EXPECT_FALSE(r.registrations.idle());
    ASSERT_TRUE(parts.until([&] { return r.registrations.idle(); }));
    EXPECT_EQ(*provider.last().header(HeaderId::expires), "0");
    EXPECT_EQ(provider.last().call_id(), call_id);
}

TEST(OutboundRegistration, AtTheEndEverythingIsTakenBack) {
    Parts parts;
    Provider provider(parts);
    parts.load(trunk(provider.uri()));
    Registered r(parts);
    ASSERT_TRUE(r.until_status("Registered"));
    r.registrations.unregister_all();
    ASSERT_TRUE(parts.until([&] { return r.registrations.idle(); }));
    EXPECT_EQ(*provider.last().header(HeaderId::expires), "0");
    EXPECT_TRUE(provider.last().header(HeaderId::authorization));
    EXPECT_EQ(r.state().status, "Stopped");
}

TEST(OutboundRegistration, TheLineTokenInTheContactNamesTheEndpoint) {
    Parts parts;
    Provider provider(parts);
    parts.load(trunk(provider.uri(), "line=yes\nendpoint=provider"));
    Registered r(parts);
    ASSERT_TRUE(r.until_status("Registered"));
    const auto contact = sip::NameAddress::parse(*provider.last().header(HeaderId::contact));
    ASSERT_TRUE(contact);
    const auto token = sip::Uri::parse(contact->uri)->parameter("line");
    ASSERT_TRUE(token);
    EXPECT_EQ(r.registrations.endpoint_of_line(*token), "provider");
    EXPECT_EQ(r.registrations.endpoint_of_line("guess"), "");
    EXPECT_EQ(r.registrations.endpoint_of_line(""), "");
}

TEST(OutboundRegistration, GoesThroughTheOutboundProxy) {
    Parts parts;
    Provider proxy(parts);
    parts.load(
        trunk("sip:registrar.example.net", fmt::format("outbound_proxy={}\\;lr", proxy.uri())));
    Registered r(parts);
    ASSERT_TRUE(r.until_status("Registered")) << r.state().detail;
    EXPECT_EQ(proxy.last().request_uri(), "sip:registrar.example.net");
    EXPECT_EQ(*proxy.last().header(HeaderId::route), fmt::format("<{};lr>", proxy.uri()));
}

TEST(OutboundRegistration, RegistersAgainWhenItsConnectionEnds) {
    Parts parts;
    auto provider = std::make_unique<Provider>(parts, config::Transport::Protocol::tcp);
    const auto address = provider->address();
    parts.load(trunk(fmt::format("sip:{}\\;transport=tcp", address.text()), "retry_interval=1"));
    Registered r(parts);
    ASSERT_TRUE(r.until_status("Registered")) << r.state().detail;
    EXPECT_NE(provider->last().header(HeaderId::contact)->find(";transport=tcp>"),
              std::string_view::npos);
    provider.reset();  // it restarts
    ASSERT_TRUE(r.until_status("Unregistered"));
    EXPECT_NE(r.state().detail.find("connection has ended"), std::string::npos) << r.state().detail;
}

}  // namespace
}  // namespace strowger::pbx
