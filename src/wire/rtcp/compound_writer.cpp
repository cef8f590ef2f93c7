#include "wire/rtcp/compound_writer.hpp"

#include <algorithm>

namespace strowger::rtcp {

namespace {

void store_blocks(MutableBytes out, std::span<const ReportBlock> blocks) {
    for (const auto& block : blocks) {
        store32(out, 0, block.ssrc);
        store32(out, 4, static_cast<std::uint32_t>(block.cumulative_lost) & 0xffffff);
        out[4] = block.fraction_lost;
        store32(out, 8, block.highest_sequence);
        store32(out, 12, block.jitter);
        store32(out, 16, block.last_sr);
        store32(out, 20, block.delay_since_last_sr);
        out = out.subspan(ReportBlock::size);
    }
}

}  // namespace

// Writes the common header; gives the zeroed body, or nothing when it does not fit.
MutableBytes CompoundWriter::begin(Type type, std::size_t count, std::size_t body_size) {
    const std::size_t size = 4 + (body_size + 3) / 4 * 4;
    if (failed_ || count > max_count || size > out_.size() - size_ || size / 4 - 1 > 0xffff) {
        failed_ = true;
        return {};
    }
    const auto packet = out_.subspan(size_, size);
    packet[0] = static_cast<std::uint8_t>(0x80 | count);
    packet[1] = static_cast<std::uint8_t>(type);
    store16(packet, 2, static_cast<std::uint16_t>(size / 4 - 1));
    const auto body = packet.subspan(4);
    std::ranges::fill(body, std::uint8_t{0});
    size_ += size;
    return body;
}

CompoundWriter& CompoundWriter::sender_report(std::uint32_t ssrc, const SenderInfo& info,
                                              std::span<const ReportBlock> blocks) {
    const auto body =
        begin(Type::sender_report, blocks.size(), 24 + blocks.size() * ReportBlock::size);
    if (body.empty()) return *this;
    store32(body, 0, ssrc);
    store32(body, 4, static_cast<std::uint32_t>(info.ntp >> 32));
    store32(body, 8, static_cast<std::uint32_t>(info.ntp));
    store32(body, 12, info.rtp);
    store32(body, 16, info.packets);
    store32(body, 20, info.octets);
    store_blocks(body.subspan(24), blocks);
    return *this;
}

CompoundWriter& CompoundWriter::receiver_report(std::uint32_t ssrc,
                                                std::span<const ReportBlock> blocks) {
    const auto body =
        begin(Type::receiver_report, blocks.size(), 4 + blocks.size() * ReportBlock::size);
    if (body.empty()) return *this;
    store32(body, 0, ssrc);
    store_blocks(body.subspan(4), blocks);
    return *this;
}

CompoundWriter& CompoundWriter::cname(std::uint32_t ssrc, std::string_view name) {
    name = name.substr(0, 255);
    // SSRC, item, its length, its text and the END that every chunk needs.
    const auto body = begin(Type::sdes, 1, 4 + 2 + name.size() + 1);
    if (body.empty()) return *this;
    store32(body, 0, ssrc);
    body[4] = static_cast<std::uint8_t>(SourceDescription::Item::cname);
    body[5] = static_cast<std::uint8_t>(name.size());
    std::ranges::copy(as_bytes(name), body.subspan(6).begin());
    return *this;
}

CompoundWriter& CompoundWriter::bye(std::uint32_t ssrc, std::string_view reason) {
    reason = reason.substr(0, 255);
    const auto body = begin(Type::bye, 1, 4 + (reason.empty() ? 0 : 1 + reason.size()));
    if (body.empty()) return *this;
    store32(body, 0, ssrc);
    if (reason.empty()) return *this;
    body[4] = static_cast<std::uint8_t>(reason.size());
    std::ranges::copy(as_bytes(reason), body.subspan(5).begin());
    return *this;
}

CompoundWriter& CompoundWriter::app(std::uint32_t ssrc, std::uint8_t subtype, std::string_view name,
                                    Bytes data) {
    if (name.size() != 4 || data.size() % 4 != 0) {
        failed_ = true;
        return *this;
    }
    const auto body = begin(Type::app, subtype, 8 + data.size());
    if (body.empty()) return *this;
    store32(body, 0, ssrc);
    std::ranges::copy(as_bytes(name), body.subspan(4).begin());
    std::ranges::copy(data, body.subspan(8).begin());
    return *this;
}

CompoundWriter& CompoundWriter::nack(std::uint32_t sender, std::uint32_t media,
                                     std::span<const Feedback::NackItem> items) {
    const auto body = begin(Type::transport_feedback, 1, 8 + items.size() * 4);
    if (body.empty()) return *this;
    store32(body, 0, sender);
    store32(body, 4, media);
    for (std::size_t i = 0; i < items.size(); ++i) {
        store16(body, 8 + i * 4, items[i].packet_id);
        store16(body, 10 + i * 4, items[i].bitmask);
    }
    return *this;
}

CompoundWriter& CompoundWriter::pli(std::uint32_t sender, std::uint32_t media) {
    const auto body = begin(Type::payload_feedback, 1, 8);
    if (body.empty()) return *this;
    store32(body, 0, sender);
    store32(body, 4, media);
    return *this;
}

// RFC 5104 section 4.3.1.1: the media SSRC of the head is 0, the item names the source.
CompoundWriter& CompoundWriter::fir(std::uint32_t sender, std::uint32_t media,
                                    std::uint8_t sequence) {
    const auto body = begin(Type::payload_feedback, 4, 16);
    if (body.empty()) return *this;
    store32(body, 0, sender);
    store32(body, 8, media);
    body[12] = sequence;
    return *this;
}

CompoundWriter& CompoundWriter::remb(std::uint32_t sender, std::uint64_t bitrate,
                                     std::span<const std::uint32_t> sources) {
    if (sources.size() > 255) {
        failed_ = true;
        return *this;
    }
    const auto body = begin(Type::payload_feedback, 15, 16 + sources.size() * 4);
    if (body.empty()) return *this;
    std::uint32_t exponent = 0;
    for (; bitrate > 0x3ffff; ++exponent) bitrate >>= 1;
    store32(body, 0, sender);
    std::ranges::copy(as_bytes("REMB"), body.subspan(8).begin());
    store32(body, 12,
            static_cast<std::uint32_t>(sources.size()) << 24 | exponent << 18 |
                static_cast<std::uint32_t>(bitrate));
    for (std::size_t i = 0; i < sources.size(); ++i) store32(body, 16 + i * 4, sources[i]);
    return *this;
}

}  // namespace strowger::rtcp
