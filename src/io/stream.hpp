#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "base/result.hpp"
#include "io/loop.hpp"
#include "io/tls.hpp"

namespace strowger::io {

/// A byte stream: TCP, TLS over TCP, or a Unix socket; connected by us or accepted.
///
/// Owned by whoever uses it; destroying it closes at once and silences all callbacks, and is
/// allowed inside them. `closed` comes exactly once, last, unless the stream was destroyed before.
class Stream {
public:
    /// Of TCP: how long nothing comes before the first probe, between probes, and how many.
    struct Keepalive {
        bool enabled = true;
        std::chrono::seconds idle{60};
        std::chrono::seconds interval{10};
        int probes = 6;
    };
    struct Options {
        /// Bytes that may wait for a slow reader; a stream whose peer lets more pile up is closed,
        /// because memory must not grow with the peer's laziness.
        std::size_t max_queued = 4 << 20;
        Duration idle_timeout{};  ///< closed when nothing came or went for this long; zero: never
        Duration connect_timeout = std::chrono::seconds{10};  ///< TCP and TLS handshakes together
        Keepalive keepalive = {};
        bool quick_ack = false;  ///< TCP: acknowledge at once, see HttpServer::Options
        int tos = 0;
        std::optional<SocketAddress> local = {};  ///< bind before connecting
        std::shared_ptr<TlsContext> tls = {};     ///< shared: contexts outlive connections
        std::string server_name = {};  ///< SNI, and the name or address the certificate must have
    };

    struct Handlers {
        std::function<void()> connected =
            {};  ///< handshakes done; an accepted plain stream: at once
        std::function<void(Bytes)> bytes = {};
        std::function<void(const Error&)> closed = {};  ///< code: errno, or 0 for an orderly end
        std::function<void()> drained = {};             ///< the queue is empty again
    };

    /// Begins to connect. What is sent meanwhile waits in the queue. Failure arrives as `closed`.
    static std::unique_ptr<Stream> connect(Loop& loop, const SocketAddress& remote, Options options,
                                           Handlers handlers);
    static std::unique_ptr<Stream> connect_unix(Loop& loop, const std::string& path,
                                                Options options, Handlers handlers);
    ~Stream();

    /// An accepted stream reads nothing until it has its handlers. They may be replaced later.
    void start(Handlers handlers);

    /// Queues; written at the end of the round, so that several calls make one segment or record.
    /// False when the stream is closing, closed, or over its limit (then it closes itself).
    bool send(Bytes bytes);
    bool send(std::string_view text) { return send(as_bytes(text)); }

    /// Writes what is queued, then closes. `closed` follows with code 0.
    void close();
    /// The same for a stream that nobody waits for any more: it lives until it is closed.
    static void close_and_forget(std::unique_ptr<Stream> stream);
    /// Stops or resumes reading, for a consumer that cannot keep up.
    void pause(bool paused);
    void set_idle_timeout(Duration timeout);

    bool open() const;           ///< not closing and not closed
    std::size_t queued() const;  ///< bytes not yet taken by the kernel
    const SocketAddress& local() const;
    const SocketAddress& remote() const;  ///< unspecified for Unix sockets
    bool secure() const;
    std::string alpn() const;         ///< negotiated, or empty
    std::string server_name() const;  ///< SNI the client sent, or empty
    std::string peer_certificate_name()
        const;                 ///< subject common name of a verified peer, or empty
    std::uint64_t id() const;  ///< unique in the process, never reused

    struct Impl;
    explicit Stream(std::shared_ptr<Impl> impl);

private:
    std::shared_ptr<Impl> impl_;  // shared with the callback in progress
};

/// Accepts streams on a TCP port or a Unix socket, and holds the limits that keep floods out.
class Listener {
public:
    struct Options {
        std::size_t max_connections = 10000;
        std::size_t max_per_source = 256;  ///< per IP address; a NAT or SBC may hide many phones
        /// From accept to the first bytes of the application, TLS handshake included: connections
        /// that say nothing are closed first. Zero: never.
        Duration first_bytes_timeout = std::chrono::seconds{10};
        int backlog = 1024;
        bool reuse_port = false;
        bool v6_only = false;
        std::shared_ptr<TlsContext> tls = {};  ///< with it, streams speak TLS
        Stream::Options stream = {};           ///< of each accepted stream (connect fields unused)
    };
    struct Counters {
        std::uint64_t accepted = 0;
        std::uint64_t refused = 0;  ///< over max_connections or max_per_source
        std::uint64_t silent = 0;   ///< closed by first_bytes_timeout
        std::size_t open = 0;
    };
    /// Takes the stream and calls `start` on it, now or later; letting it go closes it. For TLS it
    /// comes before the handshake, which begins with `start`.
    using Accept = std::function<void(std::unique_ptr<Stream>)>;

    static Result<std::unique_ptr<Listener>> tcp(Loop& loop, const SocketAddress& address,
                                                 Options options, Accept accept);
    /// Replaces a stale socket file, but not one that somebody still serves. `mode` as for chmod.
    static Result<std::unique_ptr<Listener>> unix_socket(Loop& loop, const std::string& path,
                                                         unsigned mode, Options options,
                                                         Accept accept);
    ~Listener();  ///< accepted streams stay

    SocketAddress local() const;
    Counters counters() const;

private:
    struct Impl;
    explicit Listener(std::shared_ptr<Impl> impl);
    std::shared_ptr<Impl> impl_;  // shared with the streams, whose ends it counts
};

}  // namespace strowger::io
