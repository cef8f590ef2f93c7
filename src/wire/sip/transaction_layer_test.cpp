#include "wire/sip/transaction_layer.hpp"

#include <gtest/gtest.h>

#include "wire/sip/builder.hpp"
#include "wire/sip/keyed_hash.hpp"
#include "wire/sip/test_wire.hpp"
#include "wire/sip/timer_heap.hpp"

namespace strowger::sip {
namespace {

using namespace std::chrono_literals;

constexpr Time start{};
const Flow from_client{Transport::udp,
                       {IpAddress::v4({192, 0, 2, 2}), 5060},
                       {IpAddress::v4({203, 0, 113, 9}), 40000},
                       1};

std::string request(std::string_view method, std::string_view via,
                    std::string_view more = "From: <sip:a@x>;tag=1\r\nTo: <sip:b@y>\r\n") {
    return fmt::format(
        "{0} sip:b@192.0.2.2 SIP/2.0\r\nVia: {1}\r\n{2}Call-ID: c1\r\nCSeq: 7 {0}\r\n"
        "Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
        method, via, more);
}

const std::string via = "SIP/2.0/UDP 10.0.0.5:5062;branch=z9hG4bKabc;rport";

struct Layer {
    explicit Layer(TransactionLayer::Config config = {}) : layer(std::move(config), random) {}

    std::vector<TransactionEvent> events() {
        std::vector<TransactionEvent> all;
        for (TransactionEvent event; layer.poll(event);) all.push_back(event);
        return all;
    }
    std::vector<Transmit> transmits() {
        std::vector<Transmit> all;
        for (Transmit transmit; layer.poll(transmit);) all.push_back(transmit);
        return all;
    }
    RequestReceived receive(const std::string& bytes) {
        layer.receive(from_client, bytes, start);
        const auto all = events();
        EXPECT_EQ(all.size(), 1u);
        return all.empty() ? RequestReceived{} : std::get<RequestReceived>(all[0]);
    }

    Random random{1};
    TransactionLayer layer;
};

TEST(TransactionLayer, MarksTheTopViaWithWhereTheRequestCameFrom) {
    Layer l;
    const auto invite =
        l.receive(request("OPTIONS", via + ", SIP/2.0/UDP 10.9.9.9;branch=z9hG4bKz"));
    EXPECT_EQ((*invite.request)->header(HeaderId::via),
              "SIP/2.0/UDP 10.0.0.5:5062;branch=z9hG4bKabc;rport=40000;received=203.0.113.9, "
              "SIP/2.0/UDP 10.9.9.9;branch=z9hG4bKz");
    l.layer.respond(invite.transaction,
                    Builder::response_to(invite.request->message(), 200, "t").finish(), start);
    const auto sent = l.transmits();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].flow, from_client);
    EXPECT_NE(sent[0].bytes.find(";rport=40000;received=203.0.113.9, SIP"), std::string::npos);
}

// RFC 3581: only who asks for rport is answered at the source port, unless we are told to do so for
// all.
TEST(TransactionLayer, AnswersThePortOfTheViaWhenRportIsNeitherAskedForNorForced) {
    Layer strict{{.force_rport = false}};
    auto asked = strict.receive(request("OPTIONS", "SIP/2.0/UDP 10.0.0.5:5062;branch=z9hG4bKabc"));
    strict.layer.respond_stateless(
        asked.transaction, Builder::response_to(asked.request->message(), 200, "t").finish());
    EXPECT_EQ(strict.transmits()[0].flow.remote.text(), "203.0.113.9:5062");
    Layer forced;
    asked = forced.receive(request("OPTIONS", "SIP/2.0/UDP 10.0.0.5:5062;branch=z9hG4bKabc"));
    forced.layer.respond_stateless(
        asked.transaction, Builder::response_to(asked.request->message(), 200, "t").finish());
    const auto sent = forced.transmits();
    EXPECT_EQ(sent[0].flow.remote.text(), "203.0.113.9:40000");
    EXPECT_NE(sent[0].bytes.find("rport=40000"), std::string::npos);
}

