#include "wire/sip/uri.hpp"

#include <gtest/gtest.h>

namespace strowger::sip {
namespace {

bool equal(std::string_view a, std::string_view b) {
    const auto one = Uri::parse(a);
    const auto other = Uri::parse(b);
    EXPECT_TRUE(one && other) << a << " " << b;
    if (!one || !other) return false;
    EXPECT_EQ(equivalent(*one, *other), equivalent(*other, *one));
    return equivalent(*one, *other);
}

TEST(Uri, HasItsParts) {
    const auto uri =
        Uri::parse("sips:al%20ice:pw@[2001:db8::1]:5061;transport=tcp;lr?Subject=a&Priority=b");
    ASSERT_TRUE(uri) << uri.error().text();
    EXPECT_TRUE(uri->is_secure());
    EXPECT_EQ(uri->user, "al%20ice");
    EXPECT_EQ(uri->password, "pw");
    EXPECT_EQ(uri->host, "[2001:db8::1]");
    EXPECT_EQ(uri->port, 5061);
    EXPECT_EQ(uri->parameters, ";transport=tcp;lr");
    EXPECT_EQ(uri->parameter("TRANSPORT"), "tcp");
    EXPECT_EQ(uri->parameter("lr"), "");
    EXPECT_EQ(uri->parameter("ttl"), std::nullopt);
    EXPECT_EQ(uri->headers, "Subject=a&Priority=b");
    EXPECT_EQ(uri->text(),
              "sips:al%20ice:pw@[2001:db8::1]:5061;transport=tcp;lr?Subject=a&Priority=b");
}

TEST(Uri, TakesTelephoneNumbers) {
    const auto uri = Uri::parse("tel:+1-201-555-0123;phone-context=example.com");
    ASSERT_TRUE(uri);
    EXPECT_EQ(uri->user, "+1-201-555-0123");
    EXPECT_EQ(uri->parameter("phone-context"), "example.com");
    EXPECT_EQ(uri->text(), "tel:+1-201-555-0123;phone-context=example.com");
    EXPECT_TRUE(equal("tel:+1-201-555-0123", "tel:+12015550123"));
    EXPECT_FALSE(equal("tel:+1201", "tel:+1201;ext=1"));
}

TEST(Uri, RefusesWhatIsNone) {
    for (const auto* text : {"", "sip", "sip:", "sip:@a", "sip:a@", "sip:a b@c", "sip:a@b c",
                             "sip:a@b:", "sip:a@b:65536", "sip:a@b:5060x", "sip:a@[::1", "sip:a@[]",
                             "sip:a@b>", "sip:a@b@c", "tel:", "tel:alice", "sip:a@b;x=\"y\""})
        EXPECT_FALSE(Uri::parse(text)) << text;
    EXPECT_EQ(Uri::parse("http://a").error().code(), 416);
    std::string many = "sip:a";
    for (int i = 0; i < 65; ++i) many += ";p";
    EXPECT_FALSE(Uri::parse(many));
}

TEST(Uri, IsEquivalentAsInTheExamplesOfRfc3261) {  // section 19.1.4
    EXPECT_TRUE(
        equal("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtlanTa.CoM;Transport=tcp"));
    EXPECT_TRUE(equal("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"));
    EXPECT_TRUE(equal("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"));
    EXPECT_TRUE(equal("sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on"));
    EXPECT_TRUE(equal("sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
                      "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com"));
    EXPECT_TRUE(equal("sip:alice@atlanta.com?subject=project%20x&priority=urgent",
                      "sip:alice@atlanta.com?priority=urgent&subject=project%20x"));
}

TEST(Uri, DiffersAsInTheExamplesOfRfc3261) {
    EXPECT_FALSE(
        equal("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"));
    EXPECT_FALSE(equal("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"));
    EXPECT_FALSE(equal("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"));
    EXPECT_FALSE(equal("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"));
    EXPECT_FALSE(equal("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"));
    EXPECT_FALSE(equal("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"));
    EXPECT_FALSE(equal("sip:a@b", "sips:a@b"));
    EXPECT_FALSE(equal("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"));
}

TEST(Uri, OfADoubledParameterTheFirstCounts) {
    EXPECT_TRUE(equal("sip:a;transport=tcp;transport=udp", "sip:a;transport=tcp;transport=udp"));
    EXPECT_TRUE(equal("sip:a;transport=tcp;transport=udp", "sip:a;transport=tcp"));
    EXPECT_FALSE(equal("sip:a;transport=tcp;transport=udp", "sip:a;transport=udp"));
}

TEST(Uri, EscapesAndUnescapes) {
    EXPECT_EQ(unescape("a%20b%2Fc%zz%4"), "a b/c%zz%4");
    EXPECT_EQ(escape_user("a b@c:%\xc3\xa4+1"), "a%20b%40c%3A%25%C3%A4+1");
    EXPECT_EQ(unescape(escape_user("a b@c")), "a b@c");
}

TEST(NameAddress, HasItsParts) {
    const auto quoted = NameAddress::parse("\"Al \\\"<x>\\\" B\" <sip:a@b;lr>;tag=1 ; expires=60");
    ASSERT_TRUE(quoted) << quoted.error().text();
    EXPECT_EQ(quoted->display_name, "Al \\\"<x>\\\" B");
    EXPECT_EQ(quoted->display_text(), "Al \"<x>\" B");
    EXPECT_EQ(quoted->uri, "sip:a@b;lr");
    EXPECT_EQ(quoted->parameter("tag"), "1");
    EXPECT_EQ(quoted->parameter("Expires"), "60");
    const auto tokens = NameAddress::parse("Bob Smith<sip:a@b>");
    ASSERT_TRUE(tokens);
    EXPECT_EQ(tokens->display_text(), "Bob Smith");
    const auto bare = NameAddress::parse(" sip:a@b;tag=2 ");
    ASSERT_TRUE(bare);
    EXPECT_EQ(bare->uri, "sip:a@b");
    EXPECT_EQ(bare->parameter("tag"), "2");
}

TEST(NameAddress, RefusesWhatIsNone) {
    for (const auto* text : {"", "Bob", "<sip:a@b", "\"x <sip:a>", "\"x\" sip:a", "<sip:a>;;",
                             "<sip:a>;=x", "<sip:a> x", "<>", "sip:a?b=c", "sip:a,sip:b",
                             "A, B <sip:a>", "<sip:a >", "<sip:a>;t=\"x"})
        EXPECT_FALSE(NameAddress::parse(text)) << text;
}

}  // namespace
}  // namespace strowger::sip
