#include "wire/sip/stream_framer.hpp"

#include <gtest/gtest.h>

namespace strowger::sip {
namespace {

using Kind = StreamFramer::Kind;

const std::string with_body = "MESSAGE sip:a SIP/2.0\r\nContent-Length: 4\r\n\r\nbody";
const std::string compact = "OPTIONS sip:a SIP/2.0\r\nl :\r\n 0\r\nX: y\r\n\r\n";

/// Everything that comes out, messages by their text, ping and pong by name.
std::vector<std::string> drain(StreamFramer& framer) {
    std::vector<std::string> out;
    for (;;) {
        const auto frame = framer.next();
        if (!frame) {
            out.push_back(fmt::format("error {}", frame.error().code()));
            return out;
        }
        if (!*frame) return out;
        if ((*frame)->kind == Kind::message) out.emplace_back((*frame)->bytes);
        if ((*frame)->kind == Kind::ping) out.emplace_back("ping");
        if ((*frame)->kind == Kind::pong) out.emplace_back("pong");
    }
}

std::vector<std::string> feed(StreamFramer& framer, std::string_view text) {
    framer.receive(as_bytes(text));
    return drain(framer);
}

using Out = std::vector<std::string>;

TEST(StreamFramer, YieldsMessagesByTheirContentLength) {
    StreamFramer framer;
    EXPECT_EQ(feed(framer, with_body + compact + with_body), (Out{with_body, compact, with_body}));
    EXPECT_FALSE(framer.in_message());
}

TEST(StreamFramer, YieldsTheSameWhereverTheStreamIsCut) {
    const auto stream = "\r\n\r\n" + with_body + "\r\n" + compact + "\r\n\r\n" + with_body;
    const Out expected{"ping", with_body, compact, "ping", with_body};
    for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
        StreamFramer framer;
        auto out = feed(framer, stream.substr(0, cut));
        for (auto& frame : feed(framer, stream.substr(cut))) out.push_back(std::move(frame));
        EXPECT_EQ(out, expected) << "cut at " << cut;
    }
    StreamFramer framer;
    Out out;
    for (const char c : stream)
        for (auto& frame : feed(framer, {&c, 1})) out.push_back(std::move(frame));
    EXPECT_EQ(out, expected);
}

TEST(StreamFramer, ACrlfAfterOurPingIsAPong) {
    StreamFramer framer;
    framer.ping_sent();
    EXPECT_EQ(feed(framer, "\r\n"), (Out{"pong"}));
    EXPECT_EQ(feed(framer, "\r\n"), (Out{}));  // half a ping
    EXPECT_EQ(feed(framer, "\r\n"), (Out{"ping"}));
}

TEST(StreamFramer, WithoutUsableContentLengthTheStreamIsLost) {
    for (const auto* length : {"", "Content-Length: -1\r\n", "Content-Length: 1\r\nl: 1\r\n",
                               "Content-Length: 1x\r\n", "Content-Length:\r\n"}) {
        StreamFramer framer;
        EXPECT_EQ(feed(framer, fmt::format("OPTIONS sip:a SIP/2.0\r\n{}\r\n", length)),
                  (Out{"error 400"}))
            << length;
        EXPECT_EQ(feed(framer, with_body), (Out{"error 400"}));
        EXPECT_TRUE(framer.pending().starts_with("OPTIONS"));
    }
}

TEST(StreamFramer, RefusesABodyBeyondItsBound) {
    StreamFramer framer(100);
    EXPECT_EQ(feed(framer, "OPTIONS sip:a SIP/2.0\r\nContent-Length: 101\r\n\r\n"),
              (Out{"error 413"}));
    StreamFramer other(100);
    EXPECT_EQ(feed(other, "OPTIONS sip:a SIP/2.0\r\nContent-Length: 99999999999999999999\r\n\r\n"),
              (Out{"error 413"}));
}

TEST(StreamFramer, RefusesHeadersThatDoNotEnd) {
    StreamFramer framer;
    const std::string some(1000, 'x');
    Out out;
    int reads = 0;
    for (; out.empty() && reads < 100; ++reads) out = feed(framer, some);
    EXPECT_EQ(out, (Out{"error 513"}));
    EXPECT_EQ(reads, 66);  // 65536 bytes are let in
}

TEST(StreamFramer, RefusesAFloodOfPings) {
    StreamFramer framer;
    std::string flood;
    for (int i = 0; i < 1000; ++i) flood += "\r\n\r\n";
    EXPECT_EQ(feed(framer, flood).back(), "error 0");
}

}  // namespace
}  // namespace strowger::sip
