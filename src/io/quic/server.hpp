#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "io/loop.hpp"
#include "io/quic/credentials.hpp"

namespace strowger::io::quic {

using StreamId = std::int64_t;  ///< RFC 9000 section 2.1

/// One connection of a Server. Its functions may be called from inside its handlers; what is sent
/// leaves at the end of the loop's round.
class Connection {
public:
    struct Handlers {
        std::function<void(StreamId, Bytes, bool fin)> data;
        std::function<void(StreamId, std::uint64_t code)> reset;    ///< the peer ended its side
        std::function<void(StreamId, std::uint64_t code)> stopped;  ///< the peer reads no more
        std::function<void(StreamId)> stream_closed;                ///< both sides are through
        std::function<void(Bytes)> datagram;
        /// Over, for whatever reason; nothing is called after it and the Connection goes away.
        std::function<void(const Error&)> closed;
    };
    void start(Handlers handlers);

    /// Nothing while the peer allows no more streams.
    std::optional<StreamId> open_bidirectional();
    std::optional<StreamId> open_unidirectional();
    /// Copies. False when the stream is not there or `Options::max_queued` would be exceeded.
    bool send(StreamId stream, Bytes bytes, bool fin);
    void reset(StreamId stream, std::uint64_t code);
    void stop(StreamId stream, std::uint64_t code);
    /// Dropped when too many wait, or the peer takes none so long: they are not reliable anyway.
    void send_datagram(Bytes bytes);
    /// What is queued goes nowhere; `closed` is called later.
    void close(std::uint64_t code, std::string_view reason);

    std::uint64_t id() const;
    const SocketAddress& remote() const;
    std::size_t queued() const;  ///< bytes that the peer has not acknowledged

    ~Connection();

    struct Impl;  ///< for the .cpp files of this folder

private:
    friend class Server;
    explicit Connection(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

/// A QUIC server (RFC 9000, 9001, 9002; datagrams of RFC 9221) for HTTP/3, on any number of
/// sockets: ngtcp2 with GnuTLS.
///
/// Who has not shown that it receives what is sent to its address (RFC 9000 section 8.1) is asked
/// to, with a Retry, as soon as handshakes become many. A connection that has ended answers what
/// still comes for a while (section 10.2).
class Server {
public:
    struct Options {
        std::string alpn = "h3";
        Duration idle_timeout = std::chrono::seconds{5};
        Duration keep_alive = std::chrono::seconds{2};
        Duration handshake_timeout = std::chrono::seconds{10};
        std::size_t max_connections = 4096;
        /// A cluster under test has all providers on one machine, and a NAT stands for many.
        std::size_t max_per_address = 1024;
        /// Handshakes under way, or begun within a second, above which addresses are validated.
        std::size_t unvalidated_handshakes = 64;
        /// Handshakes begun within a second, above which further ones are dropped: each costs a
        /// signature, about 0.2 ms.
        std::size_t handshakes_a_second = 1000;
        bool always_validate = false;
        /// Bytes of one connection that wait to be acknowledged; beyond it `send` refuses.
        std::size_t max_queued = 256 << 20;
        /// What a peer may send ahead of us, of one stream and altogether; they grow to four times
        /// that with the bandwidth.
        std::uint64_t stream_window = 1 << 20, connection_window = 4 << 20;
        std::uint64_t max_streams = 128;  ///< open at once, of the peer, of each kind
    };
    struct Counters {
        std::uint64_t accepted = 0;       ///< connections whose handshake began
        std::uint64_t established = 0;    ///< whose handshake succeeded
        std::uint64_t retries = 0;        ///< addresses that were asked to show themselves
        std::uint64_t refused = 0;        ///< for a limit, or with a bad token
        std::uint64_t dropped = 0;        ///< datagrams that are no QUIC or of no connection
        std::uint64_t wrong_version = 0;  ///< answered with the versions that we speak
    };
    /// Called when a handshake has succeeded; it calls `start` on the connection.
    using Accept = std::function<void(Connection&)>;

    Server(Loop& loop, std::shared_ptr<const Credentials> credentials, Options options,
           Accept accept);
    ~Server();  ///< tells all peers that it is over (H3_NO_ERROR)

    Result<SocketAddress> listen(const SocketAddress& address);
    /// For handshakes from now on.
    void use(std::shared_ptr<const Credentials> credentials);

    std::size_t connections() const;
    const Counters& counters() const;

    struct Impl;

private:
    std::shared_ptr<Impl> impl_;  // shared with what is due at the end of a round
};

}  // namespace strowger::io::quic
