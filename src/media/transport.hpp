#pragma once

#include <optional>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "media/ports.hpp"
#include "media/source_lock.hpp"
#include "wire/rtp/packet.hpp"

namespace strowger::media {

/// How a leg's packets come and go: plain RTP over the leg's own pair of sockets.
///
/// The seam for the other ways. SRTP decrypts in place between `receive` and `accept` and encrypts
/// in place in `send`; ICE replaces SourceLock; one port for many legs replaces the sockets. A leg
/// sees only datagrams that are its party's, in the clear.
class Transport {
public:
    struct Target {
        std::optional<SocketAddress> rtp, rtcp;  ///< as signalled; nothing: not known, or on hold
        std::optional<IpAddress> likely;         ///< where the signalling came from
        bool symmetric = false;
        bool muxed = false;       ///< RTCP comes and goes at the RTP ports (RFC 5761)
        bool may_connect = true;  ///< once the source is sure, the kernel may drop what others send
        SourceLock::Learning learning = {};
    };

    explicit Transport(SocketPair sockets) : sockets_(std::move(sockets)) {}

    /// A new offer or answer says where the party is. Its source is learnt again; when the place is
    /// the same as before, packets go where they went until then.
    void aim(const Target& target);

    /// The next datagram at the RTP port, by whomever; a view into `buffer`.
    std::optional<MutableBytes> receive(MutableBytes buffer);
    /// Whether the datagram just received, valid RTP of ours by `header`, is the party's.
    bool accept(const rtp::Header& header, Time now);
    /// What is no RTP: the same, by what it says of itself nothing else.
    bool accept_other(std::uint16_t count, Time now);
    /// The next datagram at the RTCP port if it can be the party's.
    std::optional<MutableBytes> receive_rtcp(MutableBytes buffer);

    bool send(Bytes packet);
    bool send_rtcp(Bytes packet);

    /// Once a second: gives a source up that has been silent too long.
    void watch(Time now);

    /// Where packets go now; nothing while nobody knows.
    const std::optional<SocketAddress>& remote() const { return remote_; }
    /// Who sent the datagram just received.
    SocketAddress from() const { return connected() ? *remote_ : from_; }
    bool connected() const { return sockets_.rtp.connected(); }
    bool locked() const { return lock_.locked(); }
    const SocketPair& sockets() const { return sockets_; }
    SocketPair& sockets() { return sockets_; }
    /// For what speaks at the RTP port besides RTP.
    io::MediaSocket& rtp_socket() { return sockets_.rtp; }

private:
    bool accept(std::uint32_t ssrc, std::uint16_t sequence, Time now);
    void settle(Time now);
    std::optional<SocketAddress> rtcp_remote() const;

    SocketPair sockets_;
    Target target_;
    SourceLock lock_;
    SocketAddress from_;  // of the datagram just received on the unconnected socket
    std::optional<SocketAddress> remote_;
    std::optional<SocketAddress> learnt_rtcp_;
    bool may_connect_ = true;
};

}  // namespace strowger::media
