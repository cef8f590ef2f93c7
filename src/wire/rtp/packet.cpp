#include "wire/rtp/packet.hpp"

#include <algorithm>

namespace strowger::rtp {

namespace {

constexpr std::uint16_t one_byte_profile = 0xbede;  // RFC 8285 section 4.2
constexpr std::uint16_t two_byte_profile = 0x1000;  // section 4.3, with four bits of appbits

}  // namespace

std::string_view text_of(Fault fault) {
    switch (fault) {
        case Fault::too_short: return "shorter than an RTP header";
        case Fault::not_version_2: return "not RTP version 2";
        case Fault::csrc_overrun: return "CSRC list longer than the packet";
        case Fault::extension_overrun: return "header extension longer than the packet";
        case Fault::bad_padding: return "padding count of 0 or longer than the payload";
    }
    return "";
}

std::expected<Packet, Fault> Packet::parse(Bytes bytes) {
    if (bytes.size() < header_size) return std::unexpected(Fault::too_short);
    if (bytes[0] >> 6 != 2) return std::unexpected(Fault::not_version_2);
    Packet packet;
    packet.bytes_ = bytes;
    packet.header_ = {.marker = (bytes[1] & 0x80) != 0,
                      .payload_type = static_cast<std::uint8_t>(bytes[1] & 0x7f),
                      .sequence = load16(bytes, 2),
                      .timestamp = load32(bytes, 4),
                      .ssrc = load32(bytes, 8)};
    packet.csrc_count_ = bytes[0] & 0x0f;
    std::size_t at = header_size + packet.csrc_count_ * std::size_t{4};
    if (at > bytes.size()) return std::unexpected(Fault::csrc_overrun);
    if ((bytes[0] & 0x10) != 0) {
        if (at + 4 > bytes.size()) return std::unexpected(Fault::extension_overrun);
        const std::size_t size = load16(bytes, at + 2) * std::size_t{4};
        if (at + 4 + size > bytes.size()) return std::unexpected(Fault::extension_overrun);
        packet.has_extension_ = true;
        packet.extension_profile_ = load16(bytes, at);
        packet.extension_ = bytes.subspan(at + 4, size);
        at += 4 + size;
    }
    if ((bytes[0] & 0x20) != 0) {
        packet.padding_ = bytes.back();
        if (packet.padding_ == 0 || packet.padding_ > bytes.size() - at) {
            return std::unexpected(Fault::bad_padding);
        }
    }
    packet.payload_ = bytes.subspan(at, bytes.size() - at - packet.padding_);
    return packet;
}

std::optional<Bytes> Packet::extension_element(std::uint8_t id) const {
    if (id == 0) return std::nullopt;  // padding
    const bool one_byte = extension_profile_ == one_byte_profile;
    if (!one_byte && (extension_profile_ & 0xfff0) != two_byte_profile) return std::nullopt;
    for (Bytes rest = extension_; !rest.empty();) {
        if (rest[0] == 0) {
            rest = rest.subspan(1);
            continue;
        }
        if (!one_byte && rest.size() < 2) return std::nullopt;
        const std::uint8_t found = one_byte ? rest[0] >> 4 : rest[0];
        const std::size_t size = one_byte ? (rest[0] & 0x0f) + std::size_t{1} : rest[1];
        const std::size_t head = one_byte ? 1 : 2;
        // Section 4.2: 15 ends the one-byte list.
        if ((one_byte && found == 15) || head + size > rest.size()) return std::nullopt;
        if (found == id) return rest.subspan(head, size);
        rest = rest.subspan(head + size);
    }
    return std::nullopt;
}

void write_header(const Header& header, MutableBytes out) {
    out[0] = 0x80;
    out[1] = static_cast<std::uint8_t>((header.marker ? 0x80 : 0) | (header.payload_type & 0x7f));
    store16(out, 2, header.sequence);
    store32(out, 4, header.timestamp);
    store32(out, 8, header.ssrc);
}

std::size_t write(const Header& header, Bytes payload, MutableBytes out) {
    if (out.size() < header_size + payload.size()) return 0;
    write_header(header, out);
    const auto place = out.subspan(header_size);
    if (payload.data() != place.data()) std::ranges::copy(payload, place.begin());
    return header_size + payload.size();
}

void rewrite_header(const Header& header, MutableBytes packet) {
    const std::uint8_t counts = packet[0];
    write_header(header, packet);
    packet[0] = counts;
}

Kind kind_of(Bytes datagram) {
    if (datagram.empty()) return Kind::unknown;
    const std::uint8_t first = datagram[0];
    if (first <= 3) return Kind::stun;
    if (first >= 16 && first <= 19) return Kind::zrtp;
    if (first >= 20 && first <= 63) return Kind::dtls;
    if (first >= 64 && first <= 79) return Kind::turn_channel;
    if (first < 128) return Kind::quic;
    if (first > 191 || datagram.size() < 2) return Kind::unknown;
    // RFC 5761 section 4: 64 to 95 are no payload types where RTCP shares the port.
    const std::uint8_t type = datagram[1] & 0x7f;
    return type >= 64 && type <= 95 ? Kind::rtcp : Kind::rtp;
}

}  // namespace strowger::rtp
