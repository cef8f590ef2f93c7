#include "wire/sip/dialog.hpp"

#include <gtest/gtest.h>

namespace strowger::sip {
namespace {

std::string text(std::string_view start, std::string_view more, std::string_view cseq) {
    return fmt::format(
        "{}\r\nVia: SIP/2.0/UDP p1.example.com;branch=z9hG4bK1\r\n{}From: Alice "
        "<sip:a@example.com>;"
        "tag=at\r\nTo: Bob <sip:b@example.org>{}\r\nCall-ID: id1\r\nCSeq: {}\r\n"
        "Content-Length: 0\r\n\r\n",
        start, more, start.starts_with("SIP/") ? ";tag=bt" : "", cseq);
}

const std::string record_routes =
    "Record-Route: <sip:p2.example.org;lr>, <sip:p1.example.com;lr>\r\n"
    "Contact: <sip:a@192.0.2.1:5062>\r\n";
const std::string callee_routes =
    "Record-Route: <sip:p2.example.org;lr>\r\nRecord-Route: <sip:p1.example.com;lr>\r\n"
    "Contact: <sip:b@192.0.2.2>;expires=5\r\n";

// Section 12.1.1 and 12.2.1.1: the callee's route set keeps the order.
TEST(Dialog, TheCalleeRoutesInTheOrderOfRecordRoute) {
    const auto bytes = text("INVITE sip:b@example.org SIP/2.0", record_routes, "314 INVITE");
    auto dialog = Dialog::as_uas(*Message::parse(bytes), "bt");
    ASSERT_TRUE(dialog);
    EXPECT_EQ(dialog->request(Method::bye).finish(),
              "BYE sip:a@192.0.2.1:5062 SIP/2.0\r\n"
              "Route: <sip:p2.example.org;lr>\r\nRoute: <sip:p1.example.com;lr>\r\n"
              "Max-Forwards: 70\r\nFrom: Bob <sip:b@example.org>;tag=bt\r\n"
              "To: Alice <sip:a@example.com>;tag=at\r\nCall-ID: id1\r\nCSeq: 1 BYE\r\n"
              "Content-Length: 0\r\n\r\n");
    EXPECT_EQ(dialog->next_hop(), "sip:p2.example.org;lr");
}

// Section 12.1.2: the caller's is reversed.
TEST(Dialog, TheCallerRoutesInTheOppositeOrder) {
    const auto bytes = text("SIP/2.0 200 OK", callee_routes, "314 INVITE");
    auto dialog = Dialog::as_uac(*Message::parse(bytes), "sip:b@example.org");
    ASSERT_TRUE(dialog);
    EXPECT_EQ(dialog->ack(314).finish(),
              "ACK sip:b@192.0.2.2 SIP/2.0\r\n"
              "Route: <sip:p1.example.com;lr>\r\nRoute: <sip:p2.example.org;lr>\r\n"
              "Max-Forwards: 70\r\nFrom: Alice <sip:a@example.com>;tag=at\r\n"
              "To: Bob <sip:b@example.org>;tag=bt\r\nCall-ID: id1\r\nCSeq: 314 ACK\r\n"
              "Content-Length: 0\r\n\r\n");
    EXPECT_EQ(dialog->local_cseq(), 314u);
    const auto bye = dialog->request(Method::bye).finish();
    EXPECT_NE(bye.find("\r\nCSeq: 315 BYE\r\n"), std::string::npos);
}

// Section 12.2.1.1, strict routing: the first route takes the Request-URI's place.
TEST(Dialog, ObeysAStrictRouter) {
    const auto bytes = text("INVITE sip:b@example.org SIP/2.0",
                            "Record-Route: <sip:old.example.org>, <sip:p1.example.com;lr>\r\n"
                            "Contact: <sip:a@192.0.2.1>\r\n",
                            "1 INVITE");
    auto dialog = Dialog::as_uas(*Message::parse(bytes), "bt");
    ASSERT_TRUE(dialog);
    const auto bye = dialog->request(Method::bye).finish();
    EXPECT_TRUE(
        bye.starts_with("BYE sip:old.example.org SIP/2.0\r\n"
                        "Route: <sip:p1.example.com;lr>\r\n"
                        "Route: <sip:a@192.0.2.1>\r\n"));
}

TEST(Dialog, AnswersWithTheRecordRouteAndItsTag) {
    const auto bytes = text("INVITE sip:b@example.org SIP/2.0", record_routes, "314 INVITE");
    const auto invite = Message::parse(bytes);
    const auto dialog = Dialog::as_uas(*invite, "bt");
    const auto ringing = dialog->response(*invite, 180).finish();
    EXPECT_NE(
        ringing.find("\r\nRecord-Route: <sip:p2.example.org;lr>, <sip:p1.example.com;lr>\r\n"),
        std::string::npos);
    EXPECT_NE(ringing.find("\r\nTo: Bob <sip:b@example.org>;tag=bt\r\n"), std::string::npos);
    const auto busy = dialog->response(*invite, 486).finish();
    EXPECT_EQ(busy.find("Record-Route"), std::string::npos);
}

TEST(Dialog, RefusesWhatIsOutOfOrderAndFollowsTheTarget) {
    const auto bytes = text("INVITE sip:b@example.org SIP/2.0", record_routes, "314 INVITE");
    auto dialog = Dialog::as_uas(*Message::parse(bytes), "bt");
    const auto late = text("INFO sip:b@example.org SIP/2.0", "", "313 INFO");
    EXPECT_EQ(dialog->receive_request(*Message::parse(late)), 500);
    const auto info =
        text("INFO sip:b@example.org SIP/2.0", "Contact: <sip:evil@x>\r\n", "320 INFO");
    EXPECT_EQ(dialog->receive_request(*Message::parse(info)), 0);
    EXPECT_EQ(dialog->remote_target(), "sip:a@192.0.2.1:5062");
    const auto update =
        text("UPDATE sip:b@example.org SIP/2.0", "Contact: <sip:a@192.0.2.77>\r\n", "321 UPDATE");
    EXPECT_EQ(dialog->receive_request(*Message::parse(update)), 0);
    EXPECT_EQ(dialog->remote_target(), "sip:a@192.0.2.77");
    EXPECT_EQ(dialog->remote_cseq(), 321u);
}

TEST(Dialog, NeedsAContactAndABoundedRoute) {
    const auto bare = text("INVITE sip:b@example.org SIP/2.0", "", "1 INVITE");
    const auto none = Dialog::as_uas(*Message::parse(bare), "bt");
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().code(), 400);
    std::string routes = "Contact: <sip:a@x>\r\n";
    for (std::size_t i = 0; i <= Dialog::max_routes; ++i) {
        routes += fmt::format("Record-Route: <sip:p{}.example.com;lr>\r\n", i);
    }
    const auto many = text("INVITE sip:b@example.org SIP/2.0", routes, "1 INVITE");
    EXPECT_FALSE(Dialog::as_uas(*Message::parse(many), "bt"));
}

// Section 13.2.2.4: the 2xx decides the route set, whatever a 1xx said.
TEST(Dialog, TheRouteSetOfAnEarlyDialogIsSettledByThe2xx) {
    const auto early = text("SIP/2.0 180 Ringing", callee_routes, "1 INVITE");
    auto dialog = Dialog::as_uac(*Message::parse(early), "sip:b@example.org");
    ASSERT_TRUE(dialog);
    EXPECT_EQ(dialog->state(), Dialog::State::early);
    const auto ok = text("SIP/2.0 200 OK", "Contact: <sip:b@192.0.2.99>\r\n", "1 INVITE");
    dialog->receive_response(*Message::parse(ok));
    EXPECT_EQ(dialog->state(), Dialog::State::confirmed);
    EXPECT_TRUE(dialog->route_set().empty());
    EXPECT_EQ(dialog->next_hop(), "sip:b@192.0.2.99");
}

}  // namespace
}  // namespace strowger::sip
