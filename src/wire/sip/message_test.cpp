#include "wire/sip/message.hpp"

#include <gtest/gtest.h>

#include <string>

namespace strowger::sip {
namespace {

// RFC 3261 section 24.1, message F1.
constexpr std::string_view register_f1 =
    "REGISTER sip:registrar.biloxi.com SIP/2.0\r\n"
    "Via: SIP/2.0/UDP bobspc.biloxi.com:5060;branch=z9hG4bKnashds7\r\n"
    "Max-Forwards: 70\r\n"
    "To: Bob <sip:bob@biloxi.com>\r\n"
    "From: Bob <sip:bob@biloxi.com>;tag=456248\r\n"
    "Call-ID: 843817637684230@998sdasdh09\r\n"
    "CSeq: 1826 REGISTER\r\n"
    "Contact: <sip:bob@192.0.2.4>\r\n"
    "Expires: 7200\r\n"
    "Content-Length: 0\r\n"
    "\r\n";

TEST(Message, HoldsThePartsOfARequest) {
    const auto message = Message::parse(register_f1);
    ASSERT_TRUE(message) << message.error().text();
    EXPECT_TRUE(message->is_request());
    EXPECT_EQ(message->method(), Method::register_);
    EXPECT_EQ(message->request_uri(), "sip:registrar.biloxi.com");
    EXPECT_EQ(message->top_via(), "SIP/2.0/UDP bobspc.biloxi.com:5060;branch=z9hG4bKnashds7");
    EXPECT_EQ(message->branch(), "z9hG4bKnashds7");
    EXPECT_EQ(message->from(), "Bob <sip:bob@biloxi.com>;tag=456248");
    EXPECT_EQ(message->from_tag(), "456248");
    EXPECT_EQ(message->to_tag(), "");
    EXPECT_EQ(message->call_id(), "843817637684230@998sdasdh09");
    EXPECT_EQ(message->cseq(), 1826u);
    EXPECT_EQ(message->header(HeaderId::expires), "7200");
    EXPECT_EQ(message->header("max-forwards"), "70");
    EXPECT_EQ(message->body(), "");
    EXPECT_EQ(message->bytes(), register_f1);
}

}  // namespace
}  // namespace strowger::sip
