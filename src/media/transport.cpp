#include "media/transport.hpp"

namespace strowger::media {

void Transport::aim(const Target& target) {
    const bool same = target.rtp == target_.rtp && target.rtcp == target_.rtcp &&
                      target.symmetric == target_.symmetric;
    target_ = target;
    sockets_.rtp.disconnect();
    lock_.expect(target.rtp, target.likely, target.learning);
    may_connect_ = target.may_connect;
    if (same) return;
    remote_ = target.rtp;
    learnt_rtcp_.reset();
}

std::optional<MutableBytes> Transport::receive(MutableBytes buffer) {
    const auto size = sockets_.rtp.connected() ? sockets_.rtp.receive(buffer)
                                               : sockets_.rtp.receive_from(buffer, from_);
    if (!size) return std::nullopt;
    return buffer.first(*size);
}

bool Transport::accept(const rtp::Header& header, Time now) {
    return accept(header.ssrc, header.sequence, now);
}

bool Transport::accept_other(std::uint16_t count, Time now) { return accept(0, count, now); }

bool Transport::accept(std::uint32_t ssrc, std::uint16_t sequence, Time now) {
    if (sockets_.rtp.connected()) {
        lock_.heard(now);
        return true;
    }
    if (!lock_.accept(from_, ssrc, sequence, now)) return false;
    settle(now);
    return true;
}

// Follows what the lock has learnt. The socket is connected when the party sends from where we send
// to and that cannot change: cheaper by 1000 instructions a packet, and deaf to strangers.
void Transport::settle(Time now) {
    const auto& source = lock_.source();
    if (!lock_.locked()) return;
    if (target_.symmetric && remote_ != source) {
        remote_ = source;
        learnt_rtcp_.reset();
    }
    if (remote_ == source && may_connect_ && lock_.firm(now))
        may_connect_ = sockets_.rtp.connect(*source);
}

std::optional<MutableBytes> Transport::receive_rtcp(MutableBytes buffer) {
    SocketAddress from;
    const auto size = sockets_.rtcp.receive_from(buffer, from);
    if (!size) return std::nullopt;
    const bool named = target_.rtcp && from == *target_.rtcp;
    const bool same_host = remote_ && from.ip == remote_->ip;
    if (!named && !same_host) return std::nullopt;
    if (target_.symmetric && same_host) learnt_rtcp_ = from;
    return buffer.first(*size);
}

bool Transport::send(Bytes packet) {
    if (sockets_.rtp.connected()) return sockets_.rtp.send(packet);
    return remote_ && sockets_.rtp.send_to(packet, *remote_);
}

bool Transport::send_rtcp(Bytes packet) {
    if (target_.muxed) return send(packet);
    const auto to = rtcp_remote();
    return to && sockets_.rtcp.send_to(packet, *to);
}

std::optional<SocketAddress> Transport::rtcp_remote() const {
    if (learnt_rtcp_) return learnt_rtcp_;
    if (remote_ && remote_ != target_.rtp)
        return SocketAddress{remote_->ip, static_cast<std::uint16_t>(remote_->port + 1)};
    return target_.rtcp;
}

void Transport::watch(Time now) {
    if (lock_.expire(now)) sockets_.rtp.disconnect();
}

}  // namespace strowger::media
