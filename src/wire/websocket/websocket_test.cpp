#include <gtest/gtest.h>

#include <vector>

#include "wire/websocket/frame.hpp"
#include "wire/websocket/reader.hpp"

namespace strowger::websocket {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;

std::string frame(Opcode opcode, std::string_view payload) {
    return frame_header(opcode, payload.size()) + std::string(payload);
}

// What a client would send: the same, masked.
std::string masked(std::string_view head, std::string_view payload,
                   std::string_view mask = "\x37\xfa\x21\x3d") {
    std::string out(head);
    out += mask;
    for (std::size_t i = 0; i < payload.size(); ++i)
        out += static_cast<char>(payload[i] ^ mask[i % 4]);
    return out;
}

/// What a reader tells, a line an event; the error with its code last.
std::vector<std::string> told(Reader& reader, std::string_view text, std::size_t piece = 1 << 20) {
    std::vector<std::string> lines;
    while (!text.empty()) {
        Bytes bytes = as_bytes(text.substr(0, piece));
        text.remove_prefix(bytes.size());
        for (;;) {
            const auto got = reader.next(bytes);
            if (!got) {
                lines.push_back(fmt::format("error {}", got.error().code()));
                return lines;
            }
            if (!*got) break;
            const auto& event = **got;
            using Kind = Reader::Event::Kind;
            const auto payload = as_text(event.payload);
            switch (event.kind) {
                case Kind::message:
                    lines.push_back(fmt::format("{} {}", event.text ? "text" : "binary", payload));
                    break;
                case Kind::ping: lines.push_back(fmt::format("ping {}", payload)); break;
                case Kind::pong: lines.push_back(fmt::format("pong {}", payload)); break;
                case Kind::close:
                    lines.push_back(fmt::format("close {} {}", event.code, payload));
                    break;
            }
        }
    }
    return lines;
}

std::vector<std::string> told(std::string_view text, std::size_t max_message = 1000) {
    Reader reader(max_message);
    return told(reader, text);
}

using Lines = std::vector<std::string>;

// RFC 6455 section 1.3.
TEST(WebSocketHandshake, AnswersTheKeyOfTheStandard) {
    EXPECT_EQ(accept_value("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    EXPECT_TRUE(is_key("dGhlIHNhbXBsZSBub25jZQ=="));
    EXPECT_FALSE(is_key("dGhlIHNhbXBsZSBub25j"));
    EXPECT_FALSE(is_key(""));
    EXPECT_FALSE(is_key("dGhlIHNhbXBsZSBub25jZQ=!"));
}

// Section 5.7.
TEST(WebSocketFrame, LooksAsInTheStandard) {
    EXPECT_EQ(frame(Opcode::text, "Hello"), "\x81\x05Hello");
    EXPECT_EQ(frame(Opcode::ping, "Hello"), "\x89\x05Hello");
    EXPECT_EQ(frame(Opcode::binary, std::string(256, 'x')),
              "\x82\x7e\x01\x00"s + std::string(256, 'x'));
    EXPECT_EQ(frame(Opcode::binary, std::string(65536, 'x')),
              "\x82\x7f\0\0\0\0\0\x01\0\0"s + std::string(65536, 'x'));
    EXPECT_EQ(frame(Opcode::binary, std::string(125, 'x')).substr(0, 2), "\x82\x7d");
    EXPECT_EQ(frame(Opcode::binary, std::string(126, 'x')).substr(0, 4), "\x82\x7e\0\x7e"s);
    EXPECT_EQ(frame(Opcode::binary, std::string(65535, 'x')).substr(0, 4), "\x82\x7e\xff\xff"s);
}

TEST(WebSocketFrame, CutsAReasonBetweenCharacters) {
    EXPECT_EQ(close_payload(1000, "done"),
              "\x03\xe8"
              "done");
    EXPECT_EQ(close_payload(1000, std::string(200, 'x')).size(), max_control_payload);
    const auto cut = close_payload(1000, std::string(122, 'x') + "\xc3\xbc");
    EXPECT_EQ(cut.size(), 124u);
    EXPECT_EQ(cut.back(), 'x');
}

TEST(WebSocketFrame, KnowsTheCodesThatMayBeSent) {
    for (const int good :
         {1000, 1001, 1002, 1003, 1007, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999})
        EXPECT_TRUE(is_close_code(good)) << good;
    for (const int bad : {0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535})
        EXPECT_FALSE(is_close_code(bad)) << bad;
}

// Section 5.7 again: the bytes of a client.
TEST(WebSocketReader, ReadsTheExamplesOfTheStandard) {
    EXPECT_EQ(told("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), Lines{"text Hello"});
    EXPECT_EQ(told("\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), Lines{"pong Hello"});
    EXPECT_EQ(told("\x89\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), Lines{"ping Hello"});
}

TEST(WebSocketReader, JoinsFragmentsBetweenWhichOtherFramesCome) {
    const auto all = masked("\x01\x83", "Hel") + masked("\x89\x82", "hi") +
                     masked("\x00\x80"sv, "") + masked("\x80\x82", "lo") + masked("\x82\x81", "!");
    const Lines expected{"ping hi", "text Hello", "binary !"};
    for (const std::size_t piece : {1u, 2u, 3u, 5u, 7u, 100u}) {
        Reader reader(5);
        EXPECT_EQ(told(reader, all, piece), expected) << "in pieces of " << piece;
    }
}

TEST(WebSocketReader, UnmasksWhereverAPieceEnds) {
    std::string payload;
    for (int i = 0; i < 1000; ++i) payload += static_cast<char>('a' + i % 23);
    const auto bytes = masked("\x81\xfe\x03\xe8", payload);
    for (std::size_t piece = 1; piece < 40; ++piece) {
        Reader reader(1000);
        EXPECT_EQ(told(reader, bytes, piece), Lines{"text " + payload}) << piece;
    }
}

TEST(WebSocketReader, TellsOfTheEnd) {
    EXPECT_EQ(told(masked("\x88\x82", "\x03\xe9")), Lines{"close 1001 "});
    EXPECT_EQ(told(masked("\x88\x85",
                          "\x03\xe8"
                          "bye")),
              Lines{"close 1000 bye"});
    EXPECT_EQ(told(masked("\x88\x80", "")), Lines{"close 1005 "});
    EXPECT_EQ(told(masked("\x88\x81", "\x03")), Lines{"error 1002"});
    EXPECT_EQ(told(masked("\x88\x82", "\x03\xed")), Lines{"error 1002"});  // 1005
    EXPECT_EQ(told(masked("\x88\x83", "\x03\xe8\xff")), Lines{"error 1007"});
}

TEST(WebSocketReader, HoldsToTheLongestMessage) {
    EXPECT_EQ(told(masked("\x81\x84", "four"), 4), Lines{"text four"});
    EXPECT_EQ(told(masked("\x81\x85", "fiver"), 4), Lines{"error 1009"});
    EXPECT_EQ(told(masked("\x01\x83", "abc") + masked("\x80\x82", "de"), 4), Lines{"error 1009"});
    // Judged by the header alone: nothing is waited for.
    EXPECT_EQ(told("\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0"sv), Lines{"error 1009"});
}

TEST(WebSocketReader, RefusesWhatTheStandardForbids) {
    const std::vector<std::pair<std::string, std::string>> cases{
        {"no mask", "\x81\x05Hello"},
        {"reserved bit", masked("\xc1\x80", "")},
        {"reserved opcode of data", masked("\x83\x80", "")},
        {"reserved opcode of control", masked("\x8b\x80", "")},
        {"ping in fragments", masked("\x09\x80", "")},
        {"long ping", masked("\x89\xfe\x00\x7e"sv, std::string(126, 'x'))},
        {"continuation of nothing", masked("\x80\x80", "")},
        {"text within text", masked("\x01\x81", "a") + masked("\x81\x81", "b")},
        {"length in more octets than needed", masked("\x82\xfe\x00\x7d"sv, std::string(125, 'x'))},
        {"the same of eight", "\x82\xff\0\0\0\0\0\0\xff\xff\0\0\0\0"s},
        {"length beyond 63 bits", "\x82\xff\x80\0\0\0\0\0\0\0\0\0\0\0"s},
    };
    for (const auto& [what, bytes] : cases) EXPECT_EQ(told(bytes), Lines{"error 1002"}) << what;
    EXPECT_EQ(told(masked("\x81\x82", "\xc3\x28")), Lines{"error 1007"});
    EXPECT_EQ(told(masked("\x82\x82", "\xc3\x28")), Lines{"binary \xc3\x28"});
}

TEST(WebSocketReader, ACharacterMaySpanFragments) {
    EXPECT_EQ(told(masked("\x01\x81", "\xc3") + masked("\x80\x81", "\xbc")),
              Lines{"text \xc3\xbc"});
}

}  // namespace
}  // namespace strowger::websocket
