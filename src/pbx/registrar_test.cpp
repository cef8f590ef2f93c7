#include "pbx/registrar.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "wire/sip/received.hpp"

namespace strowger::pbx {
namespace {

using namespace std::chrono_literals;

constexpr Time start{};
// Sat, 13 Nov 2010 23:29:00 GMT, the example of RFC 3261 section 20.17.
constexpr WallTime calendar{std::chrono::sys_seconds{std::chrono::seconds{1289690940}}};
const std::string date = "Date: Sat, 13 Nov 2010 23:29:00 GMT\r\n";

/// An aor with its registrar, and a phone at 203.0.113.5:40000 that registers there.
struct Registry {
    Location location;
    Registrar registrar{location};
    RegistrationPolicy policy{.max_contacts = 2};
    sip::Flow flow{sip::Transport::udp, *SocketAddress::parse("192.0.2.1:5060"),
                   *SocketAddress::parse("203.0.113.5:40000"), 3};
    Time now = start;
    std::string call_id = "a84b4c76e66710";
    std::uint32_t cseq = 1;

    /// `lines` are the headers that matter, each with CRLF.
    Registrar::Reply register_with(std::string_view lines) {
        const auto text = fmt::format(
            "REGISTER sip:example.com SIP/2.0\r\n"
            "Via: SIP/2.0/UDP 10.0.0.5:5060;branch=z9hG4bKnashds7\r\n"
            "From: <sip:alice@example.com>;tag=456248\r\nTo: <sip:alice@example.com>\r\n"
            "Call-ID: {}\r\nCSeq: {} REGISTER\r\nMax-Forwards: 70\r\n{}Content-Length: 0\r\n\r\n",
            call_id, cseq, lines);
        ++cseq;
        const auto request = sip::Received::parse(text, flow, now, false);
        EXPECT_TRUE(request) << text;
        if (!request) return {0, {}, false};
        return registrar.process((*request)->message(), "alice", policy, flow, now,
                                 calendar + (now - start));
    }

