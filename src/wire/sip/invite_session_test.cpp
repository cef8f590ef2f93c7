#include "wire/sip/invite_session.hpp"

#include <gtest/gtest.h>

#include "wire/sip/test_wire.hpp"

namespace strowger::sip {
namespace {

using namespace std::chrono_literals;
using test::TestWire;
using Ladder = std::vector<std::string>;
using State = InviteSession::State;

const std::string offer_sdp = "v=0\r\no=offer\r\n";
const std::string answer_sdp = "v=0\r\no=answer\r\n";

/// b rings at once and answers after `pick_up`.
void answer_calls(TestWire& wire, int ringing = 180) {
    wire.b.on_call = [&wire, ringing](Time now) {
        if (wire.b.session->done()) return;  // refused by itself
        ASSERT_TRUE(wire.b.session->ring(ringing, "", now));
    };
}

void unreliable(TestWire& wire) {
    for (auto* phone : {&wire.a, &wire.b}) {
        phone->session_config.reliability = InviteSession::Reliability::never;
    }
}

void establish(TestWire& wire) {
    answer_calls(wire);
    wire.a.call(wire.now);
    wire.run_for(1s);
    ASSERT_TRUE(wire.b.session);
    ASSERT_TRUE(wire.b.session->accept(answer_sdp, wire.now));
    wire.run_for(1s);
    ASSERT_EQ(wire.a.session->state(), State::confirmed);
    ASSERT_EQ(wire.b.session->state(), State::confirmed);
    wire.ladder.clear();
    wire.sent.clear();
    wire.a.events.clear();
    wire.b.events.clear();
}

// RFC 3665 section 3.1.
TEST(InviteSession, SetsUpTalksAndHangsUpAsInRfc3665) {
    TestWire wire;
    unreliable(wire);
    answer_calls(wire);
    wire.a.call(wire.now, offer_sdp);
    wire.run_for(3s);
    EXPECT_EQ(wire.b.session->offer(), offer_sdp);
    ASSERT_TRUE(wire.b.session->accept(answer_sdp, wire.now));
    wire.run_for(1s);
    const auto answered = wire.a.all<session::Answered>();
    ASSERT_EQ(answered.size(), 1u);
    EXPECT_EQ(answered[0].sdp, answer_sdp);
    EXPECT_TRUE(wire.b.has<session::Acknowledged>());
    wire.b.session->bye(wire.now, {{"Reason", "Q.850;cause=16"}});
    wire.run_for(1s);
    EXPECT_EQ(wire.ladder,
              (Ladder{"a INVITE", "b 180 INVITE", "b 200 INVITE", "a ACK", "b BYE", "a 200 BYE"}));
    const auto ended = wire.a.all<session::Ended>();
    ASSERT_EQ(ended.size(), 1u);
    EXPECT_EQ(ended[0].cause, session::EndCause::remote_bye);
    EXPECT_EQ((*ended[0].message)->header(HeaderId::reason), "Q.850;cause=16");
    EXPECT_TRUE(wire.a.session->done());
    EXPECT_TRUE(wire.b.session->done());
    EXPECT_EQ(wire.b.session->deadline(), Time::max());
}

TEST(InviteSession, WritesTheAckAndTheByeForTheDialog) {
    TestWire wire;
    unreliable(wire);
    establish(wire);
    wire.a.session->bye(wire.now);
    wire.run_for(1s);
    ASSERT_FALSE(wire.sent.empty());
    const auto bye = Message::parse(wire.sent[0]);
    ASSERT_TRUE(bye);
    EXPECT_EQ(bye->request_uri(), "sip:b@192.0.2.2:5060");  // b's Contact
    EXPECT_EQ(bye->call_id(), "call-1@192.0.2.1");
    EXPECT_EQ(bye->cseq(), 2u);
    EXPECT_EQ(bye->from_tag(), wire.a.session->local_tag());
    EXPECT_EQ(bye->to_tag(), wire.b.session->local_tag());
}

TEST(InviteSession, TheCallLivesThroughLossDuplicationAndReordering) {
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        TestWire wire{Transport::udp, {}, seed};
        wire.loss = 0.25;
        wire.duplication = 0.2;
        wire.jitter = 20;
        if (seed % 2 == 0) unreliable(wire);
        answer_calls(wire, 183);
        wire.a.call(wire.now, offer_sdp);
        wire.run_for(12s);
        if (!wire.b.session) continue;  // five INVITEs in a row were lost
        ASSERT_TRUE(wire.b.session->accept(answer_sdp, wire.now)) << seed;
        wire.run_for(31s);
        if (wire.a.session->state() != State::confirmed) continue;
        EXPECT_EQ(wire.b.session->state(), State::confirmed) << seed;
        EXPECT_EQ(wire.a.all<session::Answered>().size(), 1u) << seed;
        EXPECT_EQ(wire.b.all<session::Acknowledged>().size(),
                  wire.b.session_config.reliability == InviteSession::Reliability::never ? 1u : 2u)
            << seed;
        wire.a.session->bye(wire.now);
        wire.run_for(70s);
        EXPECT_TRUE(wire.a.session->done()) << seed;
        EXPECT_EQ(wire.a.layer.size(), 0u) << seed;
        EXPECT_EQ(wire.b.layer.size(), 0u) << seed;
    }
}

// Section 13.3.1.4: at 0.5, 1.5, 3.5, 7.5, 11.5 ... 31.5 s, and the BYE at 32 s.
TEST(InviteSession, RepeatsA2xxUntilThirtyTwoSecondsAndThenHangsUp) {
    for (const auto transport : {Transport::udp, Transport::tcp}) {
        TestWire wire{transport};
        unreliable(wire);
        wire.drop = [](const std::string& line) { return line == "a ACK"; };
        wire.b.on_call = [&](Time now) { ASSERT_TRUE(wire.b.session->accept(answer_sdp, now)); };
        wire.a.call(wire.now);
        wire.run_for(31900ms);
        EXPECT_EQ(wire.count("b 200 INVITE"), 11u);
        EXPECT_EQ(wire.count("a ACK"), 11u);  // one for each
        EXPECT_EQ(wire.count("b BYE"), 0u);
        wire.run_for(1s);
        EXPECT_EQ(wire.count("b BYE"), 1u);
        ASSERT_EQ(wire.b.all<session::Ended>().size(), 1u);
        EXPECT_EQ(wire.b.all<session::Ended>()[0].cause, session::EndCause::no_ack);
        EXPECT_EQ(wire.a.all<session::Ended>()[0].cause, session::EndCause::remote_bye);
    }
}

TEST(InviteSession, AByeBeforeTheAckWaitsForIt) {
    TestWire wire;
    unreliable(wire);
    wire.b.on_call = [&](Time now) {
        ASSERT_TRUE(wire.b.session->accept(answer_sdp, now));
        wire.b.session->bye(now);
    };
    wire.a.call(wire.now);
    wire.run_for(1s);
    EXPECT_EQ(wire.ladder, (Ladder{"a INVITE", "b 200 INVITE", "a ACK", "b BYE", "a 200 BYE"}));
}

// RFC 3665 section 3.8.
TEST(InviteSession, CancelsAsInRfc3665) {
    TestWire wire;
    unreliable(wire);
    answer_calls(wire);
    wire.a.call(wire.now);
    wire.run_for(1s);
    wire.a.session->cancel({{"Reason", "SIP;cause=200;text=\"Call completed elsewhere\""}},
                           wire.now);
    wire.run_for(1s);
    EXPECT_EQ(wire.ladder, (Ladder{"a INVITE", "b 180 INVITE", "a CANCEL", "b 200 CANCEL",
                                   "b 487 INVITE", "a ACK"}));
    const auto cancelled = wire.b.all<session::Cancelled>();
    ASSERT_EQ(cancelled.size(), 1u);
    EXPECT_EQ((*cancelled[0].cause)->header(HeaderId::reason),
              "SIP;cause=200;text=\"Call completed elsewhere\"");
    ASSERT_EQ(wire.a.all<session::Failed>().size(), 1u);
    EXPECT_EQ(wire.a.all<session::Failed>()[0].status, 487);
    EXPECT_TRUE(wire.a.session->done());
    EXPECT_TRUE(wire.b.session->done());
}

TEST(InviteSession, ACancelWaitsForTheFirstProvisionalResponse) {
    TestWire wire;
    unreliable(wire);
    wire.a.call(wire.now);
    wire.a.session->cancel({}, wire.now);
    wire.run_for(100ms);
    EXPECT_EQ(wire.ladder, Ladder{"a INVITE"});
    wire.run_for(1s);
    EXPECT_EQ(wire.ladder, (Ladder{"a INVITE", "b 100 INVITE", "a CANCEL", "b 200 CANCEL",
                                   "b 487 INVITE", "a ACK"}));
}

TEST(InviteSession, A2xxThatCrossesTheCancelIsHungUp) {
    TestWire wire;
    unreliable(wire);
    answer_calls(wire);
    wire.a.call(wire.now);
    wire.run_for(1s);
    ASSERT_TRUE(wire.b.session->accept(answer_sdp, wire.now));
    wire.a.session->cancel({}, wire.now);
    wire.run_for(1s);
    EXPECT_EQ(wire.count("a ACK"), 1u);
    EXPECT_EQ(wire.count("a BYE"), 1u);
    EXPECT_FALSE(wire.a.has<session::Answered>());
    EXPECT_TRUE(wire.a.has<session::Ended>());
    EXPECT_FALSE(wire.b.has<session::Cancelled>());
    EXPECT_TRUE(wire.b.has<session::Ended>());
}

TEST(InviteSession, ARefusalIsAcknowledgedByTheTransaction) {
    TestWire wire;
    wire.b.on_call = [&](Time now) { ASSERT_TRUE(wire.b.session->reject(486, now)); };
    wire.a.call(wire.now);
    wire.run_for(1s);
    EXPECT_EQ(wire.ladder, (Ladder{"a INVITE", "b 486 INVITE", "a ACK"}));
    const auto failed = wire.a.all<session::Failed>();
    ASSERT_EQ(failed.size(), 1u);
    EXPECT_EQ(failed[0].status, 486);
    EXPECT_EQ(failed[0].reason, "Busy Here");
}

TEST(InviteSession, A3xxBringsItsContacts) {
    TestWire wire;
    wire.b.on_call = [&](Time now) {
        ASSERT_TRUE(wire.b.session->reject(302, now, {{"Contact", "<sip:c@192.0.2.3>"}}));
    };
    wire.a.call(wire.now);
    wire.run_for(1s);
    ASSERT_TRUE(wire.a.has<session::Redirected>());
    EXPECT_EQ((*wire.a.all<session::Redirected>()[0].response)->header(HeaderId::contact),
              "<sip:c@192.0.2.3>");
}

TEST(InviteSession, NobodyThereFailsWith408After32Seconds) {
    TestWire wire;
    wire.loss = 1;
    wire.a.call(wire.now);
    wire.run_for(31s);
    EXPECT_EQ(wire.count("a INVITE"), 6u);  // at 0, 0.5, 1.5, 3.5, 7.5, 15.5 s
    EXPECT_FALSE(wire.a.has<session::Failed>());
    wire.run_for(2s);
    EXPECT_EQ(wire.count("a INVITE"), 7u);  // and 31.5 s
    ASSERT_TRUE(wire.a.has<session::Failed>());
    EXPECT_EQ(wire.a.all<session::Failed>()[0].status, 408);
}

TEST(InviteSession, AnswersAChallengeWithTheNextCSeqAndTheSameCallId) {
    TestWire wire;
    unreliable(wire);
    wire.b.takes_calls = false;
    wire.a.react = [&](const SessionEvent& event, Time now) {
        if (const auto* asked = std::get_if<session::AuthenticationRequired>(&event)) {
            EXPECT_EQ(asked->method, Method::invite);
            EXPECT_EQ(asked->uri, "sip:b@192.0.2.2");
            ASSERT_TRUE(wire.a.session->authenticate(asked->request, HeaderId::proxy_authorization,
                                                     "Digest username=\"a\"", now));
        }
    };
    wire.a.call(wire.now);
    wire.run_for(100ms);
    ASSERT_EQ(wire.b.transaction_events.size(), 1u);
    const auto& invite = std::get<RequestReceived>(wire.b.transaction_events[0]);
    wire.b.layer.respond_stateless(
        invite.transaction,
        Builder::response_to(invite.request->message(), 407, "challenge").finish());
    EXPECT_EQ(wire.b.layer.size(), 0u);
    wire.b.takes_calls = true;
    wire.b.on_call = [&](Time now) { ASSERT_TRUE(wire.b.session->accept(answer_sdp, now)); };
    wire.run_for(1s);
    EXPECT_EQ(wire.ladder,
              (Ladder{"a INVITE", "b 407 INVITE", "a ACK", "a INVITE", "b 200 INVITE", "a ACK"}));
    const auto second = Message::parse(wire.sent[3]);
    EXPECT_EQ(second->cseq(), 2u);
    EXPECT_EQ(second->call_id(), "call-1@192.0.2.1");
    EXPECT_EQ(second->to_tag(), "");
    const auto ack = Message::parse(wire.sent[5]);
    EXPECT_EQ(ack->cseq(), 2u);
    EXPECT_EQ(ack->header(HeaderId::proxy_authorization), "Digest username=\"a\"");
}

TEST(InviteSession, AChallengeThatIsGivenUpIsAFailure) {
    TestWire wire;
    wire.b.on_call = [&](Time now) { ASSERT_TRUE(wire.b.session->reject(401, now)); };
    wire.a.react = [&](const SessionEvent& event, Time now) {
        if (const auto* asked = std::get_if<session::AuthenticationRequired>(&event)) {
            wire.a.session->give_up(asked->request, now);
        }
    };
    wire.a.call(wire.now);
    wire.run_for(1s);
    ASSERT_TRUE(wire.a.has<session::Failed>());
    EXPECT_EQ(wire.a.all<session::Failed>()[0].status, 401);
    EXPECT_TRUE(wire.a.session->done());
}

// Offers and answers.

TEST(InviteSession, TakesADelayedOfferInThe2xxAndAnswersInTheAck) {
    TestWire wire;
    unreliable(wire);
    wire.b.on_call = [&](Time now) {
        EXPECT_EQ(wire.b.session->offer(), "");
        ASSERT_TRUE(wire.b.session->accept(offer_sdp, now));
    };
    wire.a.react = [&](const SessionEvent& event, Time now) {
        if (const auto* answered = std::get_if<session::Answered>(&event)) {
            EXPECT_TRUE(answered->is_offer);
            EXPECT_EQ(answered->sdp, offer_sdp);
            ASSERT_TRUE(wire.a.session->accept_offer(answer_sdp, now));
        }
    };
    wire.a.call(wire.now, "");
    wire.run_for(1s);
    ASSERT_TRUE(wire.b.has<session::OfferAnswered>());
    EXPECT_EQ(wire.b.all<session::OfferAnswered>()[0].sdp, answer_sdp);
    EXPECT_EQ(wire.a.session->state(), State::confirmed);
}

TEST(InviteSession, ReinvitesBothWays) {
    TestWire wire;
    unreliable(wire);
    establish(wire);
    for (auto* phone : {&wire.a, &wire.b}) {
        auto* other = phone == &wire.a ? &wire.b : &wire.a;
        other->react = [&, other](const SessionEvent& event, Time now) {
            if (const auto* reoffer = std::get_if<session::Reoffer>(&event)) {
                EXPECT_EQ(reoffer->sdp, "v=0\r\na=sendonly\r\n");
                ASSERT_TRUE(other->session->accept_offer("v=0\r\na=recvonly\r\n", now));
            }
        };
        wire.ladder.clear();
        ASSERT_TRUE(phone->session->reinvite("v=0\r\na=sendonly\r\n", wire.now));
        wire.run_for(1s);
        EXPECT_EQ(wire.ladder, (Ladder{phone->name + " INVITE", other->name + " 200 INVITE",
                                       phone->name + " ACK"}));
        ASSERT_EQ(phone->all<session::OfferAnswered>().size(), 1u);
        EXPECT_EQ(phone->all<session::OfferAnswered>()[0].sdp, "v=0\r\na=recvonly\r\n");
    }
}

TEST(InviteSession, AReinviteThatIsRefusedLeavesTheCallAsItWas) {
    TestWire wire;
    unreliable(wire);
    establish(wire);
    wire.b.react = [&](const SessionEvent& event, Time now) {
        if (std::get_if<session::Reoffer>(&event)) wire.b.session->reject_offer(488, now);
    };
    ASSERT_TRUE(wire.a.session->reinvite(offer_sdp, wire.now));
    wire.run_for(1s);
    ASSERT_TRUE(wire.a.has<session::OfferRejected>());
    EXPECT_EQ(wire.a.all<session::OfferRejected>()[0].status, 488);
    EXPECT_EQ(wire.a.session->state(), State::confirmed);
    wire.a.session->bye(wire.now);
    wire.run_for(1s);
    EXPECT_TRUE(wire.b.has<session::Ended>());
}

TEST(InviteSession, AReinviteWithoutSdpAsksTheOtherSideToOffer) {
    TestWire wire;
    unreliable(wire);
    establish(wire);
    wire.b.react = [&](const SessionEvent& event, Time now) {
        if (std::get_if<session::OfferRequested>(&event)) {
            ASSERT_TRUE(wire.b.session->accept_offer(offer_sdp, now));
        }
    };
    wire.a.react = [&](const SessionEvent& event, Time now) {
        if (std::get_if<session::Reoffer>(&event)) {
            ASSERT_TRUE(wire.a.session->accept_offer(answer_sdp, now));
        }
    };
    ASSERT_TRUE(wire.a.session->reinvite("", wire.now));
    wire.run_for(1s);
    EXPECT_EQ(wire.ladder, (Ladder{"a INVITE", "b 200 INVITE", "a ACK"}));
    ASSERT_TRUE(wire.b.has<session::OfferAnswered>());
    EXPECT_EQ(wire.b.all<session::OfferAnswered>()[0].sdp, answer_sdp);
}

// Section 14.1: the maker of the Call-ID waits 2.1 to 4 s, the other up to 2 s; then both get
// through.
TEST(InviteSession, OffersThatCrossAreRefusedWith491AndTriedAgain) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        TestWire wire{Transport::udp, {}, seed};
        unreliable(wire);
        establish(wire);
        for (auto* phone : {&wire.a, &wire.b}) {
            phone->react = [phone](const SessionEvent& event, Time now) {
                if (std::get_if<session::Reoffer>(&event)) {
                    ASSERT_TRUE(phone->session->accept_offer(answer_sdp, now));
                }
            };
            ASSERT_TRUE(phone->session->reinvite(offer_sdp, wire.now));
        }
        wire.run_for(100ms);
        EXPECT_EQ(wire.count("a 491 INVITE"), 1u);
        EXPECT_EQ(wire.count("b 491 INVITE"), 1u);
        wire.run_for(5s);
        EXPECT_EQ(wire.a.all<session::OfferAnswered>().size(), 1u) << seed;
        EXPECT_EQ(wire.b.all<session::OfferAnswered>().size(), 1u) << seed;
    }
}