TEST(TransactionLayer, AbsorbsCopiesAndRepeatsTheAnswer) {
    Layer l;
    const auto first = l.receive(request("MESSAGE", via));
    l.layer.receive(from_client, request("MESSAGE", via), start);
    EXPECT_TRUE(l.events().empty());
    EXPECT_TRUE(l.transmits().empty());
    l.layer.respond(first.transaction,
                    Builder::response_to(first.request->message(), 202, "t").finish(), start);
    l.layer.receive(from_client, request("MESSAGE", via), start + 1s);
    EXPECT_TRUE(l.events().empty());
    const auto sent = l.transmits();
    ASSERT_EQ(sent.size(), 2u);
    EXPECT_EQ(sent[0].bytes, sent[1].bytes);
    EXPECT_EQ(l.layer.counters().retransmissions_received, 2u);
    l.layer.tick(start + 32s);
    EXPECT_EQ(l.layer.size(), 0u);
    EXPECT_EQ(l.layer.deadline(), Time::max());
}

// Section 17.2.3: branch, sent-by and method make a transaction.
TEST(TransactionLayer, AnotherBranchSenderOrMethodIsAnotherTransaction) {
    Layer l;
    l.receive(request("OPTIONS", via));
    l.receive(request("MESSAGE", via));
    l.receive(request("OPTIONS", "SIP/2.0/UDP 10.0.0.5:5062;branch=z9hG4bKabd;rport"));
    l.receive(request("OPTIONS", "SIP/2.0/UDP 10.0.0.6:5062;branch=z9hG4bKabc;rport"));
    EXPECT_EQ(l.layer.size(), 4u);
}

// Section 8.2.2.2.
TEST(TransactionLayer, ACallThatComesBySeveralWaysIsTakenOnce) {
    Layer l;
    const std::string other_via = "SIP/2.0/UDP 10.0.0.5:5062;branch=z9hG4bKother;rport";
    const auto invite = l.receive(request("INVITE", via));
    l.layer.receive(from_client, request("INVITE", other_via), start);
    EXPECT_TRUE(l.events().empty());
    const auto answers = l.transmits();
    ASSERT_EQ(answers.size(), 1u);
    const auto answer = Message::parse(answers[0].bytes);
    EXPECT_EQ(answer->status(), 482);
    EXPECT_EQ(answer->branch(), "z9hG4bKother");
    EXPECT_EQ(l.layer.counters().merged, 1u);
    // Nobody's work was done twice, and once it is done another may come.
    EXPECT_EQ(l.layer.size(), 1u);
    l.layer.forget(invite.transaction);
    l.receive(request("INVITE", other_via));
}

TEST(TransactionLayer, RequestsWithinADialogAreNeverMerged) {
    Layer l;
    const std::string tags = "From: <sip:a@x>;tag=1\r\nTo: <sip:b@y>;tag=2\r\n";
    l.receive(request("MESSAGE", via, tags));
    l.receive(request("MESSAGE", "SIP/2.0/UDP 10.0.0.5:5062;branch=z9hG4bKother;rport", tags));
    EXPECT_EQ(l.layer.counters().merged, 0u);
}

TEST(TransactionLayer, AnswersByTheViaForThoseWhoWantItSo) {
    Layer l;
    const auto bare = l.receive(request("OPTIONS", "SIP/2.0/UDP 10.0.0.5:5999;branch=z9hG4bKa"));
    const auto asked =
        l.receive(request("OPTIONS", "SIP/2.0/UDP 10.0.0.5:5999;branch=z9hG4bKb;rport"));
    for (const auto& each : {bare, asked}) l.layer.answer_by_via(each.transaction, *each.request);
    EXPECT_EQ(l.layer.flow(bare.transaction)->remote.port, 5999);
    EXPECT_EQ(l.layer.flow(asked.transaction)->remote.port, from_client.remote.port);
}

TEST(TransactionLayer, MatchesOldClientsByWhatTheyKeepTheSame) {
    Layer l;
    const std::string old_via = "SIP/2.0/UDP 10.0.0.5:5062";
    const auto invite = l.receive(request("INVITE", old_via));
    l.layer.receive(from_client, request("INVITE", old_via), start);
    EXPECT_TRUE(l.events().empty());
    l.layer.respond(invite.transaction,
                    Builder::response_to(invite.request->message(), 486, "t").finish(), start);
    l.transmits();
    l.layer.receive(from_client,
                    request("ACK", old_via, "From: <sip:a@x>;tag=1\r\nTo: <sip:b@y>;tag=t\r\n"),
                    start);
    EXPECT_TRUE(l.events().empty());  // the transaction took it
    l.layer.tick(start + 5s);
    EXPECT_EQ(l.layer.size(), 0u);
}