    std::vector<std::string> bound() const {
        std::vector<std::string> uris;
        for (const auto& contact : location.contacts("alice")) uris.push_back(contact.uri);
        return uris;
    }
};

using Uris = std::vector<std::string>;

TEST(Registrar, AnswersWithTheContactItsExpiryAndTheDate) {
    Registry r;
    const auto reply = r.register_with("Contact: <sip:alice@10.0.0.5:5060>\r\nExpires: 600\r\n");
    EXPECT_EQ(reply.status, 200);
    EXPECT_TRUE(reply.changed);
    EXPECT_EQ(reply.headers,
              "Contact: <sip:alice@10.0.0.5:5060>;expires=600\r\nExpires: 600\r\n" + date);
    EXPECT_EQ(r.location.contacts("alice").front().expires, start + 600s);
}

TEST(Registrar, ListsEveryCurrentContactWithTheTimeItHasLeft) {
    Registry r;
    r.register_with("Contact: <sip:alice@10.0.0.5:5060>\r\nExpires: 600\r\n");
    r.now += 100s;
    r.call_id = "other";
    const auto reply = r.register_with("Contact: <sip:alice@10.0.0.6>;expires=300\r\n");
    EXPECT_EQ(reply.headers,
              "Contact: <sip:alice@10.0.0.5:5060>;expires=500\r\nContact: "
              "<sip:alice@10.0.0.6>;expires=300\r\nExpires: 300\r\n"
              "Date: Sat, 13 Nov 2010 23:30:40 GMT\r\n");
}

TEST(Registrar, RaisesAndLowersTheExpirySilently) {
    Registry r;
    EXPECT_NE(r.register_with("Contact: <sip:a@10.0.0.5>\r\nExpires: 5\r\n")
                  .headers.find(";expires=60\r\n"),
              std::string::npos);
    EXPECT_NE(r.register_with("Contact: <sip:a@10.0.0.5>\r\nExpires: 999999\r\n")
                  .headers.find(";expires=7200\r\n"),
              std::string::npos);
    EXPECT_NE(r.register_with("Contact: <sip:a@10.0.0.5>\r\n").headers.find(";expires=3600\r\n"),
              std::string::npos);
}

TEST(Registrar, TheContactsOwnExpiresOutranksTheHeader) {
    Registry r;
    const auto reply = r.register_with("Contact: <sip:a@10.0.0.5>;expires=120\r\nExpires: 600\r\n");
    EXPECT_EQ(reply.headers, "Contact: <sip:a@10.0.0.5>;expires=120\r\nExpires: 120\r\n" + date);
}

TEST(Registrar, WithoutAContactItOnlyAnswersWhatIsThere) {
    Registry r;
    EXPECT_EQ(r.register_with("").headers, date);
    r.register_with("Contact: <sip:a@10.0.0.5>;expires=120\r\n");
    const auto reply = r.register_with("");
    EXPECT_EQ(reply.headers, "Contact: <sip:a@10.0.0.5>;expires=120\r\n" + date);
    EXPECT_FALSE(reply.changed);
}

TEST(Registrar, ExpiresZeroRemovesOneContact) {
    Registry r;
    r.register_with("Contact: <sip:a@10.0.0.5>, <sip:a@10.0.0.6>\r\n");
    const auto reply = r.register_with("Contact: <sip:a@10.0.0.5>;expires=0\r\n");
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(r.bound(), Uris{"sip:a@10.0.0.6"});
}

TEST(Registrar, TheStarRemovesAllOfThemButStaticOnes) {
    Registry r;
    Contact configured;
    configured.uri = "sip:192.0.2.77";
    configured.is_static = true;
    r.location.bind("alice", std::move(configured));
    r.register_with("Contact: <sip:a@10.0.0.5>, <sip:a@10.0.0.6>\r\n");
    EXPECT_EQ(r.register_with("Contact: *\r\nExpires: 0\r\n").status, 200);
    EXPECT_EQ(r.bound(), Uris{"sip:192.0.2.77"});
}

TEST(Registrar, TheStarNeedsExpiresZeroAndNoOtherContact) {
    Registry r;
    r.register_with("Contact: <sip:a@10.0.0.5>\r\n");
    EXPECT_EQ(r.register_with("Contact: *\r\n").status, 400);
    EXPECT_EQ(r.register_with("Contact: *\r\nExpires: 60\r\n").status, 400);
    EXPECT_EQ(r.register_with("Contact: *\r\nContact: <sip:a@10.0.0.6>\r\nExpires: 0\r\n").status,
              400);
    EXPECT_EQ(r.bound(), Uris{"sip:a@10.0.0.5"});
}

TEST(Registrar, RefusesAnAorThatTakesNoRegistrations) {
    Registry r;
    r.policy.max_contacts = 0;
    EXPECT_EQ(r.register_with("Contact: <sip:a@10.0.0.5>\r\n").status, 403);
    EXPECT_TRUE(r.bound().empty());
}

TEST(Registrar, RefusesOneContactTooManyAndChangesNothing) {
    Registry r;
    r.register_with("Contact: <sip:a@10.0.0.5>, <sip:a@10.0.0.6>\r\n");
    EXPECT_EQ(r.register_with("Contact: <sip:a@10.0.0.7>\r\n").status, 403);
    EXPECT_EQ(r.bound(), (Uris{"sip:a@10.0.0.5", "sip:a@10.0.0.6"}));
    // A refresh of one that is there is none too many.
    EXPECT_EQ(r.register_with("Contact: <sip:a@10.0.0.6>\r\n").status, 200);
}

TEST(Registrar, RemoveExistingDropsWhatExpiresSoonest) {
    Registry r;
    r.policy.remove_existing = true;
    r.register_with("Contact: <sip:a@10.0.0.5>;expires=600, <sip:a@10.0.0.6>;expires=300\r\n");
    EXPECT_EQ(r.register_with("Contact: <sip:a@10.0.0.7>\r\n").status, 200);
    EXPECT_EQ(r.bound(), (Uris{"sip:a@10.0.0.5", "sip:a@10.0.0.7"}));
    EXPECT_EQ(
        r.register_with("Contact: <sip:a@1.1.1.1>, <sip:a@1.1.1.2>, <sip:a@1.1.1.3>\r\n").status,
        403);
}

TEST(Registrar, RemoveUnavailableDropsOnlyWhatDoesNotAnswer) {
    Registry r;
    r.policy.remove_unavailable = true;
    r.register_with("Contact: <sip:a@10.0.0.5>;expires=600, <sip:a@10.0.0.6>;expires=300\r\n");
    EXPECT_EQ(r.register_with("Contact: <sip:a@10.0.0.7>\r\n").status, 403);
    r.location.find("alice")->front().reach = Contact::Reach::unreachable;
    EXPECT_EQ(r.register_with("Contact: <sip:a@10.0.0.7>\r\n").status, 200);
    EXPECT_EQ(r.bound(), (Uris{"sip:a@10.0.0.6", "sip:a@10.0.0.7"}));
}

TEST(Registrar, OneRequestMayExchangeAContactForAnother) {
    Registry r;
    r.policy.max_contacts = 1;
    r.register_with("Contact: <sip:a@10.0.0.5>\r\n");
    EXPECT_EQ(r.register_with("Contact: <sip:a@10.0.0.5>;expires=0, <sip:a@10.0.0.6>\r\n").status,
              200);
    EXPECT_EQ(r.bound(), Uris{"sip:a@10.0.0.6"});
}

TEST(Registrar, RefusesWhatIsOlderThanWhatItHasAndAllOfIt) {
    Registry r;
    r.cseq = 10;
    r.register_with("Contact: <sip:a@10.0.0.5>\r\n");
    r.cseq = 9;
    EXPECT_EQ(r.register_with("Contact: <sip:a@10.0.0.6>, <sip:a@10.0.0.5>;expires=0\r\n").status,
              500);
    r.cseq = 9;
    EXPECT_EQ(r.register_with("Contact: *\r\nExpires: 0\r\n").status, 500);
    EXPECT_EQ(r.bound(), Uris{"sip:a@10.0.0.5"});
    // Another registration (the phone restarted) counts anew.
    r.cseq = 1;
    r.call_id = "restarted";
    EXPECT_EQ(r.register_with("Contact: <sip:a@10.0.0.5>\r\n").status, 200);
}

TEST(Registrar, AnswersACopyOfARequestLikeTheFirst) {
    Registry r;
    const auto first = r.register_with("Contact: <sip:a@10.0.0.5>\r\n");
    r.cseq = 1;
    const auto copy = r.register_with("Contact: <sip:a@10.0.0.5>\r\n");
    EXPECT_EQ(copy.status, 200);
    EXPECT_EQ(copy.headers, first.headers);
}

TEST(Registrar, ComparesUrisByTheRulesOfTheRfc) {
    Registry r;
    r.register_with("Contact: <sip:%61lice@EXAMPLE.com;Transport=udp>\r\n");
    EXPECT_EQ(r.register_with("Contact: <sip:alice@example.com;transport=UDP>\r\n").status, 200);
    EXPECT_EQ(r.bound(), Uris{"sip:alice@example.com;transport=UDP"});
}

TEST(Registrar, APhoneThatMovedTakesThePlaceOfItsOldFlow) {
    Registry r;
    r.policy.max_contacts = 1;
    const std::string instance =
        ";+sip.instance=\"<urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF>\"";
    r.register_with("Contact: <sip:a@10.0.0.5>;reg-id=1" + instance + "\r\n");
    r.call_id = "moved";
    EXPECT_EQ(r.register_with("Contact: <sip:a@10.9.9.9>;reg-id=1" + instance + "\r\n").status,
              200);
    EXPECT_EQ(r.bound(), Uris{"sip:a@10.9.9.9"});
    EXPECT_EQ(r.register_with("Contact: <sip:a@10.9.9.8>;reg-id=2" + instance + "\r\n").status,
              403);
}

TEST(Registrar, RewriteContactStoresWhereThePacketCameFrom) {
    Registry r;
    r.policy.rewrite_contact = true;
    r.register_with("Contact: <sip:alice@10.0.0.5:5060;ob;transport=UDP>\r\n");
    EXPECT_EQ(r.bound(), Uris{"sip:alice@203.0.113.5:40000;ob;transport=udp"});
    // And finds it again, to refresh and to remove it.
    EXPECT_EQ(
        r.register_with("Contact: <sip:alice@10.0.0.5:5060;ob;transport=UDP>;expires=0\r\n").status,
        200);
    EXPECT_TRUE(r.bound().empty());
}

TEST(Registrar, RewriteContactNamesTheTransportThatWasUsed) {
    sip::Flow flow;
    flow.transport = sip::Transport::wss;
    flow.remote = *SocketAddress::parse("[2001:db8::7]:51000");
    EXPECT_EQ(rewritten_contact("sip:0aqk@df7jal23ls0d.invalid;transport=ws", flow),
              "sip:0aqk@[2001:db8::7]:51000;transport=wss");
    EXPECT_EQ(rewritten_contact("tel:+4612345", flow), "tel:+4612345");
}

TEST(Registrar, KeepsAndReturnsThePathOnlyWhenAsked) {
    Registry r;
    const std::string lines =
        "Contact: <sip:a@10.0.0.5>\r\nPath: <sip:p1.example.com;lr>, <sip:p2.example.com;lr>\r\n";
    EXPECT_EQ(r.register_with(lines).headers.find("Path:"), std::string::npos);
    EXPECT_TRUE(r.location.contacts("alice").front().path.empty());
    r.policy.support_path = true;
    EXPECT_NE(r.register_with(lines).headers.find(
                  "Path: <sip:p1.example.com;lr>\r\nPath: <sip:p2.example.com;lr>\r\n"),
              std::string::npos);
    EXPECT_EQ(r.location.contacts("alice").front().path,
              (Uris{"<sip:p1.example.com;lr>", "<sip:p2.example.com;lr>"}));
}

TEST(Registrar, RefusesContactsThatTheAccessListForbids) {
    Registry r;
    config::AccessRules rules;
    rules.rules.push_back({false, *Cidr::parse("0.0.0.0/0")});
    rules.rules.push_back({true, *Cidr::parse("10.0.0.0/8")});
    r.policy.contact_access.push_back(&rules);
    EXPECT_EQ(r.register_with("Contact: <sip:a@192.0.2.9>\r\n").status, 403);
    EXPECT_EQ(r.register_with("Contact: <sip:a@10.0.0.5>\r\n").status, 200);
}

TEST(Registrar, RefusesContactsThatNobodyCouldSendTo) {
    Registry r;
    EXPECT_EQ(r.register_with("Contact: <tel:+4612345>\r\n").status, 400);
    EXPECT_EQ(r.register_with("Contact: <sip:" + std::string(600, 'a') + "@10.0.0.5>\r\n").status,
              400);
    std::string many = "Contact: <sip:a0@10.0.0.5>";
    for (int i = 1; i <= 10; ++i) many += fmt::format(", <sip:a{}@10.0.0.5>", i);
    EXPECT_EQ(r.register_with(many + "\r\n").status, 400);
    EXPECT_TRUE(r.bound().empty());
}

TEST(Registrar, WritesFoldedHeadersOnOneLine) {
    Registry r;
    r.policy.support_path = true;
    const auto reply =
        r.register_with("Contact: <sip:a@10.0.0.5>\r\nPath: <sip:p1.example.com;lr>;\r\n x=1\r\n");
    EXPECT_NE(reply.headers.find("Path: <sip:p1.example.com;lr>;   x=1\r\n"), std::string::npos)
        << reply.headers;
}

TEST(Registrar, NotesWhatQualifyAndListingsNeed) {
    Registry r;
    r.policy.qualify_frequency = 60s;
    r.register_with("Contact: <sip:a@10.0.0.5>\r\nUser-Agent: Phone/1.0\r\n");
    const auto& contact = r.location.contacts("alice").front();
    EXPECT_EQ(contact.reach, Contact::Reach::unknown);
    EXPECT_EQ(contact.user_agent, "Phone/1.0");
    EXPECT_EQ(contact.flow, r.flow);
    EXPECT_TRUE(contact.available());
}

}  // namespace
}  // namespace strowger::pbx