TEST(InviteSession, ASecondReinviteWhileTheFirstIsOpenGets500WithRetryAfter) {
    TestWire wire;
    unreliable(wire);
    establish(wire);
    ASSERT_TRUE(wire.a.session->reinvite(offer_sdp, wire.now));
    wire.run_for(100ms);  // b leaves it open
    auto dialog = *wire.a.session->dialog();
    Builder second = dialog.request(Method::invite);
    second.header(HeaderId::contact, "<sip:a@192.0.2.1>");
    ASSERT_TRUE(wire.a.layer.send_request(std::move(second).finish(offer_sdp, "application/sdp"),
                                          wire.a.to_peer, wire.now));
    wire.run_for(100ms);
    ASSERT_EQ(wire.count("b 500 INVITE"), 1u);
    const auto at = std::find(wire.ladder.begin(), wire.ladder.end(), "b 500 INVITE");
    const auto refusal = Message::parse(wire.sent[at - wire.ladder.begin()]);
    EXPECT_TRUE(refusal->header(HeaderId::retry_after));
}

TEST(InviteSession, ARequestOutOfOrderGets500) {
    TestWire wire;
    unreliable(wire);
    establish(wire);
    Dialog dialog = *wire.a.session->dialog();
    dialog.set_local_cseq(5);
    ASSERT_TRUE(
        wire.a.layer.send_request(dialog.request(Method::info).finish(), wire.a.to_peer, wire.now));
    dialog.set_local_cseq(3);
    ASSERT_TRUE(
        wire.a.layer.send_request(dialog.request(Method::info).finish(), wire.a.to_peer, wire.now));
    wire.run_for(100ms);
    EXPECT_EQ(wire.b.all<session::RequestArrived>().size(), 1u);
    EXPECT_EQ(wire.count("b 500 INFO"), 1u);
}

