#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "base/result.hpp"

namespace strowger::io {

/// One non-blocking UDP socket of a media stream, as spec/relay-datapath.md method C uses it: read
/// once an event, connected when the peer is known, unconnected to learn.
class MediaSocket {
public:
    /// Bound to that very address and port; fails with the errno (EADDRINUSE: try another).
    static Result<MediaSocket> open(SocketAddress local, int tos = 0);

    MediaSocket() = default;
    MediaSocket(MediaSocket&& other) noexcept;
    MediaSocket& operator=(MediaSocket&& other) noexcept;
    ~MediaSocket();

    bool is_open() const { return fd_ >= 0; }
    int fd() const { return fd_; }

    /// From now on the kernel drops what others send, and `send` needs no route look-up. Answers
    /// false when the kernel refuses (no route); then use `send_to`.
    bool connect(const SocketAddress& peer);
    void disconnect();
    bool connected() const { return connected_; }

    /// The size of the datagram put into `buffer` (cut to it), or nothing. The sender is not asked
    /// for: what a connected socket receives is its peer's.
    std::optional<std::size_t> receive(MutableBytes buffer);
    /// As above, and says who sent it.
    std::optional<std::size_t> receive_from(MutableBytes buffer, SocketAddress& from);

    /// False when it did not go out: no buffer space, no route. A peer's "port unreachable" for an
    /// earlier datagram is ignored and the send repeated once.
    bool send(Bytes datagram);
    bool send_to(Bytes datagram, const SocketAddress& to);

    /// Throws away what lies in the receive queue, `limit` datagrams at most.
    void drain(int limit);

    /// Takes over a socket.
    explicit MediaSocket(int fd) : fd_(fd) {}

private:
    int fd_ = -1;
    bool connected_ = false;
};

/// The local address from which this host would send to `to`: what to advertise to it. Nothing is
/// sent.
std::optional<IpAddress> local_address_towards(const IpAddress& to);

}  // namespace strowger::io
