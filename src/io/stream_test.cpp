#include "io/stream.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/file.hpp"
#include "io/line_stream.hpp"
#include "io/test_directory.hpp"

namespace strowger::io {
namespace {

using namespace std::chrono_literals;

const SocketAddress any_port{IpAddress::v4({127, 0, 0, 1}), 0};

/// One end of a stream and what happened to it.
struct End {
    std::unique_ptr<Stream> stream;
    std::string text;
    std::optional<Error> closed;
    int connected = 0;

    Stream::Handlers handlers() {
        return {.connected = [this] { ++connected; },
                .bytes = [this](Bytes bytes) { text += as_text(bytes); },
                .closed = [this](const Error& error) { closed = error; }};
    }
    void take(std::unique_ptr<Stream> accepted) {
        stream = std::move(accepted);
        stream->start(handlers());
    }
};

struct StreamTest : testing::Test {
    Loop loop;
    End server, client;
    std::unique_ptr<Listener> listener;

    void listen(Listener::Options options = {}) {
        listener = Listener::tcp(loop, any_port, std::move(options), [this](auto s) {
                       server.take(std::move(s));
                   }).value();
    }
    void connect(Stream::Options options = {}) {
        client.stream =
            Stream::connect(loop, listener->local(), std::move(options), client.handlers());
    }
    bool until(const std::function<bool()>& done, Duration limit = 5s) {
        return loop.run_until(done, limit);
    }
};

TEST_F(StreamTest, CarriesBytesBothWaysAndKnowsItsAddresses) {
    listen();
    connect();
    client.stream->send("OPTIONS");  // waits for the connection
    ASSERT_TRUE(until([&] { return server.text == "OPTIONS"; }));
    EXPECT_EQ(server.stream->remote(), client.stream->local());
    EXPECT_EQ(server.stream->local(), listener->local());
    server.stream->send("200");
    server.stream->send(" OK");
    ASSERT_TRUE(until([&] { return client.text == "200 OK"; }));
    EXPECT_EQ(client.connected, 1);
    EXPECT_NE(server.stream->id(), client.stream->id());
}

TEST_F(StreamTest, CloseDeliversWhatIsQueuedFirst) {
    listen();
    connect();
    ASSERT_TRUE(until([&] { return server.connected == 1; }));
    const std::string large(3 << 20, 'z');
    server.stream->send(large);
    server.stream->close();
    EXPECT_FALSE(server.stream->send("late"));
    ASSERT_TRUE(until([&] { return client.closed && server.closed; }));
    EXPECT_EQ(client.text.size(), large.size());
    EXPECT_EQ(client.closed->code(), 0);
    EXPECT_EQ(server.closed->code(), 0);
    EXPECT_EQ(listener->counters().open, 0u);
}

TEST_F(StreamTest, ASlowReaderIsClosedWhenTheQueueIsFull) {
    Listener::Options options;
    options.stream.max_queued = 100000;
    listen(options);
    connect();
    ASSERT_TRUE(until([&] { return server.connected == 1; }));
    client.stream->pause(true);
    const std::string piece(50000, 'q');
    int sent = 0;
    while (server.stream->send(piece) && sent < 10000) {
        ++sent;
        until([] { return false; }, 1ms);
    }
    EXPECT_LT(sent, 1000);
    ASSERT_TRUE(until([&] { return server.closed.has_value(); }));
    EXPECT_EQ(server.closed->code(), ENOBUFS);
}

TEST_F(StreamTest, ConnectionsThatSayNothingAreClosed) {
    Listener::Options options;
    options.first_bytes_timeout = 20ms;
    listen(options);
    connect();
    ASSERT_TRUE(until([&] { return server.closed && client.closed; }));
    EXPECT_EQ(server.closed->code(), ETIMEDOUT);
    EXPECT_EQ(listener->counters().silent, 1u);
    EXPECT_EQ(listener->counters().open, 0u);
}

TEST_F(StreamTest, IdleConnectionsAreClosedButBusyOnesStay) {
    Listener::Options options;
    options.stream.idle_timeout = 60ms;
    listen(options);
    connect();
    ASSERT_TRUE(until([&] { return server.connected == 1; }));
    for (int i = 0; i < 5; ++i) {
        client.stream->send(".");
        until([] { return false; }, 30ms);
    }
    EXPECT_FALSE(server.closed);
    ASSERT_TRUE(until([&] { return server.closed.has_value(); }));
    EXPECT_EQ(server.closed->code(), ETIMEDOUT);
}

TEST_F(StreamTest, OneSourceMayNotTakeAllConnections) {
    Listener::Options options;
    options.max_per_source = 2;
    std::vector<std::unique_ptr<Stream>> held;
    listener = Listener::tcp(loop, any_port, options, [&](auto s) {
                   s->start({});
                   held.push_back(std::move(s));
               }).value();
    std::vector<End> clients(3);
    for (auto& c : clients) c.stream = Stream::connect(loop, listener->local(), {}, c.handlers());
    ASSERT_TRUE(until([&] { return listener->counters().refused == 1; }));
    ASSERT_TRUE(until([&] {
        return std::count_if(clients.begin(), clients.end(),
                             [](const End& e) { return e.closed.has_value(); }) == 1;
    }));
    EXPECT_EQ(listener->counters().accepted, 2u);
    held.clear();
    EXPECT_EQ(listener->counters().open, 0u);
}

TEST_F(StreamTest, ARefusedConnectionIsAnErrorThatNamesThePeer) {
    listen();
    const auto address = listener->local();
    listener.reset();
    client.stream = Stream::connect(loop, address, {}, client.handlers());
    ASSERT_TRUE(until([&] { return client.closed.has_value(); }));
    EXPECT_EQ(client.closed->code(), ECONNREFUSED);
    EXPECT_NE(client.closed->text().find(address.text()), std::string::npos);
}

TEST_F(StreamTest, MayBeDestroyedInItsOwnCallbacks) {
    listen();
    std::unique_ptr<Stream> stream;
    bool gone = false;
    Stream::Handlers handlers;
    handlers.bytes = [&](Bytes) {
        stream.reset();
        gone = true;
    };
    handlers.closed = [&](const Error&) { FAIL() << "it was destroyed"; };
    stream = Stream::connect(loop, listener->local(), {}, std::move(handlers));
    ASSERT_TRUE(until([&] { return server.connected == 1; }));
    server.stream->send("x");
    ASSERT_TRUE(until([&] { return gone && server.closed; }));
}

TEST_F(StreamTest, UnixSocketsCarryLinesAndReplaceAStaleFile) {
    const TestDirectory directory;
    const auto path = directory.path + "/ctl";
    std::unique_ptr<LineStream> served;
    std::vector<std::string> lines;
    const auto serve = [&] {
        return Listener::unix_socket(loop, path, 0600, {}, [&](auto s) {
            served = std::make_unique<LineStream>(
                std::move(s), LineStream::Handlers{.line = [&](std::string_view line) {
                    lines.emplace_back(line);
                    served->send("ok\n");
                }});
        });
    };
    {
        // Left behind by a process that died.
        const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
        listener = serve().value();
        ::link(path.c_str(), (path + ".kept").c_str());
        listener.reset();
        ::rename((path + ".kept").c_str(), path.c_str());
        ::close(fd);
    }
    ASSERT_TRUE(file_exists(path));
    listener = serve().value();
    struct stat info{};
    ASSERT_EQ(::stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600u);
    const auto second = serve();
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code(), EADDRINUSE);

