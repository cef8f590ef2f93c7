// Streams towards browsers: one path for all sections of a bundle.
#include <algorithm>
#include <utility>

#include "media/relay_stream.hpp"
#include "media/shard.hpp"

namespace strowger::media {

void RelayStream::set_path(std::unique_ptr<RelayPath> path) {
    if (path_) path_->close();
    path_ = std::move(path);
    tell_path();
    if (path_ && shard_) path_->enter(*shard_);
    if (path_) return;
    figures_->ice.set(StreamFigures::Ice::none);
    figures_->dtls.set(StreamFigures::Dtls::none);
}

void RelayStream::carry(std::vector<Rider> riders) {
    for (const Rider& rider : riders_)
        if (rider.stream->carrier_ == this) rider.stream->carrier_ = nullptr;
    riders_ = std::move(riders);
    for (const Rider& rider : riders_) {
        if (rider.stream == this) continue;
        rider.stream->rode_ = true;
        if (auto* before = std::exchange(rider.stream->carrier_, this); before && before != this)
            std::erase_if(before->riders_, [&](const auto& r) { return r.stream == rider.stream; });
    }
}

void RelayStream::borrow(std::vector<RelayStream*> lenders) {
    for (RelayStream* lender : lenders_)
        if (lender) lender->borrower_ = nullptr;
    lenders_ = std::move(lenders);
    for (RelayStream* lender : lenders_) lender->borrower_ = this;
    tell_path();
}

// Neither lends nor borrows any more.
void RelayStream::give_back() {
    borrow({});
    if (!borrower_) return;
    std::ranges::replace(borrower_->lenders_, this, nullptr);
    std::exchange(borrower_, nullptr)->tell_path();
}

void RelayStream::tell_path() const {
    if (!path_) return;
    std::vector<Transport*> further;
    for (RelayStream* lender : lenders_) further.push_back(lender ? &lender->transport_ : nullptr);
    path_->use(std::move(further));
}

void RelayStream::lend_packet(ice::SocketId socket, MutableBytes packet, const SocketAddress& from,
                              Time now) {
    const auto& lenders = borrower_->lenders_;
    const auto at = std::ranges::find(lenders, this) - lenders.begin();
    if (!borrower_->path_) return borrower_->figures_->rtp_in.errors.add(1);
    const auto place = static_cast<std::size_t>(at) + 1;
    borrower_->path_packet(RelayPath::socket_at(place, socket), packet, from, now);
}

void RelayStream::path_packet(ice::SocketId socket, MutableBytes packet, const SocketAddress& from,
                              Time now) {
    using Kind = WebrtcSession::Media::Kind;
    const auto sort = rtp::kind_of(packet);
    const auto media = path_->receive(socket, packet, from, now);
    if (media.kind == Kind::none) {
        if (sort != rtp::Kind::stun && sort != rtp::Kind::dtls) figures_->rtp_in.errors.add(1);
        return;
    }
    if (!path_->has_keys()) return unkeyed_packet(packet, media.kind == Kind::rtcp, now);
    const auto plain = packet.first(media.size);
    if (media.kind == Kind::rtcp) return path_report(plain, now);
    const auto parsed = rtp::Packet::parse(plain);
    RelayStream* stream = parsed ? whose(plain) : nullptr;
    if (!stream) return figures_->rtp_in.errors.add(1);
    stream->take_rtp(parsed->header(), plain, now);
}

// ICE has found the path, and keys, if there are any, are ours.
void RelayStream::unkeyed_packet(MutableBytes packet, bool rtcp, Time now) {
    if (rtcp) return rtcp_packet(packet, now);
    if (const auto plain = opened(packet)) take_rtp(header_of(*plain), *plain, now);
}

// RFC 9143 section 9.2: a known SSRC; else the MID that the packet carries; else the payload type.
RelayStream* RelayStream::whose(Bytes bytes) {
    if (riders_.empty()) return this;
    const auto packet = rtp::Packet::parse(bytes);
    if (!packet) return nullptr;
    for (const Rider& rider : riders_)
        if (rider.mid_extension != 0)
            if (const auto mid = packet->extension_element(rider.mid_extension))
                if (std::ranges::equal(*mid, rider.mid)) return rider.stream;
    for (const Rider& rider : riders_)
        for (const auto& ssrc : rider.stream->figures_->ssrcs_in)
            if (ssrc.get() == packet->ssrc()) return rider.stream;
    const auto type = std::ranges::find_if(
        riders_, [&](const Rider& rider) { return rider.types[packet->payload_type() & 0x7f]; });
    return type == riders_.end() ? nullptr : type->stream;
}

bool RelayStream::sends_ssrc(std::uint32_t ssrc) const {
    return std::ranges::find(sent_ssrcs_, ssrc) != sent_ssrcs_.end();
}

// A report of this section's sender, or about what this section sends.
bool RelayStream::concerns(const rtcp::Compound& compound) const {
    const auto hears = [&](std::uint32_t ssrc) {
        return std::ranges::any_of(figures_->ssrcs_in,
                                   [&](const auto& known) { return known.get() == ssrc; });
    };
    for (const auto& part : compound) {
        constexpr std::size_t sender_at = 4, media_at = 8, first_block_at = 8, block_size = 24,
                              sender_info = 20;
        if (part.bytes.size() < sender_at + 4) continue;
        const bool sender_report = part.type == rtcp::Type::sender_report;
        if (sender_report && hears(load32(part.bytes, sender_at))) return true;
        if (part.type == rtcp::Type::transport_feedback ||
            part.type == rtcp::Type::payload_feedback) {
            if (part.bytes.size() >= media_at + 4 && sends_ssrc(load32(part.bytes, media_at)))
                return true;
            continue;
        }
        if (!sender_report && part.type != rtcp::Type::receiver_report) continue;
        for (std::size_t at = first_block_at + (sender_report ? sender_info : 0);
             at + block_size <= part.bytes.size(); at += block_size)
            if (sends_ssrc(load32(part.bytes, at))) return true;
    }
    return false;
}

void RelayStream::path_report(MutableBytes packet, Time now) {
    if (riders_.empty()) return take_rtcp(packet, now);
    const auto compound = rtcp::Compound::parse(packet, rtcp::Strictness::reduced);
    if (!compound) return figures_->rtcp_in.errors.add(1);
    // Sending encrypts in place, so each gets a copy of its own but the last.
    std::array<RelayStream*, max_riders> takers{};
    std::size_t count = 0;
    for (const Rider& rider : riders_)
        if (count < takers.size() && rider.stream->concerns(*compound))
            takers[count++] = rider.stream;
    if (count == 0) takers[count++] = this;
    std::array<std::uint8_t, Shard::max_packet> kept;
    std::copy(packet.begin(), packet.end(), kept.begin());
    for (std::size_t i = 0; i < count; ++i) {
        if (i > 0) std::copy_n(kept.begin(), packet.size(), packet.begin());
        takers[i]->take_rtcp(packet, now);
    }
}

}  // namespace strowger::media
