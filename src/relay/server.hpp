#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/task.hpp"
#include "io/dns.hpp"
#include "io/http_client.hpp"
#include "io/http_server.hpp"
#include "io/line_stream.hpp"
#include "io/loop.hpp"
#include "io/tls.hpp"
#include "io/udp.hpp"
#include "relay/cookie_cache.hpp"
#include "relay/relay.hpp"
#include "wire/ng/framing.hpp"

namespace strowger::relay {

/// The relay's front doors: NG over UDP, TCP, HTTP(S) and WebSocket, the command line, and metrics.
class Server {
public:
    static Result<std::unique_ptr<Server>> start(io::Loop& loop, Settings settings);
    ~Server();

    Relay& relay() { return *relay_; }
    /// What can change while it runs changes; what cannot is told. Of a new configuration.
    void reload(const Settings& settings);

    /// One message with its cookie; nothing when there is none, which gets no reply. A cookie that
    /// came before gets the reply that it got then.
    std::optional<std::string> answer(const SocketAddress& sender, std::string_view message);
    bool allowed(const SocketAddress& sender);

private:
    /// One connection that lives on: NG over TCP, the command line, or a WebSocket.
    struct Connection {
        std::unique_ptr<io::Stream> stream;
        std::unique_ptr<io::LineStream> lines;
        std::unique_ptr<io::WebSocket> socket;
        ng::StreamFramer framer;
    };

    Server(io::Loop& loop, Settings settings, Interfaces interfaces);
    Result<> listen();
    void accept_ng(std::unique_ptr<io::Stream> stream);
    void accept_command(std::unique_ptr<io::Stream> stream);
    Result<> serve_http();
    void accept_websocket(std::unique_ptr<io::WebSocket> socket);
    void tick();
    Task<> tell_teardown(std::string url, std::string body);

    io::Loop& loop_;
    std::unique_ptr<Relay> relay_;
    CookieCache cookies_;
    std::vector<std::unique_ptr<io::UdpSocket>> udp_;
    std::vector<std::unique_ptr<io::Listener>> listeners_;
    std::unordered_map<std::uint64_t, std::unique_ptr<Connection>> connections_;
    std::shared_ptr<io::TlsContext> tls_;  ///< of listen-https
    std::unique_ptr<io::HttpServer> http_;
    std::unique_ptr<io::Watch> media_;
    io::Timer timer_;
    Time refusal_told_{};
    io::Resolver resolver_;
    io::HttpClient teardown_;
    std::size_t telling_ = 0;
    TaskScope tasks_;
};

}  // namespace strowger::relay