TEST(InviteSession, UpdateChangesTheSessionWithoutAnAck) {
    TestWire wire;
    unreliable(wire);
    establish(wire);
    wire.b.react = [&](const SessionEvent& event, Time now) {
        if (const auto* reoffer = std::get_if<session::Reoffer>(&event)) {
            EXPECT_EQ(reoffer->method, Method::update);
            ASSERT_TRUE(wire.b.session->accept_offer(answer_sdp, now));
        }
    };
    EXPECT_TRUE(wire.a.session->peer_allows(Method::update));
    EXPECT_FALSE(wire.a.session->peer_allows(Method::publish));
    ASSERT_TRUE(wire.a.session->update(offer_sdp, wire.now));
    wire.run_for(1s);
    EXPECT_EQ(wire.ladder, (Ladder{"a UPDATE", "b 200 UPDATE"}));
    ASSERT_TRUE(wire.a.has<session::OfferAnswered>());
    EXPECT_EQ(wire.a.all<session::OfferAnswered>()[0].sdp, answer_sdp);
}

TEST(InviteSession, AnUpdateThatIsOpenWhenTheCallIsCancelledStillGetsItsAnswer) {
    TestWire wire;
    wire.b.on_call = [&](Time now) { ASSERT_TRUE(wire.b.session->ring(183, answer_sdp, now)); };
    wire.a.call(wire.now, offer_sdp);
    wire.run_for(1s);
    ASSERT_TRUE(wire.a.session->update(offer_sdp, wire.now));
    wire.run_for(100ms);
    ASSERT_TRUE(wire.b.has<session::Reoffer>());
    wire.ladder.clear();
    wire.a.session->cancel({}, wire.now);
    wire.run_for(1s);
    EXPECT_EQ(wire.count("b 487 UPDATE"), 1u);
    EXPECT_EQ(wire.count("b 487 INVITE"), 1u);
    EXPECT_TRUE(wire.b.session->done());
}

