#include "wire/ng/framing.hpp"

#include <gtest/gtest.h>

namespace strowger::ng {
namespace {

TEST(Message, IsCookieSpaceDocument) {
    const auto message = split_message("5323_1 d7:command4:pinge");
    ASSERT_TRUE(message);
    EXPECT_EQ(message->cookie, "5323_1");
    EXPECT_EQ(message->document, "d7:command4:pinge");
    EXPECT_EQ(join_message(message->cookie, "d6:result4:ponge"), "5323_1 d6:result4:ponge");
}

TEST(Message, WithoutACookieIsNone) {
    EXPECT_FALSE(split_message("d7:command4:pinge"));
    EXPECT_FALSE(split_message(" d7:command4:pinge"));
    EXPECT_FALSE(split_message(""));
    EXPECT_TRUE(split_message(std::string(max_cookie, 'c') + " de"));
    EXPECT_FALSE(split_message(std::string(max_cookie + 1, 'c') + " de"));
}

/// What a framer makes of a text that comes in parts of `size` bytes.
std::vector<std::string> framed(std::string_view text, std::size_t size) {
    StreamFramer framer;
    std::vector<std::string> found;
    for (; !text.empty(); text.remove_prefix(std::min(size, text.size()))) {
        framer.receive(text.substr(0, size));
        for (;;) {
            const auto message = framer.poll();
            if (!message) {
                found.push_back(message.error().text());
                return found;
            }
            if (!*message) break;
            found.push_back(std::string((*message)->cookie) + "|" +
                            std::string((*message)->document));
        }
    }
    return found;
}

TEST(StreamFramer, FindsMessagesHoweverTheyAreCut) {
    const std::string stream =
        "1 d7:command4:pinge2 {\"a\":\"}\\\"{\",\"b\":[{}]}\r\n"
        "3 d3:sdp6:e d1:x4:flagli-12e0:deee\n4 {}";
    const std::vector<std::string> expected{"1|d7:command4:pinge",
                                            "2|{\"a\":\"}\\\"{\",\"b\":[{}]}",
                                            "3|d3:sdp6:e d1:x4:flagli-12e0:deee", "4|{}"};
    for (const std::size_t size : {1U, 2U, 3U, 7U, 1000U}) {
        EXPECT_EQ(framed(stream, size), expected) << size;
    }
}

TEST(StreamFramer, WaitsForTheRest) {
    EXPECT_TRUE(framed("1 d7:command4:ping", 5).empty());
    EXPECT_TRUE(framed("1 {\"a\":\"}", 5).empty());
    EXPECT_TRUE(framed("cookie", 2).empty());
}

TEST(StreamFramer, EndsOnWhatCanBeNoMessage) {
    EXPECT_EQ(framed("GET / HTTP/1.1\r\n", 4),
              (std::vector<std::string>{
                  "NG stream: what follows the cookie is neither bencode nor JSON"}));
    EXPECT_EQ(framed(std::string(300, 'x'), 100),
              (std::vector<std::string>{"NG stream: a cookie of more than 255 bytes"}));
    EXPECT_EQ(framed("1 d9999999:", 100),
              (std::vector<std::string>{
                  "NG stream: what follows the cookie is neither bencode nor JSON"}));
    EXPECT_EQ(framed("1 {\"" + std::string(max_document, 'x'), 65'536),
              (std::vector<std::string>{"NG stream: a message of more than 1048576 bytes"}));
}

}  // namespace
}  // namespace strowger::ng
