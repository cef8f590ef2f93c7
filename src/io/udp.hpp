#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "base/result.hpp"
#include "io/loop.hpp"

namespace strowger::io {

/// A UDP socket for signalling and control, read and written in batches.
///
/// A round of the loop costs one recvmmsg for up to `max_batch` datagrams and one sendmmsg for all
/// that was sent meanwhile. Nothing is allocated for a datagram that is received.
class UdpSocket {
public:
    static constexpr std::size_t max_batch = 32;
    static constexpr std::size_t max_datagram = 65536;  ///< above the largest UDP payload
    /// Datagrams waiting for the end of the round; beyond, the batch is sent at once.
    static constexpr std::size_t max_queued = 256;

    struct Options {
        bool reuse_address = false;
        bool reuse_port = false;  ///< several sockets share the port and the kernel spreads flows
        bool v6_only = false;
        int tos = 0;  ///< the whole octet: DSCP << 2
        int receive_buffer =
            4 << 20;  ///< SO_RCVBUF, as far as net.core.rmem_max allows; 0: default
        int send_buffer = 0;
    };

    struct Datagram {
        SocketAddress remote;
        SocketAddress local;  ///< the address it was sent to (IP_PKTINFO), and our port
        Bytes bytes;          ///< valid during the callback
    };
    using Receive = std::function<void(std::span<const Datagram>)>;

    struct Counters {
        std::uint64_t received = 0;
        std::uint64_t received_bytes = 0;
        std::uint64_t sent = 0;
        std::uint64_t sent_bytes = 0;
        std::uint64_t send_failed = 0;      ///< refused by the kernel: full buffer, no route...
        std::uint64_t receive_dropped = 0;  ///< lost because we did not read in time (SO_RXQ_OVFL)
        std::uint64_t truncated = 0;
    };

    /// Port 0 asks the kernel for one; see `local`. The receiver may send and may destroy the
    /// socket.
    static Result<std::unique_ptr<UdpSocket>> bind(Loop& loop, const SocketAddress& address,
                                                   const Options& options, Receive receive);
    ~UdpSocket();

    /// Copies the bytes and sends them at the end of the round. With `local`, from that address
    /// (a reply leaves from where the request was sent to); without, the kernel chooses.
    void send(const SocketAddress& remote, Bytes bytes,
              const std::optional<IpAddress>& local = std::nullopt);
    void flush();  ///< sends what is queued now

    SocketAddress local() const;
    const Counters& counters() const;

    /// Which address the kernel would send from to reach `remote`; nothing is sent.
    static std::optional<IpAddress> source_for(const IpAddress& remote);

private:
    struct Impl;
    explicit UdpSocket(std::shared_ptr<Impl> impl);
    std::shared_ptr<Impl> impl_;  // shared with the callback in progress
};

}  // namespace strowger::io