    client.stream = Stream::connect_unix(loop, path, {}, client.handlers());
    client.stream->send("core show\r\nhe");
    ASSERT_TRUE(until([&] { return lines.size() == 1; }));
    client.stream->send("lp\n\n");
    ASSERT_TRUE(until([&] { return client.text == "ok\nok\nok\n"; }));
    EXPECT_EQ(lines, (std::vector<std::string>{"core show", "help", ""}));
    listener.reset();
    EXPECT_FALSE(file_exists(path));
}

TEST_F(StreamTest, ALineWithoutEndClosesTheStream) {
    std::optional<Error> error;
    std::unique_ptr<LineStream> served;
    listener =
        Listener::tcp(loop, any_port, {}, [&](auto s) {
            served = std::make_unique<LineStream>(
                std::move(s), LineStream::Handlers{.closed = [&](const Error& e) { error = e; }});
        }).value();
    connect();
    client.stream->send(std::string(LineStream::max_line + 1, 'a'));
    ASSERT_TRUE(until([&] { return error && client.closed; }));
    EXPECT_EQ(error->text(), "a line is longer than 65536 octets");
}

// --- TLS

struct TlsTest : StreamTest {
    TestDirectory directory;

    std::string file(const std::string& name) const { return directory.path + "/" + name; }

