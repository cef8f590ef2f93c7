#include "pbx/presence.hpp"

#include "pbx/state_document.hpp"
#include "pbx/test_parts.hpp"

namespace strowger::pbx {
namespace {

using namespace std::chrono_literals;
using sip::HeaderId;

const char* const pjsip =
    "[alice]\ntype=endpoint\naors=alice\ncontext=internal\n[alice]\ntype=aor\nmax_contacts="
    "1\nmailboxes=100@default\n"
    "[bob]\ntype=endpoint\naors=bob\n[bob]\ntype=aor\ncontact=sip:127.0.0.1:5071\n"
    "[silent]\ntype=endpoint\ncontext=internal\nallow_subscribe=no\n";
const char* const extensions =
    "[internal]\nexten => 200,hint,PJSIP/bob\nexten => 300,hint,Custom:lamp\n";

/// An exchange that takes SUBSCRIBEs, and a phone that sends them and answers NOTIFYs.
struct PresenceTest : testing::Test {
    Parts parts{pjsip, extensions};
    Hints hints{*parts.core};
    Presence presence{*parts.core, hints};
    Peer phone{parts, Peer::always(200)};
    std::vector<sip::ReceivedPtr> responses;
    std::string endpoint = "alice";
    std::uint32_t cseq = 0;
    std::string call_id = "sub1@phone";

    void SetUp() override {
        hints.configure();
        parts.signalling.on_request([this](const sip::TransactionEvent& event) {
            const auto* received = std::get_if<sip::RequestReceived>(&event);
            if (!received) return;
            if (!received->request->message().to_tag().empty()) {
                if (!presence.handle(event)) {
                    parts.signalling.layer().respond_stateless(
                        received->transaction, Peer::reply(received->request->message(), 481));
                    parts.signalling.touch();
                }
                return;
            }
            const auto config = parts.core->config;
            presence.subscribe(*received, std::shared_ptr<const config::Endpoint>(
                                              config, config->endpoints.find(endpoint)));
        });
        owner = phone.signalling.attach([this](const sip::TransactionEvent& event) {
            if (const auto* response = std::get_if<sip::ResponseReceived>(&event))
                responses.push_back(response->response);
        });
    }

