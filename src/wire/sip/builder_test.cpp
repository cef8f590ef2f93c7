#include "wire/sip/builder.hpp"

#include <gtest/gtest.h>

namespace strowger::sip {
namespace {

std::string request_from(std::string_view via, std::string_view to) {
    return fmt::format(
        "INVITE sip:bob@b SIP/2.0\r\nVia: {}\r\nv: SIP/2.0/UDP second;branch=z9hG4bK2\r\n"
        "From: Alice <sip:alice@a>;tag=1\r\nTo: {}\r\nCall-ID: x@y\r\nCSeq: 3 INVITE\r\n"
        "Timestamp: 54\r\n\r\n",
        via, to);
}

TEST(Builder, WritesARequestFrontToBack) {
    auto builder = Builder::request("OPTIONS", "sip:bob@example.com");
    builder.header(HeaderId::call_id, "id").header("X-Trace", "1").header(HeaderId::expires, 60);
    EXPECT_EQ(std::move(builder).finish("v=0\r\n", "application/sdp"),
              "OPTIONS sip:bob@example.com SIP/2.0\r\nCall-ID: id\r\nX-Trace: 1\r\nExpires: 60\r\n"
              "Content-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=0\r\n");
}

TEST(Builder, AResponseCopiesWhatSection8_2_6_2Says) {
    const auto text = request_from("SIP/2.0/UDP first;branch=z9hG4bK1", "<sip:bob@b>");
    const auto request = Message::parse(text);
    ASSERT_TRUE(request);
    EXPECT_EQ(Builder::response_to(*request, 486, "tt").finish(),
              "SIP/2.0 486 Busy Here\r\nVia: SIP/2.0/UDP first;branch=z9hG4bK1\r\n"
              "Via: SIP/2.0/UDP second;branch=z9hG4bK2\r\nFrom: Alice <sip:alice@a>;tag=1\r\n"
              "To: <sip:bob@b>;tag=tt\r\nCall-ID: x@y\r\nCSeq: 3 INVITE\r\n"
              "Content-Length: 0\r\n\r\n");
    EXPECT_NE(Builder::response_to(*request, 100, "").finish().find("Timestamp: 54\r\n"),
              std::string::npos);
    EXPECT_EQ(Builder::response_to(*request, 100, "").finish().find("To: <sip:bob@b>;"),
              std::string::npos);
}

TEST(Builder, KeepsATagThatIsThere) {
    const auto text = request_from("SIP/2.0/UDP a", "<sip:bob@b>;tag=old");
    EXPECT_NE(Builder::response_to(*Message::parse(text), 200, "new")
                  .finish()
                  .find("To: <sip:bob@b>;tag=old\r\n"),
              std::string::npos);
}

std::string marked(std::string_view via) {
    const auto text = request_from(via, "<sip:bob@b>");
    const SocketAddress source{IpAddress::v4({192, 0, 2, 1}), 5062};
    const auto wire = Builder::response_to(*Message::parse(text), 200, "t", {}, source).finish();
    const auto start = wire.find("Via: ") + 5;
    return wire.substr(start, wire.find("\r\n", start) - start);
}

TEST(Builder, MarksTheTopViaWithItsSource) {  // RFC 3581 section 4
    EXPECT_EQ(marked("SIP/2.0/UDP 10.1.1.1:4540;rport;branch=z9hG4bKkjshdyff"),
              "SIP/2.0/UDP 10.1.1.1:4540;rport=5062;branch=z9hG4bKkjshdyff;received=192.0.2.1");
    EXPECT_EQ(marked("SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1"),
              "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1");
    EXPECT_EQ(marked("SIP/2.0/UDP 192.0.2.1;rport;branch=z9hG4bK1"),
              "SIP/2.0/UDP 192.0.2.1;rport=5062;branch=z9hG4bK1;received=192.0.2.1");
    EXPECT_EQ(marked("SIP/2.0/UDP host.example.com;branch=z9hG4bK1;received=203.0.113.9"),
              "SIP/2.0/UDP host.example.com;branch=z9hG4bK1;received=192.0.2.1");
    EXPECT_EQ(marked("SIP/2.0/UDP a;branch=1 , SIP/2.0/TCP b;x=\"y,z\""),
              "SIP/2.0/UDP a;branch=1;received=192.0.2.1, SIP/2.0/TCP b;x=\"y,z\"");
}

TEST(Builder, LetsNoValueStartAHeader) {
    auto builder = Builder::response(200, std::string_view("OK\r\nEvil: 1\0", 12));
    builder.header("X-Name", "a\r\nContent-Length: 9");
    EXPECT_EQ(std::move(builder).finish(),
              "SIP/2.0 200 OK  Evil: 1 \r\nX-Name: a  Content-Length: 9\r\n"
              "Content-Length: 0\r\n\r\n");
}

TEST(ReasonPhrase, FallsBackToItsClass) {
    EXPECT_EQ(reason_phrase(404), "Not Found");
    EXPECT_EQ(reason_phrase(499), "Bad Request");
    EXPECT_EQ(reason_phrase(799), "");
}

}  // namespace
}  // namespace strowger::sip