    /// A certificate for `name` and 127.0.0.1, signed by itself.
    void make_certificate(const std::string& base, const std::string& name) {
        const auto command = fmt::format(
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
            "-subj /CN={0} -addext subjectAltName=DNS:{0},IP:127.0.0.1 -keyout {1}.key -out "
            "{1}.pem "
            "2>/dev/null",
            name, file(base));
        ASSERT_EQ(std::system(command.c_str()), 0);
    }
    TlsContext::Options with(const std::string& base) {
        TlsContext::Options options;
        options.certificate_file = file(base + ".pem");
        options.key_file = file(base + ".key");
        return options;
    }
    std::shared_ptr<TlsContext> trusting(const std::string& base) {
        TlsContext::Options options;
        options.ca_file = file(base + ".pem");
        options.alpn = {"http/1.1"};
        return TlsContext::client(options).value();
    }
    void listen_tls(TlsContext::Options options) {
        Listener::Options listening;
        listening.tls = TlsContext::server(std::move(options)).value();
        listen(listening);
    }
    void connect_tls(std::shared_ptr<TlsContext> context, const std::string& name) {
        Stream::Options options;
        options.tls = std::move(context);
        options.server_name = name;
        connect(options);
    }
};

TEST_F(TlsTest, CarriesBytesWithSniAndAlpn) {
    make_certificate("a", "pbx.test");
    auto options = with("a");
    options.alpn = {"h2", "http/1.1"};
    listen_tls(options);
    connect_tls(trusting("a"), "pbx.test");
    const std::string large(1 << 20, 'L');
    client.stream->send(large);
    ASSERT_TRUE(until([&] { return server.text.size() == large.size(); }));
    EXPECT_EQ(server.text, large);
    EXPECT_EQ(server.stream->server_name(), "pbx.test");
    EXPECT_EQ(server.stream->alpn(), "http/1.1");
    EXPECT_EQ(client.stream->peer_certificate_name(), "pbx.test");
    EXPECT_TRUE(client.stream->secure());
    server.stream->send("bye");
    server.stream->close();
    ASSERT_TRUE(until([&] { return client.closed.has_value(); }));
    EXPECT_EQ(client.text, "bye");
    EXPECT_EQ(client.closed->code(), 0);
}

TEST_F(TlsTest, RefusesACertificateOfAnotherNameOrIssuer) {
    make_certificate("a", "pbx.test");
    make_certificate("b", "other.test");
    listen_tls(with("a"));
    connect_tls(trusting("a"), "other.test");
    ASSERT_TRUE(until([&] { return client.closed.has_value(); }));
    EXPECT_NE(client.closed->text().find("hostname mismatch"), std::string::npos)
        << client.closed->text();
    client = {};
    connect_tls(trusting("b"), "pbx.test");
    ASSERT_TRUE(until([&] { return client.closed.has_value(); }));
    EXPECT_EQ(client.connected, 0);
    client = {};
    connect_tls(trusting("a"), "127.0.0.1");
    ASSERT_TRUE(until([&] { return client.connected == 1; }));
}

TEST_F(TlsTest, RequiresAClientCertificateWhenTold) {
    make_certificate("a", "pbx.test");
    make_certificate("phone", "phone.test");
    auto options = with("a");
    options.require_client_certificate = true;
    options.ca_file = file("phone.pem");
    listen_tls(options);
    connect_tls(trusting("a"), "pbx.test");
    ASSERT_TRUE(until([&] { return server.closed.has_value(); }));
    EXPECT_EQ(server.connected, 0);
    server = {};
    client = {};
    auto own = with("phone");
    own.ca_file = file("a.pem");
    connect_tls(TlsContext::client(own).value(), "pbx.test");
    ASSERT_TRUE(until([&] { return server.connected == 1; }));
    EXPECT_EQ(server.stream->peer_certificate_name(), "phone.test");
}

TEST_F(TlsTest, ReloadServesTheNewCertificateAndKeepsTheOldOneOnAnError) {
    make_certificate("a", "first.test");
    auto context = TlsContext::server(with("a")).value();
    Listener::Options listening;
    listening.tls = context;
    listen(listening);
    make_certificate("a", "second.test");
    ASSERT_TRUE(context->reload());
    connect_tls(trusting("a"), "second.test");
    ASSERT_TRUE(until([&] { return client.connected == 1; }));
    EXPECT_EQ(client.stream->peer_certificate_name(), "second.test");
    ASSERT_TRUE(replace_file(file("a.key"), "no key"));
    const auto failed = context->reload();
    ASSERT_FALSE(failed);
    EXPECT_NE(failed.error().text().find("a.key"), std::string::npos);
    client = {};
    connect_tls(trusting("a"), "second.test");
    ASSERT_TRUE(until([&] { return client.connected == 1; }));
}

TEST_F(TlsTest, NamesTheFileThatIsMissing) {
    const auto context = TlsContext::server(with("absent"));
    ASSERT_FALSE(context);
    EXPECT_EQ(context.error().text(),
              fmt::format("TLS: certificate file '{}' cannot be read: No such file or directory",
                          file("absent.pem")));
}

TEST_F(TlsTest, PlainTextOnATlsPortIsClosed) {
    make_certificate("a", "pbx.test");
    listen_tls(with("a"));
    connect();
    client.stream->send("REGISTER sip:example.com SIP/2.0\r\n");
    ASSERT_TRUE(until([&] { return server.closed && client.closed; }));
    EXPECT_EQ(server.connected, 0);
}

}  // namespace
}  // namespace strowger::io
