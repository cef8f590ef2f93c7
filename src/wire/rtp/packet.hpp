#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>

#include "base/bytes.hpp"

namespace strowger::rtp {

constexpr std::size_t header_size = 12;
/// The fixed header of RFC 3550 section 5.1 without its counts.
struct Header {
    bool marker = false;
    std::uint8_t payload_type = 0;
    std::uint16_t sequence = 0;
    std::uint32_t timestamp = 0;
    std::uint32_t ssrc = 0;

    bool operator==(const Header&) const = default;
};

/// Why bytes are no RTP packet. An enumeration, as garbage on the packet path must not allocate.
enum class Fault : std::uint8_t {
    too_short,
    not_version_2,
    csrc_overrun,
    extension_overrun,
    bad_padding
};
std::string_view text_of(Fault fault);

/// An RTP packet over the bytes it came in (RFC 3550 section 5.1). Borrows; allocates nothing.
class Packet {
public:
    static std::expected<Packet, Fault> parse(Bytes bytes);

    const Header& header() const { return header_; }
    bool marker() const { return header_.marker; }
    std::uint8_t payload_type() const { return header_.payload_type; }
    std::uint16_t sequence() const { return header_.sequence; }
    std::uint32_t timestamp() const { return header_.timestamp; }
    std::uint32_t ssrc() const { return header_.ssrc; }

    std::size_t csrc_count() const { return csrc_count_; }
    std::uint32_t csrc(std::size_t index) const { return load32(bytes_, header_size + index * 4); }
    bool has_extension() const { return has_extension_; }
    std::uint16_t extension_profile() const { return extension_profile_; }
    Bytes extension() const { return extension_; }  ///< its data, without the four bytes of header
    /// One element of an RFC 8285 extension (one-byte or two-byte form), by its id.
    std::optional<Bytes> extension_element(std::uint8_t id) const;
    Bytes payload() const { return payload_; }  ///< without padding
    std::size_t padding() const { return padding_; }
    Bytes bytes() const { return bytes_; }

private:
    Bytes bytes_, payload_, extension_;
    Header header_;
    std::uint16_t extension_profile_ = 0;
    std::uint8_t csrc_count_ = 0;
    std::uint8_t padding_ = 0;
    bool has_extension_ = false;
};

/// Writes a packet without CSRC, extension and padding. The result is its size, 0 if `out` is too
/// small. `payload` may already lie in place at out[header_size].
std::size_t write(const Header& header, Bytes payload, MutableBytes out);
void write_header(const Header& header, MutableBytes out);  ///< out holds at least header_size

/// Overwrites the header of a parsed packet in place; counts, extension and payload stay.
void rewrite_header(const Header& header, MutableBytes packet);

/// What came to a port that RTP shares with others, by its first bytes (RFC 7983, RFC 5761).
enum class Kind : std::uint8_t { unknown, stun, zrtp, dtls, turn_channel, quic, rtp, rtcp };
Kind kind_of(Bytes datagram);

/// a comes after b, modulo 2^16 or 2^32 (RFC 1982).
constexpr bool newer(std::uint16_t a, std::uint16_t b) {
    return a != b && static_cast<std::uint16_t>(a - b) < 0x8000;
}
constexpr bool newer(std::uint32_t a, std::uint32_t b) { return a != b && a - b < 0x80000000U; }

}  // namespace strowger::rtp