// RFC 5057 section 4.1: the usages of a dialog end one by one.
TEST(InviteSession, ANotifyOfAReferMayStillBeSentAfterTheBye) {
    TestWire wire;
    unreliable(wire);
    establish(wire);
    wire.a.session->bye(wire.now);
    wire.run_for(1s);
    ASSERT_TRUE(wire.b.session->done());
    EXPECT_TRUE(wire.b.session->request(Method::notify, wire.now, {{"Event", "refer"}}));
    EXPECT_FALSE(wire.b.session->request(Method::info, wire.now));
    wire.run_for(1s);
    EXPECT_EQ(wire.count("b NOTIFY"), 1u);
    EXPECT_EQ(wire.b.all<session::RequestAnswered>().at(0).status, 481);  // a has forgotten
}

TEST(InviteSession, ADialogThatTheOtherSideForgotIsOver) {
    TestWire wire;
    unreliable(wire);
    establish(wire);
    wire.b.session.reset();
    wire.b.takes_calls = false;
    ASSERT_TRUE(wire.a.session->reinvite(offer_sdp, wire.now));
    wire.run_for(100ms);
    const auto& request = std::get<RequestReceived>(wire.b.transaction_events.at(0));
    wire.b.layer.respond(request.transaction,
                         Builder::response_to(request.request->message(), 481, {}).finish(),
                         wire.now);
    wire.run_for(100ms);
    ASSERT_TRUE(wire.a.has<session::Ended>());
    EXPECT_EQ(wire.a.all<session::Ended>()[0].cause, session::EndCause::dialog_lost);
    EXPECT_EQ(wire.count("a BYE"), 1u);
}

