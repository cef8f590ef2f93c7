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

/// The F1 message with one line exchanged for others (each with its CRLF).
std::string with(std::string_view old_line, std::string_view new_lines) {
    std::string text(register_f1);
    const auto at = text.find(old_line);
    EXPECT_NE(at, std::string::npos) << old_line;
    return text.replace(at, text.find("\r\n", at) + 2 - at, new_lines);
}

int refusal(const std::string& bytes) {
    const auto message = Message::parse(bytes);
    return message ? -1 : message.error().code();
}
constexpr int taken = -1;

TEST(Message, TakesCompactForms) {
    const std::string text =
        "INVITE sip:a@b SIP/2.0\r\nv: SIP/2.0/UDP c;branch=z9hG4bK1\r\nf: <sip:d@e>;tag=1\r\n"
        "t: <sip:a@b>\r\ni: x\r\nCSeq: 1 INVITE\r\nm: <sip:d@c>\r\nk: timer, 100REL\r\n"
        "c: application/sdp\r\ns: hello\r\nr: <sip:r>\r\nb: <sip:b>\r\no: refer\r\nx: 90\r\n"
        "l: 3\r\n\r\nv=0";
    const auto m = Message::parse(text);
    ASSERT_TRUE(m) << m.error().text();
    EXPECT_EQ(m->call_id(), "x");
    EXPECT_EQ(m->header(HeaderId::content_type), "application/sdp");
    EXPECT_EQ(m->header(HeaderId::refer_to), "<sip:r>");
    EXPECT_EQ(m->header("Session-Expires"), "90");
    EXPECT_TRUE(m->lists(HeaderId::supported, "100rel"));
    EXPECT_FALSE(m->lists(HeaderId::supported, "100"));
    EXPECT_EQ(m->body(), "v=0");
}

TEST(Message, TakesListsApartButNotWithinQuotesAndBrackets) {
    const auto text = with("Contact",
                           "Contact: \"a, \\\"b\" <sip:a@b;x=1,2>;q=1 ,<sip:c>\r\n"
                           "Contact: <sip:d>\r\n"
                           "Date: Sat, 13 Nov 2010 23:29:00 GMT\r\n");
    const auto m = Message::parse(text);
    ASSERT_TRUE(m) << m.error().text();
    EXPECT_EQ(
        m->values(HeaderId::contact),
        (std::vector<std::string_view>{"\"a, \\\"b\" <sip:a@b;x=1,2>;q=1", "<sip:c>", "<sip:d>"}));
    EXPECT_EQ(m->values(HeaderId::date).size(), 1u);
}

TEST(Message, ReadsResponses) {
    const std::string text =
        "SIP/2.0 180 Ringing\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a>;tag=1\r\n"
        "To: <sip:b>;tag=2\r\nCall-ID: x\r\nCSeq: 7 INVITE\r\n\r\n";
    const auto m = Message::parse(text);
    ASSERT_TRUE(m) << m.error().text();
    EXPECT_FALSE(m->is_request());
    EXPECT_EQ(m->status(), 180);
    EXPECT_EQ(m->reason(), "Ringing");
    EXPECT_EQ(m->method(), Method::invite);
    EXPECT_EQ(m->to_tag(), "2");
}

TEST(Message, RefusesASecondOfWhatStandsOnce) {
    for (const std::string line :
         {"From: <sip:a>;tag=1", "To: <sip:a>", "t: <sip:a>", "Call-ID: y", "i: y",
          "CSeq: 1826 REGISTER", "Max-Forwards: 70", "Content-Length: 0", "l: 0"})
        EXPECT_EQ(refusal(with("Expires", line + "\r\n")), 400) << line;
}

TEST(Message, RefusesARequestWithoutWhatItNeeds) {
    for (const auto* line : {"From", "To", "Call-ID", "CSeq", "Via"})
        EXPECT_EQ(refusal(with(line, "")), 400) << line;
    EXPECT_EQ(refusal(with("Max-Forwards", "")), taken);  // as RFC 2543 did
    EXPECT_EQ(refusal(with("Content-Length", "")), taken);
}

TEST(Message, BoundsItsNumbers) {
    EXPECT_EQ(refusal(with("CSeq", "CSeq: 2147483647 REGISTER\r\n")), taken);
    EXPECT_EQ(refusal(with("CSeq", "CSeq: 2147483648 REGISTER\r\n")), 400);
    EXPECT_EQ(refusal(with("CSeq", "CSeq: -1 REGISTER\r\n")), 400);
    EXPECT_EQ(refusal(with("CSeq", "CSeq: 1REGISTER\r\n")), 400);
    EXPECT_EQ(refusal(with("CSeq", "CSeq: 1\r\n")), 400);
    EXPECT_EQ(refusal(with("Max-Forwards", "Max-Forwards: many\r\n")), 400);
    EXPECT_EQ(refusal(with("Content-Length", "Content-Length: -1\r\n")), 400);
    EXPECT_EQ(refusal(with("Content-Length", "Content-Length: 1\r\n")), 400);
    EXPECT_EQ(refusal(with("Content-Length", "Content-Length: 18446744073709551616\r\n")), 400);
    EXPECT_EQ(refusal(with("Content-Length", "Content-Length: 0x0\r\n")), 400);
    EXPECT_EQ(refusal(with("Content-Length", "Content-Length:\r\n")), 400);
}

