#include "wire/ng/document.hpp"

#include <gtest/gtest.h>

namespace strowger::ng {
namespace {

std::string error_of(std::string_view text) {
    const auto parsed = Document::parse(text);
    return parsed ? "none" : parsed.error().text();
}

/// The document on one line, to compare with.
std::string shown(const Value& value) {
    std::string text;
    switch (value.kind()) {
        case Kind::string: return "'" + std::string(*value.text()) + "'";
        case Kind::integer: return std::to_string(*value.integer());
        case Kind::list:
            value.each([&](const Value& one) { text += (text.empty() ? "" : ",") + shown(one); });
            return "[" + text + "]";
        case Kind::dictionary:
            value.each_pair([&](std::string_view key, const Value& one) {
                text += (text.empty() ? "" : ",") + std::string(key) + "=" + shown(one);
            });
            return "{" + text + "}";
    }
    return text;
}
std::string shown(std::string_view text) {
    const auto parsed = Document::parse(text);
    return parsed ? shown(parsed->root()) : parsed.error().text();
}

TEST(Document, IsReadFromBencode) {
    const auto document = Document::parse(
        "d7:call-id3:abc5:flagsl13:trust-address7:replacee5:delayi30e3:sdp5:v=0\r\n"
        "8:supportsd4:nonele3:yesi-1eee");
    ASSERT_TRUE(document) << document.error().text();
    EXPECT_EQ(document->encoding(), Encoding::bencode);
    EXPECT_EQ(shown(document->root()),
              "{call-id='abc',flags=['trust-address','replace'],delay=30,sdp='v=0\r\n',"
              "supports={none=[],yes=-1}}");
    EXPECT_EQ(document->root().size(), 5U);
    EXPECT_EQ(document->find("flags")->size(), 2U);
    EXPECT_EQ(document->find("supports")->find("yes")->integer(), -1);
}

TEST(Document, IsReadFromJson) {
    const auto document = Document::parse(
        R"( {"command" : "offer", "sdp":"v=0\r\no=- \"x\"\/\\ \u00e9\ud83d\ude00\r\n", )"
        R"("flags": [ ], "delay":-30, "on":true,"off":false,"nothing":null,"mos":4.25,"a":{"b":[1,[2]]}} )" +
        1);
    ASSERT_TRUE(document) << document.error().text();
    EXPECT_EQ(document->encoding(), Encoding::json);
    EXPECT_EQ(shown(document->root()),
              "{command='offer',sdp='v=0\r\no=- \"x\"/\\ \xc3\xa9\xf0\x9f\x98\x80\r\n',flags=[],"
              "delay=-30,on=1,off=0,nothing='',mos='4.25',a={b=[1,[2]]}}");
}

TEST(Document, BorrowsWhatNeedsNoUnescaping) {
    const std::string text = R"({"call-id":"abc"})";
    const auto document = Document::parse(text).value();
    const auto call = document.text_of("call-id");
    EXPECT_GE(call.data(), text.data());
    EXPECT_LT(call.data(), text.data() + text.size());
}

TEST(Document, HasKeysInEverySpelling) {
    const auto document = Document::parse("d8:from_tag1:a8:RTCP-MUX1:be").value();
    EXPECT_EQ(document.text_of("from-tag"), "a");
    EXPECT_EQ(document.text_of("From Tag"), "a");
    EXPECT_EQ(document.text_of("rtcp mux"), "b");
    EXPECT_EQ(document.text_of("fromtag"), "");
    EXPECT_TRUE(same_word("media address", "Media_Address"));
    EXPECT_FALSE(same_word("media address", "media addres"));
}

TEST(Document, ReadsNumbersAndStringsAsEitherIsAskedFor) {
    for (const auto text : {"d1:a2:301:bi30e1:c2:3xe", R"({"a":"30","b":30,"c":"3x"})"}) {
        const auto document = Document::parse(text).value();
        EXPECT_EQ(document.find("a")->integer(), 30);
        EXPECT_EQ(document.find("b")->integer(), 30);
        EXPECT_EQ(document.text_of("a"), "30");
        EXPECT_EQ(document.text_of("b"), "30");
        EXPECT_EQ(document.find("c")->integer(), std::nullopt);
        EXPECT_EQ(document.root().text(), std::nullopt);
        EXPECT_EQ(document.root().integer(), std::nullopt);
    }
}

TEST(Document, TakesTheFirstOfTwoMembersOfOneName) {
    EXPECT_EQ(Document::parse("d1:a1:x1:a1:ye").value().text_of("a"), "x");
}

TEST(Document, HoldsAnyBytes) {
    const std::string bytes("\0\xff\x80 e:", 6);
    const std::string text = "d3:sdp6:" + bytes + "e";
    EXPECT_EQ(Document::parse(text).value().text_of("sdp"), bytes);
}

TEST(Document, MayBeFollowedByBlanksOnly) {
    EXPECT_EQ(shown("de\r\n"), "{}");
    EXPECT_EQ(shown("{}\r\n"), "{}");
    EXPECT_EQ(error_of("dede"), "bencode at byte 2: more than one document");
    EXPECT_EQ(error_of("{}{}"), "JSON at byte 2: more than one document");
}

TEST(Document, SaysWhatIsWrongWithBencode) {
    EXPECT_EQ(error_of("d"), "bencode at byte 1: the end is missing");
    EXPECT_EQ(error_of("d1:a"), "bencode at byte 4: the end is missing");
    EXPECT_EQ(error_of("d1:ae"), "bencode at byte 4: a key without a value");
    EXPECT_EQ(error_of("di1e1:ae"), "bencode at byte 1: a key is a string, not 'i'");
    EXPECT_EQ(error_of("d5:abc"), "bencode at byte 1: a string of 5 bytes, but 3 follow");
    EXPECT_EQ(error_of("d99999999999999999999:abc"),
              "bencode at byte 1: the length of a string ends with a colon");
    EXPECT_EQ(error_of("d1a:x"), "bencode at byte 1: the length of a string ends with a colon");
    EXPECT_EQ(error_of("d1:ai12xe"), "bencode at byte 4: not an integer of 64 bits");
    EXPECT_EQ(error_of("d1:ai9223372036854775808ee"),
              "bencode at byte 4: not an integer of 64 bits");
    EXPECT_EQ(error_of("d1:axe"), "bencode at byte 4: 'x' begins no value");
}

TEST(Document, SaysWhatIsWrongWithJson) {
    EXPECT_EQ(error_of("{"), "JSON at byte 1: a key is a string");
    EXPECT_EQ(error_of("{\"a\"}"), "JSON at byte 4: a colon is missing");
    EXPECT_EQ(error_of("{\"a\":}"), "JSON at byte 5: not a value");
    EXPECT_EQ(error_of("{\"a\":1"), "JSON at byte 6: a comma or the end of the list is missing");
    EXPECT_EQ(error_of("{\"a\":1,}"), "JSON at byte 7: a key is a string");
    EXPECT_EQ(error_of("{\"a\":\"x"), "JSON at byte 6: a string without an end");
    EXPECT_EQ(error_of("{\"a\":\"\\x\"}"), "JSON at byte 7: unknown escape in a string");
    EXPECT_EQ(error_of("{\"a\":\"\\u12g4\"}"),
              "JSON at byte 7: \\u without four hexadecimal digits");
    EXPECT_EQ(error_of("{\"a\":\"\\ud800x\"}"), "JSON at byte 12: half of a surrogate pair");
    EXPECT_EQ(error_of("{\"a\":-}"), "JSON at byte 5: not a value");
    EXPECT_EQ(error_of("{\"a\":tru}"), "JSON at byte 5: not a value");
}

TEST(Document, IsADictionary) {
    EXPECT_EQ(error_of("le"), "a message begins with 'd' or '{', not 'l'");
    EXPECT_EQ(error_of(""), "a message begins with 'd' or '{', not ''");
    EXPECT_EQ(error_of("[]"), "a message begins with 'd' or '{', not '['");
}

TEST(Document, IsBoundedInSizeDepthAndNumberOfValues) {
    const auto nested = [](std::size_t depth) {
        return "d1:a" + std::string(depth - 1, 'l') + std::string(depth, 'e');
    };
    EXPECT_EQ(error_of(nested(max_depth)), "none");
    EXPECT_NE(error_of(nested(max_depth + 1)).find("32 levels"), std::string::npos);
    const auto json = [](std::size_t depth) {
        return "{\"a\":" + std::string(depth - 1, '[') + std::string(depth - 1, ']') + "}";
    };
    EXPECT_EQ(error_of(json(max_depth)), "none");
    EXPECT_NE(error_of(json(max_depth + 1)).find("32 levels"), std::string::npos);
    std::string many = "d1:al";
    for (std::size_t i = 0; i < max_values - 3; ++i) many += "0:";
    EXPECT_EQ(error_of(many + "ee"), "none");
    EXPECT_NE(error_of(many + "0:ee").find("65536 values"), std::string::npos);
    EXPECT_EQ(error_of(std::string(max_document + 1, 'd')),
              "a message of 1048577 bytes, more than 1048576");
}

}  // namespace
}  // namespace strowger::ng
