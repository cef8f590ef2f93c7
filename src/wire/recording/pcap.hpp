#pragma once

#include <cstdint>
#include <vector>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "base/time.hpp"

namespace strowger::recording {

/// What stands before the IP header in a capture.
enum class Link : std::uint8_t {
    raw,       ///< nothing: LINKTYPE_RAW (101)
    ethernet,  ///< a made-up Ethernet header: LINKTYPE_ETHERNET (1)
};

/// A capture in the pcap format (draft-ietf-opsawg-pcap), in nanoseconds and in the byte order of
/// this machine.
void append_pcap_head(std::vector<std::uint8_t>& out, Link link);

/// A datagram with IP and UDP headers (RFC 791, RFC 8200, RFC 768) made for it, checksums
/// included. Addresses of different families are written as those of IPv6 (RFC 4291 section
/// 2.5.5.2).
void append_pcap_packet(std::vector<std::uint8_t>& out, Link link, WallTime at,
                        const SocketAddress& from, const SocketAddress& to, Bytes payload);

}  // namespace strowger::recording
