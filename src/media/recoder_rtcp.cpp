// What RTCP says of streams that are recoded on the way (RFC 3550 section 6.4).
#include "media/recoder.hpp"

namespace strowger::media {
namespace {

constexpr std::uint8_t sender_report = 200, receiver_report = 201, description = 202, goodbye = 203;
constexpr std::uint8_t transport_feedback = 205, payload_feedback = 206, extended_report = 207;
constexpr std::size_t block_size = 24;

std::uint32_t scaled(std::uint32_t ticks, std::uint32_t to, std::uint32_t from) {
    return static_cast<std::uint32_t>(std::int64_t{static_cast<std::int32_t>(ticks)} * to / from);
}

}  // namespace

void Recoder::rewrite_rtcp(MutableBytes compound, const Figures* forth, const Figures* back) {
    if (forth && !forth->own) forth = nullptr;
    if (back && !back->own) back = nullptr;
    const auto sender = [&](MutableBytes part, std::size_t at) {
        if (forth && load32(part, at) == forth->ssrc_in) store32(part, at, forth->ssrc_out);
    };
    const auto about = [&](MutableBytes part, std::size_t at) {
        const bool ours = back && load32(part, at) == back->ssrc_out;
        if (ours) store32(part, at, back->ssrc_in);
        return ours;
    };
    const auto block = [&](MutableBytes part, std::size_t at) {
        if (!about(part, at)) return;
        const auto behind =
            static_cast<std::uint16_t>(back->sequence_out - (load32(part, at + 8) & 0xffff));
        store32(part, at + 8, static_cast<std::uint16_t>(back->sequence_in - behind));
        store32(part, at + 12, scaled(load32(part, at + 12), back->clock_in, back->clock_out));
    };
    while (compound.size() >= 8) {
        const std::size_t size = (std::size_t{load16(compound, 2)} + 1) * 4;
        if (size > compound.size()) return;
        const MutableBytes part = compound.first(size);
        compound = compound.subspan(size);
        if (size < 8) continue;
        const std::size_t count = part[0] & 0x1f;
        std::size_t blocks = 0;  // where they begin
        switch (part[1]) {
            case sender_report:
                if (size < 28) break;
                if (forth && load32(part, 4) == forth->ssrc_in) {
                    const std::uint32_t ahead = load32(part, 16) - forth->stamp_in;
                    store32(part, 16,
                            forth->stamp_out + scaled(ahead, forth->clock_out, forth->clock_in));
                    store32(part, 20, forth->packets);
                    store32(part, 24, forth->octets);
                }
                blocks = 28;
                break;
            case receiver_report: blocks = 8; break;
            case transport_feedback:
            case payload_feedback:
                if (size >= 12) (void)about(part, 8);
                break;
            case goodbye:
                for (std::size_t i = 1; i < count && 4 + 4 * i + 4 <= size; ++i)
                    sender(part, 4 + 4 * i);
                break;
            case description:  // the first chunk is the sender's
            case extended_report: break;
            default: continue;
        }
        sender(part, 4);
        if (blocks == 0) continue;
        for (std::size_t i = 0; i < count && blocks + (i + 1) * block_size <= size; ++i)
            block(part, blocks + i * block_size);
    }
}

}  // namespace strowger::media