TEST(TransactionLayer, AnswersStatelesslyAndKeepsNothing) {
    Layer l;
    for (int i = 0; i < 3; ++i) {
        const auto invite = l.receive(request("INVITE", via));  // each copy comes up as new
        ASSERT_TRUE(l.layer.respond_stateless(
            invite.transaction,
            Builder::response_to(invite.request->message(), 401, "t").finish()));
        EXPECT_EQ(l.layer.size(), 0u);
        EXPECT_FALSE(l.layer.respond(invite.transaction, "SIP/2.0 200 OK\r\n\r\n", start));
    }
    EXPECT_EQ(l.transmits().size(), 3u);
    EXPECT_EQ(l.layer.deadline(), Time::max());
}

TEST(TransactionLayer, SaysTryingItself) {
    Layer l;
    l.receive(request("INVITE", via));
    EXPECT_EQ(l.layer.deadline(), start + 200ms);
    l.layer.tick(start + 200ms);
    const auto sent = l.transmits();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_TRUE(sent[0].bytes.starts_with("SIP/2.0 100 Trying\r\n"));
    EXPECT_EQ(Message::parse(sent[0].bytes)->to_tag(), "");
}

TEST(TransactionLayer, AnswersACancelWithTheTagOfItsInvite) {
    Layer l;
    const auto invite = l.receive(request("INVITE", via));
    l.layer.set_owner(invite.transaction, 42);
    l.layer.respond(invite.transaction,
                    Builder::response_to(invite.request->message(), 180, "mytag").finish(), start);
    l.transmits();
    l.layer.receive(from_client, request("CANCEL", via), start);
    const auto sent = l.transmits();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_TRUE(sent[0].bytes.starts_with("SIP/2.0 200 OK\r\n"));
    EXPECT_EQ(Message::parse(sent[0].bytes)->to_tag(), "mytag");
    const auto events = l.events();
    ASSERT_EQ(events.size(), 1u);
    EXPECT_EQ(std::get<CancelReceived>(events[0]).invite, invite.transaction);
    EXPECT_EQ(std::get<CancelReceived>(events[0]).owner, 42u);
}

TEST(TransactionLayer, ACancelOfNothingGets481) {
    Layer l;
    l.layer.receive(from_client, request("CANCEL", via), start);
    EXPECT_TRUE(l.transmits().at(0).bytes.starts_with("SIP/2.0 481 "));
    EXPECT_TRUE(l.events().empty());
    EXPECT_EQ(l.layer.counters().stray_cancels, 1u);
}

TEST(TransactionLayer, ACancelAfterTheFinalResponseChangesNothing) {
    Layer l;
    const auto invite = l.receive(request("INVITE", via));
    l.layer.respond(invite.transaction,
                    Builder::response_to(invite.request->message(), 486, "t").finish(), start);
    l.transmits();
    l.layer.receive(from_client, request("CANCEL", via), start);
    EXPECT_TRUE(l.transmits().at(0).bytes.starts_with("SIP/2.0 200 "));
    EXPECT_TRUE(l.events().empty());
}

TEST(TransactionLayer, WhatCannotBeParsedIsAnsweredAsFarAsPossible) {
    Layer l;
    std::string bad = request("INVITE", via);
    bad.replace(bad.find("CSeq: 7 INVITE"), 14, "CSeq: 7 OPTION");
    l.layer.receive(from_client, bad, start);
    const auto sent = l.transmits();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_TRUE(sent[0].bytes.starts_with("SIP/2.0 400 Bad Request\r\nVia: " + via + "\r\n"));
    EXPECT_NE(sent[0].bytes.find("\r\nCall-ID: c1\r\n"), std::string::npos);
    for (const auto* junk : {"", "\r\n\r\n", "\r\n", "hello", "SIP/2.0 200 OK\r\n\r\n"}) {
        l.layer.receive(from_client, junk, start);
    }
    l.layer.receive(from_client, std::string_view{"\0\0\0\0", 4}, start);
    EXPECT_TRUE(l.transmits().empty());
    EXPECT_TRUE(l.events().empty());
    EXPECT_EQ(l.layer.counters().malformed, 3u);  // keep-alives are not
    EXPECT_EQ(l.layer.size(), 0u);
}

TEST(TransactionLayer, RefusesWith503WhenFull) {
    Layer l{{.max_transactions = 1}};
    l.receive(request("OPTIONS", via));
    l.layer.receive(from_client, request("MESSAGE", via), start);
    const auto sent = l.transmits();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_TRUE(sent[0].bytes.starts_with("SIP/2.0 503 Service Unavailable\r\n"));
    EXPECT_NE(sent[0].bytes.find("Retry-After: 5\r\n"), std::string::npos);
    EXPECT_TRUE(l.events().empty());
    EXPECT_EQ(l.layer.counters().refused_full, 1u);
    EXPECT_FALSE(l.layer.send_request("OPTIONS sip:x SIP/2.0\r\n\r\n", from_client, start));
}

