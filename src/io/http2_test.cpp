#include "io/http2.hpp"

#include <gtest/gtest.h>

namespace strowger::io {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

const std::string preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

// RFC 9113 section 4.1.
std::string frame(char type, char flags, char stream, const std::string& payload = "") {
    const auto size = payload.size();
    return std::string{'\0',
                       static_cast<char>(size >> 8),
                       static_cast<char>(size),
                       type,
                       flags,
                       '\0',
                       '\0',
                       '\0',
                       stream} +
           payload;
}
const std::string settings = frame(4, 0, 0);
// :method GET (or POST), :scheme https, :path /, of HPACK's static table; :authority x.
const std::string get = "\x82\x87\x84\x41\x01x", post = "\x83\x87\x84\x41\x01x";
constexpr char end_stream = 1, end_headers = 4;

struct Http2Test : testing::Test {
    Loop loop;
    Http2Connection::Limits limits;
    std::size_t room = 1 << 20, max_body = 100;
    std::string sent;
    std::vector<std::pair<Http2Connection::Id, HttpRequest>> requests;
    std::vector<Http2Connection::Id> gone;
    std::unique_ptr<Http2Connection> connection;

    void open() {
        connection = std::make_unique<Http2Connection>(
            loop, limits,
            Http2Connection::Handlers{
                .send = [this](std::string_view text) { sent += text; },
                .room = [this] { return room; },
                .max_body = [this](const HttpRequest&) { return max_body; },
                .request = [this](auto id,
                                  HttpRequest r) { requests.emplace_back(id, std::move(r)); },
                .gone = [this](auto id) { gone.push_back(id); }});
        EXPECT_TRUE(receive(preface + settings));
        sent.clear();
    }
    bool receive(const std::string& text) { return connection->receive(as_bytes(text)); }
    bool was_sent(const std::string& part) const { return sent.find(part) != std::string::npos; }
};

TEST_F(Http2Test, BeginsWithItsSettings) {
    std::string first;
    Http2Connection fresh(
        loop, limits,
        {.send = [&](std::string_view text) { first += text; }, .room = [] { return 1000u; }});
    // 128 requests at once, windows of 1 MiB, 32 KiB of header.
    EXPECT_EQ(first.substr(0, 27), frame(4, 0, 0,
                                         "\0\3\0\0\0\x80"
                                         "\0\4\0\x10\0\0"
                                         "\0\6\0\0\x80\0"s));
}

TEST_F(Http2Test, ARequestComesWholeAndItsAnswerGoes) {
    open();
    ASSERT_TRUE(receive(frame(1, end_headers, 1, post) + frame(0, 0, 1, "one ")));
    EXPECT_TRUE(requests.empty());
    ASSERT_TRUE(receive(frame(0, end_stream, 1, "two")));
    ASSERT_EQ(requests.size(), 1u);
    const auto& request = requests[0].second;
    EXPECT_EQ(request.method, "POST");
    EXPECT_EQ(request.path, "/");
    EXPECT_EQ(request.headers.get("Host"), "x");
    EXPECT_EQ(request.body, "one two");
    EXPECT_TRUE(request.secure && request.trailers);
    auto response = HttpResponse::of(200, "a/b", "text");
    response.headers.add("Connection", "close");  // means nothing here, and may not be sent
    response.trailers.add("grpc-status", "0");
    sent.clear();
    connection->respond(1, std::move(response));
    EXPECT_EQ(sent[3], 1);  // HEADERS
    EXPECT_EQ(sent.find("connection"), std::string::npos);
    EXPECT_TRUE(was_sent(frame(0, 0, 1, "text")));
    // The trailers end the stream: a literal with incremental indexing, both strings in Huffman's
    // code or plain.
    const auto at = sent.find(frame(0, 0, 1, "text")) + 9 + 4;
    EXPECT_EQ(sent[at + 3], 1);
    EXPECT_EQ(sent[at + 4], end_stream | end_headers);
    EXPECT_EQ(gone, std::vector<Http2Connection::Id>{1});
    EXPECT_TRUE(connection->idle());
}

TEST_F(Http2Test, AnAnswerWaitsForRoom) {
    open();
    ASSERT_TRUE(receive(frame(1, end_stream | end_headers, 1, get)));
    room = 0;
    connection->respond(1, HttpResponse::text(200, "later"));
    EXPECT_TRUE(sent.empty() || !was_sent("later"));
    room = 1 << 20;
    connection->drained();
    EXPECT_TRUE(was_sent("later"));
}

TEST_F(Http2Test, WhatTheClientTakesBackIsGoneAndAnsweredNoMore) {
    open();
    ASSERT_TRUE(receive(frame(1, end_stream | end_headers, 1, get)));
    ASSERT_TRUE(receive(frame(3, 0, 1, "\0\0\0\x08"s)));
    EXPECT_EQ(gone, std::vector<Http2Connection::Id>{1});
    sent.clear();
    connection->respond(1, HttpResponse::text(200, "late"));
    EXPECT_EQ(sent, "");
}

TEST_F(Http2Test, ABodyBeyondItsLimitIs413AndTheRestIsDropped) {
    open();
    max_body = 5;
    ASSERT_TRUE(receive(frame(1, end_headers, 1, post) + frame(0, 0, 1, "123456")));
    EXPECT_TRUE(was_sent("Content Too Large"));
    ASSERT_TRUE(receive(frame(0, end_stream, 1, "more")));
    EXPECT_TRUE(requests.empty());
    EXPECT_TRUE(connection->idle());
}

TEST_F(Http2Test, ARequestThatDoesNotEndIsReset) {
    limits.request_timeout = 20ms;
    open();
    ASSERT_TRUE(receive(frame(1, end_headers, 1, post)));
    EXPECT_TRUE(loop.run_until([&] { return was_sent(frame(3, 0, 1, "\0\0\0\x08"s)); }));
    EXPECT_EQ(gone, std::vector<Http2Connection::Id>{1});
}

TEST_F(Http2Test, BodiesTogetherAreBounded) {
    limits.max_bodies = 8;
    open();
    ASSERT_TRUE(receive(frame(1, end_headers, 1, post) + frame(0, 0, 1, "12345") +
                        frame(1, end_headers, 3, post) + frame(0, 0, 3, "6789")));
    EXPECT_TRUE(was_sent(frame(3, 0, 3, "\0\0\0\x0b"s)));  // ENHANCE_YOUR_CALM
    ASSERT_TRUE(receive(frame(0, end_stream, 1, "")));
    EXPECT_EQ(requests.size(), 1u);
}

TEST_F(Http2Test, WhatIsNoHttp2EndsTheConnection) {
    open();
    EXPECT_FALSE(receive(frame(0, 0, 0, "of no stream")));
}

}  // namespace
}  // namespace strowger::io