// Section 13.2.2.4.
TEST(InviteSession, TheFirstForkToAnswerWinsAndTheSecondIsHungUp) {
    TestWire wire;
    wire.b.takes_calls = false;
    wire.a.call(wire.now, offer_sdp);
    wire.drain();
    const auto invite_bytes = wire.sent.at(0);
    const auto invite = Message::parse(invite_bytes);
    const auto respond = [&](int status, std::string_view tag, std::string_view contact,
                             std::string_view sdp) {
        Builder response = Builder::response_to(*invite, status, tag);
        response.header(HeaderId::contact, contact);
        wire.a.layer.receive(wire.a.to_peer,
                             std::move(response).finish(sdp, sdp.empty() ? "" : "application/sdp"),
                             wire.now);
        wire.drain();
    };
    respond(180, "one", "<sip:b1@192.0.2.2>", "");
    respond(180, "two", "<sip:b2@192.0.2.2>", "");
    respond(200, "two", "<sip:b2@192.0.2.2>", answer_sdp);
    respond(200, "one", "<sip:b1@192.0.2.2>", answer_sdp);
    respond(200, "two", "<sip:b2@192.0.2.2>", answer_sdp);
    EXPECT_EQ(wire.ladder, (Ladder{"a INVITE", "a ACK", "a ACK", "a BYE", "a ACK"}));
    EXPECT_EQ(Message::parse(wire.sent[1])->request_uri(), "sip:b2@192.0.2.2");
    EXPECT_EQ(Message::parse(wire.sent[2])->to_tag(), "one");
    EXPECT_EQ(Message::parse(wire.sent[3])->to_tag(), "one");
    EXPECT_EQ(wire.sent[4], wire.sent[1]);  // the very same ACK for the copy
    const auto progress = wire.a.all<session::Progress>();
    ASSERT_EQ(progress.size(), 2u);
    EXPECT_EQ(progress[0].to_tag, "one");
    ASSERT_EQ(wire.a.all<session::Answered>().size(), 1u);
    EXPECT_EQ(wire.a.all<session::Answered>()[0].to_tag, "two");
    EXPECT_EQ(wire.a.session->dialog()->remote_tag(), "two");
}

