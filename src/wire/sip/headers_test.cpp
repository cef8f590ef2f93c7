// The small typed headers, each with the example of its RFC and what it must refuse.
#include <gtest/gtest.h>

#include "wire/sip/contact.hpp"
#include "wire/sip/cseq.hpp"
#include "wire/sip/date.hpp"
#include "wire/sip/event.hpp"
#include "wire/sip/reason.hpp"
#include "wire/sip/refer_to.hpp"
#include "wire/sip/replaces.hpp"
#include "wire/sip/session_expires.hpp"
#include "wire/sip/via.hpp"

namespace strowger::sip {
namespace {

TEST(Via, HasItsParts) {
    const auto via = Via::parse(
        "SIP / 2.0 / UDP first.example.com: 4000;ttl=16 ;maddr=224.2.0.1 "
        ";branch=z9hG4bKa7c6a8dlze.1");
    ASSERT_TRUE(via) << via.error().text();  // RFC 3261 section 20.42
    EXPECT_EQ(via->known_transport(), Transport::udp);
    EXPECT_EQ(via->host, "first.example.com");
    EXPECT_EQ(via->port, 4000);
    EXPECT_EQ(via->maddr(), "224.2.0.1");
    EXPECT_EQ(via->branch, "z9hG4bKa7c6a8dlze.1");
    EXPECT_FALSE(via->wants_rport);
    EXPECT_EQ(Via::parse("SIP/2.0/SCTP a")->known_transport(), std::nullopt);
    EXPECT_EQ(Via::parse("SIP/2.0/WSS a;rport=12")->rport(), 12);
}

TEST(Via, RefusesWhatIsNone) {
    for (const auto* text : {"", "SIP/2.0/UDP", "SIP/3.0/UDP a", "HTTP/2.0/UDP a", "SIP/2.0 UDP a",
                             "SIP/2.0/UDP a:", "SIP/2.0/UDP a:70000", "SIP/2.0/UDP a;;",
                             "SIP/2.0/UDP a b", "SIP/2.0/UDP [::1", "SIP/2.0/UDP a;branch=\"x"})
        EXPECT_FALSE(Via::parse(text)) << text;
}

TEST(Contact, HasWhatARegistrarReads) {
    const auto contact = Contact::parse(
        "<sip:callee@192.0.2.1>;+sip.instance=\"<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>\""
        ";reg-id=1;q=0.75;expires=7200");
    ASSERT_TRUE(contact) << contact.error().text();
    EXPECT_EQ(contact->instance, "<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>");
    EXPECT_EQ(contact->reg_id, 1u);
    EXPECT_EQ(contact->q, 750);
    EXPECT_EQ(contact->expires, 7200u);
    EXPECT_TRUE(Contact::parse("*")->wildcard);
}

TEST(Contact, TakesBadExpiryForAnHourAndHugeExpiryForTheLargest) {
    EXPECT_EQ(Contact::parse("<sip:a>;expires=never")->expires, 3600u);
    EXPECT_EQ(Contact::parse("<sip:a>;expires=280297596632815")->expires, 0xffffffffu);
    EXPECT_EQ(Contact::parse("<sip:a>")->expires, std::nullopt);
}

TEST(Contact, RefusesBadPreferencesAndRegIds) {
    for (const auto* q : {"2", "1.001", "0.1234", "-1", "x", "", "."})
        EXPECT_FALSE(Contact::parse(fmt::format("<sip:a>;q={}", q))) << q;
    EXPECT_EQ(Contact::parse("<sip:a>;q=1.000")->q, 1000);
    EXPECT_EQ(Contact::parse("<sip:a>;q=0.5")->q, 500);
    EXPECT_FALSE(Contact::parse("<sip:a>;reg-id=0"));
    EXPECT_FALSE(Contact::parse("<sip:a>;reg-id=4294967296"));
}

TEST(Date, IsTheOneFormOfRfc3261) {
    const auto date = parse_date("Sat, 13 Nov 2010 23:29:00 GMT");
    ASSERT_TRUE(date);
    EXPECT_EQ(date->time_since_epoch().count(), 1289690940);
    EXPECT_EQ(date_text(*date), "Sat, 13 Nov 2010 23:29:00 GMT");
    for (const auto* text : {"", "Sat, 13 Nov 2010 23:29:00 EST", "Sat, 31 Feb 2010 23:29:00 GMT",
                             "Sat, 13 Nov 2010 24:29:00 GMT", "Xxx, 13 Nov 2010 23:29:00 GMT",
                             "Sat, 13 Nov 2010 23-29-00 GMT", "Sat, -3 Nov 2010 23:29:00 GMT"})
        EXPECT_FALSE(parse_date(text)) << text;
}

TEST(Reason, CarriesProtocolCauseAndText) {  // RFC 3326 section 2
    const auto reason = Reason::parse("SIP ;cause=580 ;text=\"Precondition Failure\"");
    ASSERT_TRUE(reason);
    EXPECT_EQ(reason->protocol, "SIP");
    EXPECT_EQ(reason->cause, 580);
    EXPECT_EQ(reason->text, "Precondition Failure");
    EXPECT_EQ(reason->header_text(), "SIP;cause=580;text=\"Precondition Failure\"");
    EXPECT_EQ(Reason::parse("Q.850;cause=16")->cause, 16);
    EXPECT_FALSE(Reason::parse(""));
    EXPECT_FALSE(Reason::parse("SIP cause=1"));
}

TEST(SessionExpires, CarriesIntervalAndRefresher) {
    const auto value = SessionExpires::parse("4000;refresher=uac");
    ASSERT_TRUE(value);
    EXPECT_EQ(value->interval, 4000u);
    EXPECT_EQ(value->refresher, SessionExpires::Refresher::uac);
    EXPECT_EQ(value->text(), "4000;refresher=uac");
    EXPECT_EQ(SessionExpires::parse("90")->text(), "90");
    EXPECT_FALSE(SessionExpires::parse("soon"));
}

TEST(RAck, NamesAReliableResponse) {
    const auto rack = RAck::parse("776656 1 INVITE");
    ASSERT_TRUE(rack);
    EXPECT_EQ(rack->rseq, 776656u);
    EXPECT_EQ(rack->text(), "776656 1 INVITE");
    EXPECT_FALSE(RAck::parse("776656 1"));
    EXPECT_FALSE(RAck::parse("1 INVITE"));
}

TEST(Replaces, NamesADialog) {  // RFC 3891 section 6.1
    const auto replaces =
        Replaces::parse("12345@192.168.118.3;to-tag=12345;from-tag=5FFE-3994;early-only");
    ASSERT_TRUE(replaces);
    EXPECT_EQ(replaces->call_id, "12345@192.168.118.3");
    EXPECT_EQ(replaces->to_tag, "12345");
    EXPECT_EQ(replaces->from_tag, "5FFE-3994");
    EXPECT_TRUE(replaces->early_only);
    EXPECT_EQ(replaces->text(), "12345@192.168.118.3;to-tag=12345;from-tag=5FFE-3994;early-only");
    EXPECT_FALSE(Replaces::parse("x;to-tag=1"));
}

TEST(ReferTo, CarriesTargetMethodAndReplaces) {  // RFC 3515 section 2.1
    const auto refer = ReferTo::parse(
        "<sip:dave@denver.example.org;user=phone;method=INVITE?"
        "Replaces=12345%40192.168.118.3%3Bto-tag%3D12345%3Bfrom-tag%3D5FFE-3994>");
    ASSERT_TRUE(refer) << refer.error().text();
    EXPECT_EQ(refer->method(), "INVITE");
    EXPECT_EQ(refer->target(), "sip:dave@denver.example.org;user=phone");
    ASSERT_TRUE(refer->replaces());
    EXPECT_EQ(*refer->replaces(), "12345@192.168.118.3;to-tag=12345;from-tag=5FFE-3994");
    EXPECT_EQ(ReferTo::parse("<http://example.com>").error().code(), 416);
}

TEST(Event, MatchesByPackageAndId) {
    const auto event = Event::parse("refer;id=93809824");
    ASSERT_TRUE(event);
    EXPECT_EQ(event->package, "refer");
    EXPECT_TRUE(event->matches(*Event::parse("refer ; id=93809824")));
    EXPECT_FALSE(event->matches(*Event::parse("refer")));
    EXPECT_FALSE(Event::parse(";id=1"));
}

TEST(SubscriptionState, CarriesWhyAndHowLong) {
    const auto active = SubscriptionState::parse("active;expires=600");
    ASSERT_TRUE(active);
    EXPECT_EQ(active->state, SubscriptionState::State::active);
    EXPECT_EQ(active->expires, 600u);
    const auto ended = SubscriptionState::parse("Terminated;reason=probation;retry-after=36");
    EXPECT_EQ(ended->state, SubscriptionState::State::terminated);
    EXPECT_EQ(ended->reason, "probation");
    EXPECT_EQ(ended->retry_after, 36u);
}

}  // namespace
}  // namespace strowger::sip
