#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/text.hpp"

namespace strowger::srtp {

using Buffer = std::vector<std::uint8_t>;

/// The bytes of hexadecimal text with blanks, as the RFCs print them.
inline Buffer unhex(std::string_view text) {
    Buffer bytes;
    std::string digits;
    for (const char c : text) {
        if (is_space(c)) continue;
        digits += c;
        if (digits.size() < 2) continue;
        bytes.push_back(static_cast<std::uint8_t>(std::stoul(digits, nullptr, 16)));
        digits.clear();
    }
    return bytes;
}

inline std::string hex(Bytes bytes) { return to_hex(as_text(bytes)); }

/// An RTP packet whose payload counts up from its sequence number.
inline Buffer rtp_packet(std::uint32_t ssrc, std::uint16_t sequence, std::size_t payload = 20) {
    Buffer packet(12 + payload);
    packet[0] = 0x80;
    store16(packet, 2, sequence);
    store32(packet, 4, sequence * 160U);
    store32(packet, 8, ssrc);
    for (std::size_t i = 0; i < payload; ++i) {
        packet[12 + i] = static_cast<std::uint8_t>(sequence + i);
    }
    return packet;
}

/// A receiver report of that sender about nobody, with a few words behind.
inline Buffer rtcp_packet(std::uint32_t ssrc, std::uint8_t filling = 0xab) {
    Buffer packet(24, filling);
    packet[0] = 0x80;
    packet[1] = 201;
    store16(packet, 2, 5);
    store32(packet, 4, ssrc);
    return packet;
}

}  // namespace strowger::srtp