TEST(InviteSession, AMangledFinalResponseDoesNotLeaveTheCallHanging) {
    TestWire wire;
    wire.b.takes_calls = false;
    wire.a.call(wire.now);
    wire.drain();
    std::string mangled = Builder::response_to(*Message::parse(wire.sent.at(0)), 200, "t").finish();
    mangled.replace(mangled.find("call-1"), 6, "call-2");
    wire.a.layer.receive(wire.a.to_peer, mangled, wire.now);
    wire.drain();
    ASSERT_TRUE(wire.a.has<session::Failed>());
    EXPECT_EQ(wire.a.all<session::Failed>()[0].status, 500);
    EXPECT_TRUE(wire.a.session->done());
}

TEST(InviteSession, A2xxThatMakesNoDialogFailsTheCall) {
    TestWire wire;
    wire.b.takes_calls = false;
    wire.a.call(wire.now);
    wire.drain();
    Builder ok = Builder::response_to(*Message::parse(wire.sent.at(0)), 200, "t");
    for (std::size_t i = 0; i <= Dialog::max_routes; ++i) {
        ok.header(HeaderId::record_route, "<sip:p.example.com;lr>");
    }
    wire.a.layer.receive(wire.a.to_peer, std::move(ok).finish(), wire.now);
    wire.drain();
    ASSERT_TRUE(wire.a.has<session::Failed>());
    EXPECT_EQ(wire.a.all<session::Failed>()[0].status, 500);
}

TEST(InviteSession, ALostEarlyDialogRefusesTheInviteInsteadOfHangingItUp) {
    TestWire wire;
    unreliable(wire);
    answer_calls(wire);
    wire.a.call(wire.now);
    wire.run_for(1s);
    wire.drop = [](const std::string& line) { return line == "b UPDATE"; };
    ASSERT_TRUE(wire.b.session->update("", wire.now));
    wire.run_for(40s);
    EXPECT_EQ(wire.count("b BYE"), 0u);
    EXPECT_EQ(wire.count("b 480 INVITE"), 1u);
    EXPECT_EQ(wire.b.all<session::Ended>().at(0).cause, session::EndCause::dialog_lost);
    EXPECT_EQ(wire.a.all<session::Failed>().at(0).status, 480);
}

TEST(InviteSession, AsymmetricSignallingFollowsTheContact) {
    TestWire wire;
    unreliable(wire);
    wire.a.session_config.symmetric = false;
    wire.b.session_config.contact = "<sip:b@198.51.100.7:5070>";
    establish(wire);
    EXPECT_EQ(wire.a.session->flow().remote.text(), "198.51.100.7:5070");
    TestWire named;
    unreliable(named);
    named.a.session_config.symmetric = false;
    named.b.session_config.contact = "<sip:b@phone.example.org>";
    named.b.on_call = [&](Time now) { ASSERT_TRUE(named.b.session->accept(answer_sdp, now)); };
    named.a.call(named.now);
    named.run_for(1s);
    ASSERT_TRUE(named.a.has<session::NextHopChanged>());
    EXPECT_EQ(named.a.all<session::NextHopChanged>()[0].uri, "sip:b@phone.example.org");
}

// RFC 3262.

TEST(InviteSession, AReliableProvisionalBringsTheAnswerAndIsAcknowledged) {
    TestWire wire;
    wire.b.on_call = [&](Time now) {
        ASSERT_TRUE(wire.b.session->ring(183, answer_sdp, now));
        ASSERT_TRUE(wire.b.session->accept(answer_sdp, now));  // waits for the PRACK
    };
    wire.a.call(wire.now, offer_sdp);
    wire.run_for(1s);
    EXPECT_EQ(wire.ladder, (Ladder{"a INVITE", "b 183 INVITE", "a PRACK", "b 200 PRACK",
                                   "b 200 INVITE", "a ACK"}));
    const auto progress = wire.a.all<session::Progress>();
    ASSERT_EQ(progress.size(), 1u);
    EXPECT_TRUE(progress[0].reliable);
    EXPECT_EQ(progress[0].sdp, answer_sdp);
    const auto answered = wire.a.all<session::Answered>();
    ASSERT_EQ(answered.size(), 1u);
    EXPECT_EQ(answered[0].sdp, "");  // it had come already
    const auto prack = Message::parse(wire.sent[2]);
    const auto rseq = Message::parse(wire.sent[1])->header(HeaderId::rseq);
    EXPECT_EQ(prack->header(HeaderId::rack), std::string(*rseq) + " 1 INVITE");
    EXPECT_EQ(prack->cseq(), 2u);
}

TEST(InviteSession, AReliableProvisionalIsRepeatedAndItsPrackIsNot) {
    TestWire wire;
    int lost = 0;
    wire.drop = [&](const std::string& line) { return line == "b 183 INVITE" && ++lost <= 2; };
    wire.b.on_call = [&](Time now) { ASSERT_TRUE(wire.b.session->ring(183, "", now)); };
    wire.a.call(wire.now);
    wire.run_for(400ms);
    wire.drop = [&](const std::string&) { return false; };
    wire.run_for(5s);
    EXPECT_EQ(wire.count("a PRACK"), 1u);
    EXPECT_EQ(wire.a.all<session::Progress>().size(), 1u);
}

