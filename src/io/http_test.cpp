#include <gtest/gtest.h>

#include "io/http_client.hpp"
#include "io/http_server.hpp"

namespace strowger::io {
namespace {

using namespace std::chrono_literals;

const SocketAddress any_port{IpAddress::v4({127, 0, 0, 1}), 0};

struct HttpTest : testing::Test {
    Loop loop;
    HttpServer::Options options;
    std::unique_ptr<HttpServer> server;
    SocketAddress address;
    Resolver resolver{loop, {}};
    bool task_ended = false;

    void serve() {
        server = std::make_unique<HttpServer>(loop, options);
        server->route_now("GET", "/hello", [](const HttpRequest& request) {
            return HttpResponse::text(200, "hello " + request.parameter("name"));
        });
        server->route("POST", "/echo", [this](HttpRequest request) -> Task<HttpResponse> {
            co_await loop.sleep(1ms);
            co_return HttpResponse::of(200, "application/octet-stream", request.body);
        });
        server->route("GET", "/slow", [this](HttpRequest) -> Task<HttpResponse> {
            struct Ends {
                bool& flag;
                ~Ends() { flag = true; }
            } ends{task_ended};
            co_await loop.sleep(1h);
            co_return HttpResponse::text(200, "never");
        });
        server->route("GET", "/throws", [](HttpRequest) -> Task<HttpResponse> {
            throw std::runtime_error("a mistake of ours");
            co_return HttpResponse{};
        });
        server->route_now("GET", "/static/*", [](const HttpRequest& request) {
            auto response = HttpResponse::text(200, request.path);
            response.headers.add("X-Forged", "a\r\nSet-Cookie: b");
            return response;
        });
        address = server->listen(any_port).value();
    }

    Result<HttpResponse> fetch(HttpClient::Request request, HttpClient::Options with = {}) {
        HttpClient client(loop, resolver, with);
        std::optional<Result<HttpResponse>> result;
        request.url = fmt::format("http://{}{}", address.text(), request.url);
        spawn([](HttpClient& c, HttpClient::Request r,
                 std::optional<Result<HttpResponse>>& out) -> Task<> {
            out = co_await c.fetch(std::move(r));
        }(client, std::move(request), result));
        loop.run_until([&] { return result.has_value(); }, 10s);
        if (!result) return fail("no result");
        return std::move(*result);
    }

