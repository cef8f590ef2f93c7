#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "io/http.hpp"
#include "io/stream.hpp"

namespace strowger::io {

/// The server's end of a WebSocket (RFC 6455), as an HttpServer route hands it out.
///
/// Pings keep it alive and find dead peers; fragments are joined, and whole messages delivered.
/// Destroying it drops the connection and is allowed in callbacks; `closed` comes once otherwise.
class WebSocket {
public:
    struct Options {
        std::vector<std::string> subprotocols = {};  ///< in order of preference, e.g. "sip"
        bool require_subprotocol = false;   ///< answer 400 when none is common (RFC 7118 section 4)
        std::size_t max_message = 1 << 20;  ///< larger ones close with 1009
        std::size_t max_queued = 4 << 20;   ///< bytes waiting for a slow reader; beyond it closes
        /// Idle this long: ping; twice: dead. Zero: never.
        Duration ping_interval = std::chrono::seconds{30};
    };
    struct Handlers {
        std::function<void(Bytes, bool text)> message = {};
        std::function<void(const Error&)> closed = {};  ///< code: the peer's close code, or 0
    };

    virtual ~WebSocket() = default;
    virtual void start(Handlers handlers) = 0;
    /// Text must be UTF-8. False when closed or over the limit.
    virtual bool send_text(std::string_view text) = 0;
    virtual bool send_binary(Bytes bytes) = 0;
    virtual void close(int code = 1000, std::string_view reason = {}) = 0;

    virtual const HttpRequest& request() const = 0;  ///< that asked for the upgrade
    /// Lets go of it, where thousands of sockets are idle and a kilobyte each counts.
    virtual void forget_request() = 0;
    virtual const std::string& subprotocol() const = 0;  ///< chosen, or empty
    virtual const SocketAddress& local() const = 0;
    virtual const SocketAddress& remote() const = 0;
    virtual bool secure() const = 0;
    virtual std::uint64_t id() const = 0;  ///< that of the stream beneath
};

/// Answers an upgrade request on `stream`; `received` are bytes that already came after the
/// request. `ready` gets the socket once the 101 is on its way, or the reason why there is none.
void accept_websocket(Loop& loop, std::unique_ptr<Stream> stream, HttpRequest request,
                      std::string received, const WebSocket::Options& options,
                      std::function<void(Result<std::unique_ptr<WebSocket>>)> ready);

}  // namespace strowger::io