TEST(InviteSession, AReliableProvisionalThatNobodyAcknowledgesEndsIn504) {
    TestWire wire;
    wire.drop = [&](const std::string& line) { return line == "a PRACK"; };
    wire.b.on_call = [&](Time now) { ASSERT_TRUE(wire.b.session->ring(183, "", now)); };
    wire.a.call(wire.now);
    wire.run_for(33s);
    EXPECT_EQ(wire.count("b 183 INVITE"), 7u);  // 0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5 s
    ASSERT_TRUE(wire.b.has<session::Ended>());
    EXPECT_EQ(wire.b.all<session::Ended>()[0].cause, session::EndCause::no_prack);
    EXPECT_EQ(wire.a.all<session::Failed>()[0].status, 504);
}

TEST(InviteSession, AnOfferInAReliableProvisionalIsAnsweredInThePrack) {
    TestWire wire;
    wire.b.on_call = [&](Time now) { ASSERT_TRUE(wire.b.session->ring(183, offer_sdp, now)); };
    wire.a.react = [&](const SessionEvent& event, Time now) {
        if (const auto* progress = std::get_if<session::Progress>(&event)) {
            EXPECT_TRUE(progress->is_offer);
            ASSERT_TRUE(wire.a.session->accept_offer(answer_sdp, now));
        }
    };
    wire.b.react = [&](const SessionEvent& event, Time now) {
        if (const auto* answered = std::get_if<session::OfferAnswered>(&event)) {
            EXPECT_EQ(answered->sdp, answer_sdp);
            ASSERT_TRUE(wire.b.session->accept("", now));
        }
    };
    wire.a.call(wire.now, "");
    wire.run_for(1s);
    EXPECT_EQ(wire.ladder, (Ladder{"a INVITE", "b 183 INVITE", "a PRACK", "b 200 PRACK",
                                   "b 200 INVITE", "a ACK"}));
    EXPECT_EQ(wire.a.session->state(), State::confirmed);
    EXPECT_EQ(wire.b.session->state(), State::confirmed);
}

TEST(InviteSession, AReliableProvisionalWaitsForThePrackOfTheOneBefore) {
    TestWire wire;
    wire.b.on_call = [&](Time now) {
        ASSERT_TRUE(wire.b.session->ring(183, answer_sdp, now));
        ASSERT_TRUE(wire.b.session->ring(180, "", now));
    };
    wire.a.call(wire.now);
    wire.run_for(400ms);
    EXPECT_EQ(wire.ladder, (Ladder{"a INVITE", "b 183 INVITE", "a PRACK", "b 200 PRACK",
                                   "b 180 INVITE", "a PRACK", "b 200 PRACK"}));
}

TEST(InviteSession, WhoNeedsReliabilityRefusesWhoHasNone) {
    TestWire wire;
    wire.a.session_config.reliability = InviteSession::Reliability::never;
    wire.b.session_config.reliability = InviteSession::Reliability::required;
    wire.a.call(wire.now);
    wire.run_for(1s);
    EXPECT_EQ(wire.count("b 421 INVITE"), 1u);
    TestWire other;
    other.a.session_config.reliability = InviteSession::Reliability::required;
    other.b.session_config.reliability = InviteSession::Reliability::never;
    other.a.call(other.now);
    other.run_for(1s);
    ASSERT_EQ(other.a.all<session::Failed>().size(), 1u);
    EXPECT_EQ(other.a.all<session::Failed>()[0].status, 420);
    EXPECT_EQ((*other.a.all<session::Failed>()[0].response)->header(HeaderId::unsupported),
              "100rel");
}

// RFC 4028.

void use_timers(TestWire& wire, std::chrono::seconds interval) {
    unreliable(wire);
    wire.a.session_config.timer.mode = SessionTimer::Mode::request;
    wire.a.session_config.timer.interval = interval;
}

TEST(InviteSession, TheSessionIsRefreshedByUpdateAtHalfItsInterval) {
    TestWire wire;
    use_timers(wire, 600s);
    establish(wire);
    wire.run_for(298s);
    EXPECT_EQ(wire.ladder, Ladder{});
    wire.run_for(2s);
    EXPECT_EQ(wire.ladder, (Ladder{"a UPDATE", "b 200 UPDATE"}));
    const auto update = Message::parse(wire.sent[0]);
    EXPECT_EQ(update->header(HeaderId::session_expires), "600;refresher=uac");
    EXPECT_TRUE(update->body().empty());
    wire.run_for(1h);
    EXPECT_EQ(wire.count("a UPDATE"), 13u);
    EXPECT_EQ(wire.a.session->state(), State::confirmed);
    EXPECT_EQ(wire.b.session->state(), State::confirmed);
}

