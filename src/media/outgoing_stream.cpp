#include "media/outgoing_stream.hpp"

namespace strowger::media {
namespace {

constexpr std::uint32_t initial_clock_rate = 8000;

rtp::Header header_of(Bytes packet) {
    return {.marker = (packet[1] & 0x80) != 0,
            .payload_type = static_cast<std::uint8_t>(packet[1] & 0x7f),
            .sequence = load16(packet, 2),
            .timestamp = load32(packet, 4),
            .ssrc = load32(packet, 8)};
}

}  // namespace

OutgoingStream::OutgoingStream(const rtp::Header& last, Time sent_at)
    : rewriter_(rtp::Rewriter::after(last, sent_at, initial_clock_rate)) {}

void OutgoingStream::set_clock_rate(std::uint32_t clock_rate) {
    if (clock_rate == 0 || clock_rate == clock_rate_) return;
    clock_rate_ = clock_rate;
    rewriter_.set_clock_rate(clock_rate);
}

bool OutgoingStream::forward(MutableBytes packet, const Recoder::Figures* source, Time now) {
    if (packet.size() < rtp::header_size) return false;
    const rtp::Header in = header_of(packet);
    const auto out = rewriter_.forward(in, now);
    if (!out) return false;
    rtp::rewrite_header(*out, packet);
    const std::uint32_t later = out->timestamp - in.timestamp;
    figures_.ssrc_out = out->ssrc;
    figures_.sequence_out = out->sequence;
    if (source && source->own) {
        figures_.ssrc_in = source->ssrc_in;
        figures_.sequence_in = source->sequence_in;
        figures_.stamp_in = source->stamp_in;
        figures_.stamp_out = source->stamp_out + later;
        figures_.clock_in = source->clock_in;
        figures_.clock_out = source->clock_out;
    } else {
        figures_.ssrc_in = in.ssrc;
        figures_.sequence_in = in.sequence;
        figures_.stamp_in = in.timestamp;
        figures_.stamp_out = out->timestamp;
        figures_.clock_in = figures_.clock_out = clock_rate_;
    }
    count(packet);
    return true;
}

void OutgoingStream::count(Bytes packet) {
    ++figures_.packets;
    if (const auto parsed = rtp::Packet::parse(packet))
        figures_.octets += static_cast<std::uint32_t>(parsed->payload().size());
}

}  // namespace strowger::media