std::string outgoing(std::string_view method) {
    return fmt::format(
        "{0} sip:b@192.0.2.9 SIP/2.0\r\nRoute: <sip:proxy;lr>\r\nMax-Forwards: 70\r\n"
        "From: <sip:a@x>;tag=1\r\nTo: <sip:b@y>\r\nCall-ID: c2\r\nCSeq: 3 {0}\r\n"
        "Content-Length: 0\r\n\r\n",
        method);
}

TEST(TransactionLayer, PutsTheViaOnTopAndTakesTheResponseByItsBranch) {
    Layer l;
    const auto id = l.layer.send_request(outgoing("OPTIONS"), from_client, start, 5, "ext.example");
    ASSERT_TRUE(id);
    const auto sent = l.transmits();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_TRUE(sent[0].bytes.starts_with(
        "OPTIONS sip:b@192.0.2.9 SIP/2.0\r\nVia: SIP/2.0/UDP ext.example;branch=z9hG4bK"));
    const auto message = Message::parse(sent[0].bytes);
    EXPECT_TRUE(message->top_via().ends_with(";rport"));
    const auto response = Builder::response_to(*message, 200, "t").finish();
    l.layer.receive(from_client, response, start);
    l.layer.receive(from_client, response, start);
    const auto events = l.events();
    ASSERT_EQ(events.size(), 1u);
    EXPECT_EQ(std::get<ResponseReceived>(events[0]).transaction, *id);
    EXPECT_EQ(std::get<ResponseReceived>(events[0]).owner, 5u);
}

TEST(TransactionLayer, DropsResponsesThatAreNotForUs) {
    Layer l;
    ASSERT_TRUE(l.layer.send_request(outgoing("OPTIONS"), from_client, start));
    const auto bytes = l.transmits()[0].bytes;
    const auto message = Message::parse(bytes);
    std::string two_vias = Builder::response_to(*message, 200, "t").finish();
    two_vias.insert(two_vias.find("From:"), "Via: SIP/2.0/UDP other;branch=z9hG4bKx\r\n");
    l.layer.receive(from_client, two_vias, start);
    std::string other_branch = Builder::response_to(*message, 200, "t").finish();
    other_branch.replace(other_branch.find("z9hG4bK") + 7, 4, "XXXX");
    l.layer.receive(from_client, other_branch, start);
    EXPECT_TRUE(l.events().empty());
    EXPECT_EQ(l.layer.counters().stray_responses, 2u);
}

// Section 17.1.1.3.
TEST(TransactionLayer, AcknowledgesAFailureOnTheBranchOfTheInvite) {
    Layer l;
    ASSERT_TRUE(l.layer.send_request(outgoing("INVITE"), from_client, start));
    const auto bytes = l.transmits()[0].bytes;
    const auto invite = Message::parse(bytes);
    l.layer.receive(from_client, Builder::response_to(*invite, 486, "far").finish(), start);
    const auto sent = l.transmits();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].bytes,
              fmt::format("ACK sip:b@192.0.2.9 SIP/2.0\r\nVia: {}\r\nRoute: <sip:proxy;lr>\r\n"
                          "Max-Forwards: 70\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:b@y>;tag=far\r\n"
                          "Call-ID: c2\r\nCSeq: 3 ACK\r\nContent-Length: 0\r\n\r\n",
                          invite->top_via()));
}

// Section 9.1.
TEST(TransactionLayer, CancelsOnTheBranchOfTheInviteAndKeepsTheAnswerToItself) {
    Layer l;
    const auto id = l.layer.send_request(outgoing("INVITE"), from_client, start);
    ASSERT_TRUE(id);
    const auto bytes = l.transmits()[0].bytes;
    const auto invite = Message::parse(bytes);
    l.layer.receive(from_client, Builder::response_to(*invite, 180, "far").finish(), start);
    l.events();
    l.layer.cancel(*id, start, {{"Reason", "Q.850;cause=16"}});
    l.layer.cancel(*id, start);
    const auto sent = l.transmits();
    ASSERT_EQ(sent.size(), 1u);
    const auto cancel = Message::parse(sent[0].bytes);
    EXPECT_EQ(cancel->top_via(), invite->top_via());
    EXPECT_EQ(cancel->to_tag(), "");
    EXPECT_EQ(cancel->header(HeaderId::route), "<sip:proxy;lr>");
    EXPECT_EQ(cancel->header(HeaderId::reason), "Q.850;cause=16");
    l.layer.receive(from_client, Builder::response_to(*cancel, 200, "far").finish(), start);
    EXPECT_TRUE(l.events().empty());
    // Nobody answers the INVITE after all: it is given up 64 times T1 later.
    l.layer.tick(start + 32s);
    const auto events = l.events();
    ASSERT_EQ(events.size(), 1u);
    EXPECT_EQ(std::get<ClientTimeout>(events[0]).transaction, *id);
    EXPECT_EQ(l.layer.size(), 0u);
}

