#include "wire/ng/writer.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

namespace strowger::ng {
namespace {

std::string reply(Encoding encoding) {
    return Writer(encoding)
        .dictionary()
        .pair("result", "ok")
        .pair("created", 1700000000)
        .key("tags")
        .list()
        .string("a")
        .integer(-1)
        .dictionary()
        .end()
        .end()
        .key("totals")
        .dictionary()
        .pair("sdp", "v=0\r\n")
        .pair("bytes", std::uint64_t{1} << 40)
        .end()
        .end()
        .take();
}

TEST(Writer, WritesBencode) {
    EXPECT_EQ(reply(Encoding::bencode),
              "d6:result2:ok7:createdi1700000000e4:tagsl1:ai-1edee6:totals"
              "d3:sdp5:v=0\r\n5:bytesi1099511627776eee");
}

TEST(Writer, WritesJson) {
    EXPECT_EQ(reply(Encoding::json), R"({"result":"ok","created":1700000000,"tags":["a",-1,{}],)"
                                     R"("totals":{"sdp":"v=0\r\n","bytes":1099511627776}})");
}

TEST(Writer, WritesWhatTheParserReads) {
    std::string text =
        "tab\t quote\" back\\ slash/ bell\x07 \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80";
    for (const auto encoding : {Encoding::bencode, Encoding::json}) {
        const auto written = Writer(encoding).dictionary().pair("x", text).end().take();
        EXPECT_EQ(Document::parse(written).value().text_of("x"), text) << written;
    }
}

TEST(Writer, MakesLatin1OfBytesThatAreNoUtf8) {
    const auto json = [](std::string_view text) {
        return Writer(Encoding::json).dictionary().pair("x", text).end().take();
    };
    EXPECT_EQ(json("caf\xe9"), "{\"x\":\"caf\xc3\xa9\"}");
    EXPECT_EQ(json("\xc0\xaf"), "{\"x\":\"\xc3\x80\xc2\xaf\"}");              // overlong
    EXPECT_EQ(json("\xed\xa0\x80"), "{\"x\":\"\xc3\xad\xc2\xa0\xc2\x80\"}");  // a surrogate
    EXPECT_EQ(json("\xf4\x90\x80\x80"), "{\"x\":\"\xc3\xb4\xc2\x90\xc2\x80\xc2\x80\"}");
    EXPECT_EQ(json("\xe2\x82"), "{\"x\":\"\xc3\xa2\xc2\x82\"}");  // cut off
    EXPECT_EQ(Writer(Encoding::bencode).dictionary().pair("x", "\xff").end().take(),
              "d1:x1:\xff"
              "e");
}

TEST(Writer, RefusesWhatIsNoDocument) {
    EXPECT_THROW(Writer(Encoding::json).take(), std::logic_error);
    EXPECT_THROW(Writer(Encoding::json).dictionary().take(), std::logic_error);
    EXPECT_THROW(Writer(Encoding::json).dictionary().string("x"), std::logic_error);
    EXPECT_THROW(Writer(Encoding::json).dictionary().key("x").end(), std::logic_error);
    EXPECT_THROW(Writer(Encoding::json).dictionary().key("x").key("y"), std::logic_error);
    EXPECT_THROW(Writer(Encoding::json).list().key("x"), std::logic_error);
    EXPECT_THROW(Writer(Encoding::json).dictionary().end().dictionary(), std::logic_error);
    EXPECT_THROW(Writer(Encoding::json).end(), std::logic_error);
}

}  // namespace
}  // namespace strowger::ng