    /// Sends bytes as they are; what came until the peer closed or `enough` was in it.
    std::string raw(std::string_view text, std::string_view enough = "\xff") {
        std::string got;
        bool closed = false;
        auto stream = Stream::connect(loop, address, {},
                                      {.bytes = [&](Bytes b) { got += as_text(b); },
                                       .closed = [&](const Error&) { closed = true; }});
        stream->send(text);
        loop.run_until([&] { return closed || got.find(enough) != std::string::npos; }, 5s);
        return got;
    }
};

TEST_F(HttpTest, RoutesByPathAndMethodAndDecodesParameters) {
    serve();
    const auto hello = fetch({.url = "/hello?x=1&name=J%C3%B6rg+K"});
    ASSERT_TRUE(hello) << hello.error().text();
    EXPECT_EQ(hello->status, 200);
    EXPECT_EQ(hello->body, "hello J\xc3\xb6rg K");
    EXPECT_EQ(hello->headers.get("content-type"), "text/plain; charset=utf-8");
    EXPECT_EQ(fetch({.url = "/absent"})->status, 404);
    EXPECT_EQ(fetch({.method = "DELETE", .url = "/hello"})->status, 405);
    EXPECT_EQ(fetch({.url = "/throws"})->status, 500);
    EXPECT_EQ(fetch({.url = "/static/a%20b"})->body, "/static/a b");
}

TEST_F(HttpTest, AValueCannotForgeAHeader) {
    serve();
    const auto got = fetch({.url = "/static/x"});
    EXPECT_EQ(got->headers.get("X-Forged"), "a  Set-Cookie: b");
    EXPECT_EQ(got->headers.get("Set-Cookie"), "");
}

TEST_F(HttpTest, BodiesGoThroughCoroutinesAndLimitsAreKept) {
    options.max_body = 100000;
    serve();
    const std::string body(100000, 'b');
    EXPECT_EQ(fetch({.method = "POST", .url = "/echo", .body = body})->body, body);
    EXPECT_EQ(fetch({.method = "POST", .url = "/echo", .body = body + "b"})->status, 413);
    HttpClient::Options small;
    small.max_body = 99;
    const auto refused =
        fetch({.method = "POST", .url = "/echo", .body = std::string(100, 'b')}, small);
    ASSERT_FALSE(refused);
}

TEST_F(HttpTest, AnswersPipelinedAndChunkedRequestsInOrderOnOneConnection) {
    serve();
    const auto got =
        raw("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            "4\r\nWiki\r\n5\r\npedia\r\n0\r\n\r\n"
            "GET /hello?name=2 HTTP/1.1\r\nHost: x\r\n\r\n"
            "HEAD /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    const auto first = got.find("Wikipedia"), second = got.find("hello 2");
    ASSERT_NE(first, std::string::npos) << got;
    ASSERT_NE(second, std::string::npos) << got;
    EXPECT_LT(first, second);
    EXPECT_TRUE(got.ends_with("Content-Length: 6\r\nConnection: close\r\n\r\n")) << got;
}

TEST_F(HttpTest, HostileRequestsAreRefusedAndClosed) {
    options.max_header = 4096;
    options.header_timeout = 50ms;
    serve();
    EXPECT_TRUE(raw("GARBAGE\r\n\r\n").starts_with("HTTP/1.1 400 "));
    EXPECT_TRUE(raw("GET /hello HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 400 "));  // no Host
    EXPECT_TRUE(raw("GET /hello HTTP/1.1\r\nHost: x\r\nA: " + std::string(5000, 'a') + "\r\n\r\n")
                    .starts_with("HTTP/1.1 431 "));
    EXPECT_TRUE(raw("GET /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
                    "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
                    .starts_with("HTTP/1.1 400 "));
    EXPECT_TRUE(raw("GET /hello HTTP/1.1\r\nHos").starts_with("HTTP/1.1 408 "));
}

TEST_F(HttpTest, AHandlersTaskEndsWithItsClient) {
    serve();
    auto stream = Stream::connect(loop, address, {}, {});
    stream->send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
    loop.run_until([] { return false; }, 30ms);
    EXPECT_FALSE(task_ended);
    stream.reset();
    EXPECT_TRUE(loop.run_until([&] { return task_ended; }, 5s));
}

TEST_F(HttpTest, TheClientGivesUpAfterItsTimeout) {
    serve();
    HttpClient::Options impatient;
    impatient.timeout = 30ms;
    const auto got = fetch({.url = "/slow"}, impatient);
    ASSERT_FALSE(got);
    EXPECT_NE(got.error().text().find("no whole answer within 0.0 s"), std::string::npos)
        << got.error().text();
}

TEST_F(HttpTest, CurlAgrees) {
    serve();
    if (std::system("command -v curl >/dev/null 2>&1") != 0) GTEST_SKIP() << "no curl here";
    // A body above 1 MiB makes curl ask for 100-continue first.
    const auto command = fmt::format(
        "head -c 2000000 /dev/zero | timeout 10 curl -s -o /dev/null -w '%{{http_code}} "
        "%{{size_download}}' --data-binary @- http://{0}/echo http://{0}/echo",
        address.text());
    std::string output;
    FILE* pipe = ::popen(command.c_str(), "r");
    ASSERT_NE(pipe, nullptr);
    bool ended = false;
    auto watch = std::make_unique<Watch>(loop, ::fileno(pipe));
    watch->on_readable([&] {
        char buffer[256];
        const auto got = ::read(::fileno(pipe), buffer, sizeof buffer);
        if (got <= 0) {
            ended = true;
            watch.reset();
        } else {
            output.append(buffer, static_cast<std::size_t>(got));
        }
    });
    EXPECT_TRUE(loop.run_until([&] { return ended; }, 15s));
    ::pclose(pipe);
    EXPECT_TRUE(output.starts_with("200 2000000")) << output;
}

TEST(HttpUrl, IsTakenApart) {
    const auto url = parse_http_url("https://[2001:db8::1]:8443/a?b#c");
    ASSERT_TRUE(url);
    EXPECT_TRUE(url->secure);
    EXPECT_EQ(url->host, "2001:db8::1");
    EXPECT_EQ(url->port, 8443);
    EXPECT_EQ(url->target, "/a?b");
    EXPECT_EQ(parse_http_url("http://x?y")->target, "/?y");
    for (const auto bad : {"ftp://x/", "http://", "http://a b/", "http://u:p@x/", "http://x:99999/",
                           "http://x/\r\nA: b", "x"})
        EXPECT_FALSE(parse_http_url(bad)) << bad;
    EXPECT_EQ(percent_encode("a b/ü~"), "a%20b%2F%C3%BC~");
    EXPECT_EQ(percent_decode("%4"), "%4");
    EXPECT_EQ(percent_decode("%zz%41"), "%zzA");
}

// --- WebSocket

struct WebSocketTest : HttpTest {
    std::unique_ptr<WebSocket> socket;
    std::optional<Error> closed;
    std::vector<std::pair<std::string, bool>> messages;
    std::string key_and_version =
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
    std::string with_request;  // bytes that follow it at once
    std::string got;
    bool ended = false;
    std::unique_ptr<Stream> client;

    void open(WebSocket::Options with, std::string_view protocols = "sip") {
        server = std::make_unique<HttpServer>(loop, options);
        server->websocket("/ws", with, [this](std::unique_ptr<WebSocket> made) {
            socket = std::move(made);
            socket->start({.message =
                               [this](Bytes bytes, bool text) {
                                   messages.emplace_back(as_text(bytes), text);
                                   if (text)
                                       socket->send_text(as_text(bytes));
                                   else
                                       socket->send_binary(bytes);
                               },
                           .closed = [this](const Error& error) { closed = error; }});
        });
        address = server->listen(any_port).value();
        client = Stream::connect(loop, address, {},
                                 {.bytes = [this](Bytes b) { got += as_text(b); },
                                  .closed = [this](const Error&) { ended = true; }});
        client->send(fmt::format(
            "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "{}Sec-WebSocket-Protocol: {}\r\n\r\n{}",
            key_and_version, protocols, with_request));
        loop.run_until([&] { return got.find("\r\n\r\n") != std::string::npos; }, 5s);
    }
    std::string take_answer() { return std::exchange(got, {}); }
    bool until(const std::function<bool()>& done) { return loop.run_until(done, 5s); }
};

// The key and its answer are those of RFC 6455 section 1.3, the frames those of section 5.7.
TEST_F(WebSocketTest, SpeaksTheExamplesOfTheStandard) {
    open({.subprotocols = {"sip"}, .require_subprotocol = true}, "chat, sip");
    const auto answer = take_answer();
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 101 ")) << answer;
    EXPECT_NE(answer.find("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), std::string::npos);
    EXPECT_NE(answer.find("Sec-WebSocket-Protocol: sip\r\n"), std::string::npos);
    ASSERT_TRUE(socket);
    EXPECT_EQ(socket->subprotocol(), "sip");
    EXPECT_EQ(socket->remote(), client->local());

    client->send("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");  // a masked "Hello"
    ASSERT_TRUE(until([&] { return got.size() >= 7; }));
    EXPECT_EQ(take_answer(), "\x81\x05Hello");
    // "Hel" and "lo" as fragments, with a ping between them.
    client->send("\x01\x83\x37\xfa\x21\x3d\x7f\x9f\x4d");
    client->send("\x89\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
    client->send("\x80\x82\x37\xfa\x21\x3d\x5b\x95");
    ASSERT_TRUE(until([&] { return got.size() >= 14; }));
    EXPECT_EQ(take_answer(), "\x8a\x05Hello\x81\x05Hello");
    client->send(std::string_view("\x82\x82\x00\x00\x00\x00\x00\xff", 8));
    ASSERT_TRUE(until([&] { return got.size() >= 4; }));
    EXPECT_EQ(take_answer(), std::string("\x82\x02\x00\xff", 4));
    EXPECT_EQ(messages.size(), 3u);
    EXPECT_FALSE(messages[2].second);

    client->send(std::string_view("\x88\x82\x00\x00\x00\x00\x03\xe9", 8));  // 1001, going away
    ASSERT_TRUE(until([&] { return closed && ended; }));
    EXPECT_EQ(closed->code(), 1001);
}

TEST_F(WebSocketTest, RefusesAnUpgradeWithoutTheSubprotocol) {
    open({.subprotocols = {"sip"}, .require_subprotocol = true}, "chat");
    EXPECT_TRUE(got.starts_with("HTTP/1.1 400 ")) << got;
    EXPECT_FALSE(socket);
}

// Section 4.4.
TEST_F(WebSocketTest, TellsWhichVersionItSpeaks) {
    key_and_version = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 8\r\n";
    open({});
    EXPECT_TRUE(got.starts_with("HTTP/1.1 426 ")) << got;
    EXPECT_NE(got.find("Sec-WebSocket-Version: 13\r\n"), std::string::npos);
    EXPECT_FALSE(socket);
}

TEST_F(WebSocketTest, RefusesAKeyThatIsNone) {
    key_and_version = "Sec-WebSocket-Key: short\r\nSec-WebSocket-Version: 13\r\n";
    open({});
    EXPECT_TRUE(got.starts_with("HTTP/1.1 400 ")) << got;
    EXPECT_FALSE(socket);
}

TEST_F(WebSocketTest, TakesWhatCameWithTheRequest) {
    with_request = "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    open({});
    ASSERT_TRUE(until([&] { return !messages.empty(); }));
    EXPECT_EQ(messages[0].first, "Hello");
}

// Sections 5.5.1 and 7.1.5: an empty close is answered with an empty one, and no code is told.
TEST_F(WebSocketTest, AnswersACloseWithoutACode) {
    open({});
    take_answer();
    client->send(std::string_view("\x88\x80\x00\x00\x00\x00", 6));
    ASSERT_TRUE(until([&] { return closed && ended; }));
    EXPECT_EQ(take_answer(), std::string("\x88\x00", 2));
    EXPECT_EQ(closed->code(), 0);
}

TEST_F(WebSocketTest, HearsOfAPeerThatJustGoes) {
    open({});
    client.reset();
    ASSERT_TRUE(until([&] { return closed.has_value(); }));
    EXPECT_EQ(closed->code(), 0);
    EXPECT_FALSE(socket->send_text("late"));
}

TEST_F(WebSocketTest, ClosesOnAPeerThatReadsTooSlowly) {
    open({.max_queued = 1000});
    take_answer();
    EXPECT_TRUE(socket->send_text(std::string(900, 'x')));
    EXPECT_FALSE(socket->send_text(std::string(900, 'x')));
    ASSERT_TRUE(until([&] { return got.size() >= 904 + 12; }));
    EXPECT_EQ(got.substr(904), "\x88\x0a\x03\xf5too slow");  // 1013
}

TEST_F(WebSocketTest, ClosesOnAMessageThatIsTooLarge) {
    open({.max_message = 4});
    take_answer();
    client->send("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
    ASSERT_TRUE(until([&] { return closed && ended; }));
    EXPECT_EQ(take_answer(), std::string("\x88\x02\x03\xf1", 4));  // 1009
    EXPECT_TRUE(messages.empty());
}

TEST_F(WebSocketTest, AnUnmaskedFrameIsAProtocolError) {
    open({});
    take_answer();
    client->send("\x81\x05Hello");
    ASSERT_TRUE(until([&] { return closed && ended; }));
    EXPECT_EQ(take_answer(), std::string("\x88\x02\x03\xea", 4));  // 1002
}

TEST_F(WebSocketTest, ClosesFromItsSideAfterWhatIsQueued) {
    open({});
    take_answer();
    socket->send_text("last");
    socket->close(1000, "done");
    EXPECT_FALSE(socket->send_text("late"));
    ASSERT_TRUE(until([&] { return got.size() >= 14; }));
    EXPECT_EQ(take_answer(), std::string("\x81\x04last\x88\x06\x03\xe8"
                                         "done",
                                         14));
    client->send(std::string_view("\x88\x82\x00\x00\x00\x00\x03\xe8", 8));
    ASSERT_TRUE(until([&] { return closed && ended; }));
}

TEST_F(WebSocketTest, DropsAPeerThatDoesNotAnswerPings) {
    open({.ping_interval = 100ms});
    take_answer();
    ASSERT_TRUE(until([&] { return closed.has_value(); }));
    EXPECT_TRUE(got.starts_with(std::string_view("\x89\x00", 2))) << got.size();
}

TEST_F(WebSocketTest, MayBeDestroyedInItsOwnCallback) {
    open({});
    socket->start({.message = [this](Bytes, bool) { socket.reset(); }});
    client->send("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
    ASSERT_TRUE(until([&] { return ended; }));
    EXPECT_FALSE(socket);
}

}  // namespace
}  // namespace strowger::io