TEST(InviteSession, TheSessionIsRefreshedByReinviteWhereUpdateIsNotAllowed) {
    TestWire wire;
    use_timers(wire, 600s);
    wire.b.session_config.allow = "INVITE, ACK, CANCEL, BYE";
    establish(wire);
    wire.b.react = [&](const SessionEvent& event, Time now) {
        if (const auto* reoffer = std::get_if<session::Reoffer>(&event)) {
            EXPECT_EQ(reoffer->sdp, offer_sdp);
            ASSERT_TRUE(wire.b.session->accept_offer(answer_sdp, now));
        }
    };
    wire.run_for(301s);
    EXPECT_EQ(wire.ladder, (Ladder{"a INVITE", "b 200 INVITE", "a ACK"}));
}

TEST(InviteSession, ASessionThatNobodyRefreshesIsHungUp) {
    TestWire wire;
    use_timers(wire, 600s);
    establish(wire);
    wire.a.session.reset();
    wire.run_for(566s);
    EXPECT_FALSE(wire.b.has<session::Ended>());
    wire.run_for(1500ms);  // 600 s less 32 s after the 2xx, one second before the start
    ASSERT_TRUE(wire.b.has<session::Ended>());
    EXPECT_EQ(wire.b.all<session::Ended>()[0].cause, session::EndCause::session_expired);
    EXPECT_GE(wire.count("b BYE"), 1u);
}

TEST(InviteSession, A422RaisesTheIntervalAndTriesAgain) {
    TestWire wire;
    use_timers(wire, 100s);
    wire.b.session_config.timer.minimum = 300s;
    answer_calls(wire);
    wire.a.call(wire.now);
    wire.run_for(1s);
    EXPECT_EQ(wire.ladder,
              (Ladder{"a INVITE", "b 422 INVITE", "a ACK", "a INVITE", "b 180 INVITE"}));
    const auto second = Message::parse(wire.sent[3]);
    EXPECT_EQ(second->cseq(), 2u);
    EXPECT_EQ(second->call_id(), "call-1@192.0.2.1");
    EXPECT_EQ(second->header(HeaderId::session_expires), "300");
    EXPECT_EQ(second->header(HeaderId::min_se), "300");
    EXPECT_FALSE(wire.a.has<session::Failed>());
}

// In the dialog.

TEST(InviteSession, InfoReferAndOthersAreForTheOwner) {
    TestWire wire;
    unreliable(wire);
    establish(wire);
    wire.b.react = [&](const SessionEvent& event, Time now) {
        if (const auto* arrived = std::get_if<session::RequestArrived>(&event)) {
            wire.b.session->answer(*arrived, arrived->method == Method::refer ? 202 : 200, now);
        }
    };
    ASSERT_TRUE(wire.a.session->request(Method::info, wire.now, {}, "Signal=5\r\nDuration=160\r\n",
                                        "application/dtmf-relay"));
    ASSERT_TRUE(
        wire.a.session->request(Method::refer, wire.now, {{"Refer-To", "<sip:c@192.0.2.3>"}}));
    wire.run_for(1s);
    const auto arrived = wire.b.all<session::RequestArrived>();
    ASSERT_EQ(arrived.size(), 2u);
    EXPECT_EQ((*arrived[0].request)->body(), "Signal=5\r\nDuration=160\r\n");
    EXPECT_EQ((*arrived[1].request)->header(HeaderId::refer_to), "<sip:c@192.0.2.3>");
    const auto answered = wire.a.all<session::RequestAnswered>();
    ASSERT_EQ(answered.size(), 2u);
    EXPECT_EQ(answered[0].status, 200);
    EXPECT_EQ(answered[1].status, 202);
}

TEST(InviteSession, TwoByesThatCrossBothGet200) {
    TestWire wire;
    unreliable(wire);
    establish(wire);
    wire.a.session->bye(wire.now);
    wire.b.session->bye(wire.now);
    wire.run_for(1s);
    EXPECT_EQ(wire.count("a 200 BYE"), 1u);
    EXPECT_EQ(wire.count("b 200 BYE"), 1u);
    EXPECT_TRUE(wire.a.session->done());
    EXPECT_TRUE(wire.b.session->done());
}

TEST(InviteSession, AReinviteWhoseAnswerIsLostLeavesNothingAfterTheBye) {
    TestWire wire;
    unreliable(wire);
    establish(wire);
    ASSERT_TRUE(wire.a.session->reinvite(offer_sdp, wire.now));
    wire.run_for(1s);  // b's owner thinks about it, and the layer says 100
    ASSERT_EQ(wire.count("b 100 INVITE"), 1u);
    wire.loss = 1;
    ASSERT_TRUE(wire.b.session->accept_offer(answer_sdp, wire.now));
    wire.run_for(100ms);
    wire.loss = 0;
    wire.a.session->bye(wire.now);
    wire.b.session->bye(wire.now);
    wire.run_for(65s);
    EXPECT_TRUE(wire.a.session->done());
    EXPECT_EQ(wire.a.layer.size(), 0u);
    EXPECT_EQ(wire.b.layer.size(), 0u);
}

TEST(InviteSession, ARequireThatWeDoNotKnowIsRefusedByName) {
    TestWire wire;
    wire.a.call(wire.now, offer_sdp, {{"Require", "teleport, replaces"}});
    wire.run_for(1s);
    const auto failed = wire.a.all<session::Failed>();
    ASSERT_EQ(failed.size(), 1u);
    EXPECT_EQ(failed[0].status, 420);
    EXPECT_EQ((*failed[0].response)->header(HeaderId::unsupported), "teleport");
    EXPECT_TRUE(wire.b.session->done());
}

}  // namespace
}  // namespace strowger::sip