    /// The final response to a SUBSCRIBE with those header lines.
    int subscribe(std::string_view exten, std::string_view lines, std::string_view to_tag = {}) {
        const auto before = responses.size();
        const auto server = parts.address().text();
        const auto text = fmt::format(
            "SUBSCRIBE sip:{0}@{1} SIP/2.0\r\nMax-Forwards: 70\r\nFrom: "
            "<sip:alice@{1}>;tag=phone\r\nTo: <sip:{0}@{1}>{2}\r\n"
            "Call-ID: {3}\r\nCSeq: {4} SUBSCRIBE\r\nContact: <sip:alice@{5}>\r\n{6}Content-Length: "
            "0\r\n\r\n",
            exten, server, to_tag.empty() ? "" : fmt::format(";tag={}", to_tag), call_id, ++cseq,
            phone.address().text(), lines);
        auto flow = phone.signalling.flow_to(sip::Transport::udp, parts.address());
        EXPECT_TRUE(phone.signalling.layer().send_request(text, *flow, parts.loop.now(), owner));
        phone.signalling.touch();
        EXPECT_TRUE(parts.until([&] { return responses.size() > before; }));
        return responses.back()->message().status();
    }
    bool notified(std::size_t times) {
        return parts.until([&] { return phone.requests.size() >= times; }, 2s);
    }
    std::string body() const { return std::string(phone.last().body()); }
    sip::OwnerTag owner = 0;
};

TEST_F(PresenceTest, ADialogSubscriptionGetsTheStateAtOnceAndOnEachChange) {
    ASSERT_EQ(subscribe("200", "Event: dialog\r\nExpires: 600\r\n"), 200);
    EXPECT_EQ(*responses.back()->message().header(HeaderId::expires), "600");
    ASSERT_TRUE(notified(1));
    const auto& first = phone.last();
    EXPECT_EQ(first.method(), sip::Method::notify);
    EXPECT_EQ(*first.header(HeaderId::event), "dialog");
    EXPECT_TRUE(first.header(HeaderId::subscription_state)->starts_with("active;expires="));
    EXPECT_EQ(*first.header(HeaderId::content_type), "application/dialog-info+xml");
    EXPECT_EQ(body(), dialog_info("sip:200@" + parts.address().text(), DeviceState::not_inuse, 0));

    parts.location.find("bob")->front().reach = Contact::Reach::unreachable;
    hints.touch("PJSIP/bob");
    parts.store.put(custom_state_family, "lamp", "INUSE");  // another extension's: no NOTIFY for us
    hints.touch("Custom:lamp");
    parts.pause(50ms);
    ASSERT_EQ(phone.requests.size(), 2u);
    EXPECT_EQ(body(),
              dialog_info("sip:200@" + parts.address().text(), DeviceState::unavailable, 1));
}

TEST_F(PresenceTest, PresenceIsSentAsThePhoneAccepts) {
    ASSERT_EQ(subscribe("300", "Event: presence\r\n"), 200);
    ASSERT_TRUE(notified(1));
    EXPECT_EQ(*phone.last().header(HeaderId::content_type), "application/pidf+xml");
    call_id = "sub2@phone";
    ASSERT_EQ(subscribe("300", "Event: presence\r\nAccept: application/xpidf+xml\r\n"), 200);
    ASSERT_TRUE(notified(2));
    EXPECT_EQ(*phone.last().header(HeaderId::content_type), "application/xpidf+xml");
    call_id = "sub3@phone";
    EXPECT_EQ(subscribe("300", "Event: presence\r\nAccept: text/plain\r\n"), 406);
}

TEST_F(PresenceTest, RefusesWhatItDoesNotHaveOrMayNotGive) {
    EXPECT_EQ(subscribe("999", "Event: dialog\r\n"), 404);
    EXPECT_EQ(subscribe("200", "Event: call-info\r\n"), 489);
    EXPECT_EQ(*responses.back()->message().header(HeaderId::allow_events),
              "dialog, presence, message-summary");
    EXPECT_EQ(subscribe("200", ""), 489);
    EXPECT_EQ(subscribe("200", "Event: dialog\r\nExpires: 10\r\n"), 423);
    EXPECT_EQ(*responses.back()->message().header("Min-Expires"), "60");
    endpoint = "silent";
    EXPECT_EQ(subscribe("200", "Event: dialog\r\n"), 603);
    EXPECT_EQ(presence.size(), 0u);
    parts.pause(50ms);
    EXPECT_TRUE(phone.requests.empty());
}

TEST_F(PresenceTest, ARefreshIsFollowedByTheStateAndAnUnsubscribeByTheLastNotify) {
    ASSERT_EQ(subscribe("200", "Event: dialog\r\nExpires: 600\r\n"), 200);
    const std::string tag(responses.back()->message().to_tag());
    ASSERT_TRUE(notified(1));
    ASSERT_EQ(subscribe("200", "Event: dialog\r\nExpires: 600\r\n", tag), 200);
    ASSERT_TRUE(notified(2));
    EXPECT_NE(body().find("version=\"1\""), std::string::npos);
    ASSERT_EQ(subscribe("200", "Event: dialog\r\nExpires: 0\r\n", tag), 200);
    ASSERT_TRUE(notified(3));
    EXPECT_TRUE(phone.last().header(HeaderId::subscription_state)->starts_with("terminated"));
    ASSERT_TRUE(parts.until([&] { return presence.size() == 0; }));
    EXPECT_EQ(subscribe("200", "Event: dialog\r\n", tag), 481);
}

TEST_F(PresenceTest, ExpiresZeroAsksOnce) {
    ASSERT_EQ(subscribe("200", "Event: dialog\r\nExpires: 0\r\n"), 200);
    ASSERT_TRUE(notified(1));
    EXPECT_TRUE(phone.last().header(HeaderId::subscription_state)->starts_with("terminated"));
    EXPECT_NE(body().find("<state>terminated</state>"), std::string::npos);
    EXPECT_TRUE(parts.until([&] { return presence.size() == 0; }));
}

TEST_F(PresenceTest, APhoneThatForgotTheSubscriptionIsNotNotifiedAgain) {
    ASSERT_EQ(subscribe("300", "Event: dialog\r\n"), 200);
    ASSERT_TRUE(notified(1));
    phone.answer = Peer::always(481);
    for (const auto* state : {"INUSE", "RINGING"}) {
        parts.store.put(custom_state_family, "lamp", state);
        hints.touch("Custom:lamp");
        parts.pause(50ms);
    }
    EXPECT_EQ(phone.requests.size(), 2u);
    EXPECT_EQ(presence.size(), 0u);
}

TEST_F(PresenceTest, AReloadThatTakesTheHintAwayEndsTheSubscription) {
    ASSERT_EQ(subscribe("300", "Event: dialog\r\n"), 200);
    ASSERT_TRUE(notified(1));
    parts.load(pjsip, "[internal]\nexten => 200,hint,PJSIP/bob\n");
    hints.configure();
    ASSERT_TRUE(notified(2));
    EXPECT_EQ(*phone.last().header(HeaderId::subscription_state), "terminated;reason=noresource");
}

TEST_F(PresenceTest, AMailboxIsSummedUpForTheEndpointThatHasIt) {
    presence.set_mailboxes([](std::string_view mailbox) {
        return mailbox == "100@default" ? MailboxCount{2, 5} : MailboxCount{};
    });
    ASSERT_EQ(subscribe("alice", "Event: message-summary\r\n"), 200);
    ASSERT_TRUE(notified(1));
    EXPECT_EQ(
        body(),
        fmt::format(
            "Messages-Waiting: yes\r\nMessage-Account: sip:alice@{}\r\nVoice-Message: 2/5\r\n",
            parts.address().text()));
    presence.mailbox_changed("100@default");
    EXPECT_TRUE(notified(2));
    call_id = "sub2@phone";
    EXPECT_EQ(subscribe("bob", "Event: message-summary\r\n"), 404);  // not alice's
}

TEST(StateDocument, DialogInfoIsAsTheRfcHasIt) {
    EXPECT_EQ(
        dialog_info("sip:200@example.com", DeviceState::ringing, 7),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"7\" state=\"full\" "
        "entity=\"sip:200@example.com\">\n"
        " <dialog id=\"200\" direction=\"recipient\">\n  <state>early</state>\n "
        "</dialog>\n</dialog-info>\n");
    for (const auto state :
         {DeviceState::inuse, DeviceState::busy, DeviceState::ringinuse, DeviceState::onhold})
        EXPECT_NE(dialog_info("sip:200@example.com", state, 0).find("<state>confirmed</state>"),
                  std::string::npos);
    for (const auto state : {DeviceState::not_inuse, DeviceState::unavailable, DeviceState::unknown,
                             DeviceState::invalid})
        EXPECT_NE(dialog_info("sip:200@example.com", state, 0).find("<state>terminated</state>"),
                  std::string::npos);
}

TEST(StateDocument, PidfSaysWhatThePersonSays) {
    const auto away =
        pidf("sip:200@example.com", DeviceState::inuse, {"away", "lunch", "Back at <two>"});
    EXPECT_NE(away.find(" <dm:person id=\"person\">\n"
                        "  <rpid:activities><rpid:on-the-phone/><rpid:away/></rpid:activities>\n"
                        "  <dm:note>lunch</dm:note>\n  <dm:note>Back at &lt;two&gt;</dm:note>\n"
                        " </dm:person>\n"),
              std::string::npos)
        << away;
    EXPECT_EQ(pidf("sip:200@example.com", DeviceState::not_inuse).find("dm:person id"),
              std::string::npos);
}

TEST(StateDocument, WhatWasSubscribedToCannotBreakOutOfTheXml) {
    const std::string_view hostile = "sip:\"/><evil a='1'>&\x01@example.com";
    EXPECT_EQ(xml_escape(hostile), "sip:&quot;/&gt;&lt;evil a=&apos;1&apos;&gt;&amp;?@example.com");
    for (const auto& document :
         {dialog_info(hostile, DeviceState::onhold, 0), pidf(hostile, DeviceState::inuse),
          xpidf(hostile, DeviceState::inuse)})
        EXPECT_EQ(document.find("<evil"), std::string::npos) << document;
}

}  // namespace
}  // namespace strowger::pbx