std::string vias(std::size_t count) {
    std::string lines;
    for (std::size_t i = 0; i < count; ++i) lines += "v: SIP/2.0/UDP a;branch=z9hG4bK1\r\n";
    return lines;
}

TEST(Message, TakesSoManyHeadersAndNoMore) {
    const auto most = with("Via", vias(Message::max_headers - 8));  // F1 has nine lines
    const auto m = Message::parse(most);
    ASSERT_TRUE(m) << m.error().text();
    EXPECT_EQ(m->headers().size(), Message::max_headers);
    EXPECT_EQ(m->values(HeaderId::via).size(), Message::max_headers - 8);
    EXPECT_EQ(m->header(HeaderId::content_length), "0");
    EXPECT_EQ(refusal(with("Via", vias(Message::max_headers - 7))), 513);
    EXPECT_EQ(refusal(with("Via", vias(1000))), 513);
}

TEST(Message, RefusesTenThousandViasAsTooLarge) {
    EXPECT_EQ(refusal(with("Via", vias(10000))), 513);
    std::string list = "Via: SIP/2.0/UDP a";
    while (list.size() < Message::max_size) list += ",SIP/2.0/UDP a";
    EXPECT_EQ(refusal(with("Via", list + "\r\n")), 513);
}

TEST(Message, StaysValidWhenCopiedWithManyHeaders) {
    const auto text = with("Via", vias(100));
    const auto m = Message::parse(text);
    ASSERT_TRUE(m);
    const Message copy = *m;
    EXPECT_EQ(copy.headers().size(), 108u);
    EXPECT_EQ(copy.headers()[107].value, "0");
}

TEST(Message, WantsCrlfAndNothingLess) {
    EXPECT_EQ(refusal(with("Expires", "Expires: 7200\n")), 400);
    EXPECT_EQ(refusal(with("Expires", "Expires: 72\r00\r\n")), 400);
    EXPECT_EQ(refusal(std::string(register_f1.substr(0, register_f1.size() - 2))), 400);
    EXPECT_EQ(refusal(std::string(register_f1.substr(0, 100))), 400);
    EXPECT_EQ(refusal("\r\n\r\n" + std::string(register_f1)), taken);  // section 7.5
}

TEST(Message, RefusesLinesThatAreNoHeaders) {
    EXPECT_EQ(refusal(with("Expires", "Expires 7200\r\n")), 400);
    EXPECT_EQ(refusal(with("Expires", ": 7200\r\n")), 400);
    EXPECT_EQ(refusal(with("Expires", "Exp ires: 7200\r\n")), 400);
    EXPECT_EQ(refusal(with("Expires", "Exp\xc3\xa4: 7200\r\n")), 400);
}

TEST(Message, RefusesControlCharactersAndEmptyTagsInWhatResponsesCarryBack) {
    EXPECT_EQ(refusal(with("Call-ID", std::string("Call-ID: a\0b\r\n", 14))), 400);
    EXPECT_EQ(refusal(with("Call-ID", "Call-ID: a b\r\n")), 400);
    EXPECT_EQ(refusal(with("From", "From: <sip:a>;tag=\"x\r\n y\"\r\n")), 400);
    EXPECT_EQ(refusal(with("To", "To: <sip:a>;tag=\r\n")), 400);
    EXPECT_EQ(refusal(with("From", "From: <sip:a>;tag\r\n")), 400);
    EXPECT_EQ(refusal(with("Via", std::string("Via: SIP/2.0/UDP a;branch=x\0y\r\n", 32))), 400);
}

TEST(Message, HasNoAnswerToGarbageAndResponses) {
    EXPECT_EQ(refusal(""), 0);
    EXPECT_EQ(refusal("\r\n\r\n"), 0);
    EXPECT_EQ(refusal("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), 0);
    EXPECT_EQ(refusal(std::string(2000, '\0')), 0);
    EXPECT_EQ(refusal("SIP/2.0 200 OK\r\n\r\n"), 0);
    EXPECT_EQ(refusal("SIP/2.0 99 Low\r\n\r\n"), 0);
}

TEST(Message, EveryTruncationIsRefusedOrTaken) {
    for (std::size_t size = 0; size < register_f1.size(); ++size)
        EXPECT_NE(refusal(std::string(register_f1.substr(0, size))), taken) << size;
}

TEST(HeaderId, NamesAndIdsAgree) {
    for (int i = 1; i <= static_cast<int>(HeaderId::x_asterisk_hangup_cause); ++i) {
        const auto id = static_cast<HeaderId>(i);
        EXPECT_EQ(header_by_name(name_of(id)), id) << name_of(id);
    }
    EXPECT_EQ(header_by_name("CALL-id"), HeaderId::call_id);
    EXPECT_EQ(header_by_name("X-Unknown"), HeaderId::other);
    EXPECT_EQ(header_by_name(""), HeaderId::other);
    EXPECT_EQ(name_of(HeaderId::other), "");
}

TEST(Method, IsCaseSensitive) {
    EXPECT_EQ(method_by_name("INVITE"), Method::invite);
    EXPECT_EQ(method_by_name("invite"), Method::unknown);
    EXPECT_EQ(name_of(Method::register_), "REGISTER");
    EXPECT_EQ(name_of(Method::unknown), "");
}

}  // namespace
}  // namespace strowger::sip
