#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/task.hpp"
#include "io/http.hpp"
#include "io/stream.hpp"
#include "io/websocket.hpp"

namespace strowger::io {

/// An HTTP/1.1 server (RFC 9112) for control, metrics and web pages, with WebSockets on the same
/// port. Requests of a connection are answered in order, one at a time; over TLS, where both sides
/// have chosen "h2" (ALPN), by HTTP/2 (RFC 9113), several at once.
class HttpServer {
public:
    struct Options {
        std::size_t max_header = 32 << 10;  ///< request line and fields; beyond: 431
        std::size_t max_body = 4 << 20;     ///< beyond: 413
        Duration header_timeout = std::chrono::seconds{10};     ///< for the whole header
        Duration body_timeout = std::chrono::seconds{60};       ///< for the whole body
        Duration keepalive_timeout = std::chrono::seconds{60};  ///< between requests
        std::size_t max_requests = 10000;  ///< on one connection, then it closes
        std::size_t max_connections = 4096;
        std::size_t max_per_source = 256;
        std::string server_name = "Strowger";  ///< the Server field; empty: none
        /// Bytes of the largest answer that a route makes: they wait for a slow reader whole.
        std::size_t max_response = 64 << 20;
        /// Acknowledge at once what comes: a peer that leaves Nagle's algorithm on and writes in
        /// small pieces would wait 40 ms for each delayed acknowledgement otherwise.
        bool quick_ack = false;
    };
    /// A handler's task is destroyed when its client goes away before it is done.
    using Handler = std::function<Task<HttpResponse>(HttpRequest)>;
    using Upgrade = std::function<void(std::unique_ptr<WebSocket>)>;
    /// An answer instead of the upgrade, or nothing.
    using Admission = std::function<std::optional<HttpResponse>(const HttpRequest&)>;

    HttpServer(Loop& loop, Options options);
    ~HttpServer();  ///< closes all connections; not from inside a handler

    /// `method` "*" takes any. `path` is exact, or a prefix when it ends in '*'; the longest match
    /// wins. HEAD is answered by GET. Routes are added before `listen`.
    /// `max_body` is that of this route, where it differs.
    void route(std::string method, std::string path, Handler handler,
               std::optional<std::size_t> max_body = {});
    /// The same for an answer that needs no waiting.
    void route_now(std::string method, std::string path,
                   std::function<HttpResponse(const HttpRequest&)> handler);
    /// The request and the bare stream beneath: whoever takes it writes the answer, for as long as
    /// it takes, and closes it.
    using TakeOver = std::function<void(HttpRequest, std::unique_ptr<Stream>)>;
    void take_over(std::string method, std::string path, TakeOver fn,
                   std::optional<std::size_t> max_body = {});
    void websocket(std::string path, WebSocket::Options options, Upgrade upgrade,
                   Admission admission = {});

    /// May be called for several addresses, with and without TLS. The answer is the address bound.
    Result<SocketAddress> listen(const SocketAddress& address,
                                 std::shared_ptr<TlsContext> tls = {});

private:
    struct Impl;
    std::shared_ptr<Impl> impl_;  // shared with its connections while they end
};

}  // namespace strowger::io