TEST(TransactionLayer, ABrokenConnectionEndsItsClientTransactionsOnly) {
    Layer l;
    Flow stream = from_client;
    stream.transport = Transport::tcp;
    stream.id = 77;
    Flow other = stream;
    other.id = 78;
    const auto lost = l.layer.send_request(outgoing("OPTIONS"), stream, start, 1);
    const auto kept = l.layer.send_request(outgoing("OPTIONS"), other, start, 2);
    ASSERT_TRUE(lost && kept);
    l.layer.receive(stream, request("MESSAGE", "SIP/2.0/TCP 10.0.0.5:5062;branch=z9hG4bKabc"),
                    start);
    const auto arrived = std::get<RequestReceived>(l.events()[0]);
    l.transmits();
    l.layer.transport_failed(77);
    const auto events = l.events();
    ASSERT_EQ(events.size(), 1u);
    EXPECT_EQ(std::get<TransportFailed>(events[0]).transaction, *lost);
    EXPECT_TRUE(l.layer.exists(*kept));
    l.layer.respond(arrived.transaction,
                    Builder::response_to(arrived.request->message(), 200, "t").finish(), start);
    EXPECT_EQ(l.transmits().at(0).flow.id, 0u);
    l.layer.transport_failed(77);
    EXPECT_TRUE(l.events().empty());
}

TEST(TransactionLayer, AnIdDoesNotOutliveItsTransaction) {
    Layer l;
    const auto first = l.receive(request("OPTIONS", via));
    l.layer.forget(first.transaction);
    const auto second = l.receive(request("OPTIONS", via));
    EXPECT_NE(first.transaction, second.transaction);
    EXPECT_FALSE(l.layer.exists(first.transaction));
    EXPECT_TRUE(l.layer.exists(second.transaction));
}

TEST(TransactionLayer, HoldsThousandsOfTransactionsAndLetsAllGo) {
    Layer l;
    for (int i = 0; i < 5000; ++i) {
        const auto name = fmt::format("SIP/2.0/UDP 10.0.0.5:5062;branch=z9hG4bK{};rport", i);
        l.layer.receive(from_client, request("OPTIONS", name), start + i * 1ms);
    }
    for (const auto& event : l.events()) {
        const auto& got = std::get<RequestReceived>(event);
        l.layer.respond(got.transaction,
                        Builder::response_to(got.request->message(), 200, "t").finish(),
                        start + 5s);
    }
    EXPECT_EQ(l.layer.size(), 5000u);
    EXPECT_EQ(l.layer.deadline(), start + 37s);
    l.layer.tick(start + 37s);
    EXPECT_EQ(l.layer.size(), 0u);
    EXPECT_TRUE(l.events().empty());
}

TEST(TimerHeap, AlwaysNamesTheEarliest) {
    TimerHeap heap;
    Random random{3};
    std::map<std::uint32_t, Time> truth;
    for (int i = 0; i < 20000; ++i) {
        const auto item = static_cast<std::uint32_t>(random.below(200));
        const bool removes = random.below(4) == 0;
        const Time when = removes ? Time::max() : Time{Duration{random.below(1000)}};
        heap.set(item, when);
        if (removes) {
            truth.erase(item);
        } else {
            truth[item] = when;
        }
        Time earliest = Time::max();
        for (const auto& [name, at] : truth) earliest = std::min(earliest, at);
        ASSERT_EQ(heap.next(), earliest);
        ASSERT_EQ(heap.size(), truth.size());
        if (!truth.empty()) {
            ASSERT_EQ(truth[heap.next_item()], earliest);
        }
    }
}

// The vector of the SipHash paper, appendix A.
TEST(KeyedHash, GivesTheResultOfItsPaper) {
    std::string text;
    for (char c = 0; c < 15; ++c) text += c;
    EXPECT_EQ(keyed_hash({0x0706050403020100, 0x0f0e0d0c0b0a0908}, text), 0xa129ca6149be45e5);
}

}  // namespace
}  // namespace strowger::sip
