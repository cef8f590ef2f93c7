#include "wire/sctp/packet_check.hpp"

#include <cstdint>

namespace strowger::sctp {
namespace {

constexpr std::size_t common_header = 12;
constexpr std::size_t tlv_header = 4;  // of a chunk, a parameter, a cause

/// RFC 9260 section 3.2, RFC 3758, RFC 6525, RFC 4895, RFC 5061.
enum Chunk : std::uint8_t {
    data = 0,
    init = 1,
    init_ack = 2,
    sack = 3,
    heartbeat = 4,
    heartbeat_ack = 5,
    abort_chunk = 6,
    error = 9,
    auth = 15,
    nr_sack = 16,
    asconf_ack = 128,
    packet_drop = 129,
    re_config = 130,
    forward_tsn = 192,
    asconf = 193,
};

std::size_t padded(std::size_t size) { return (size + 3) & ~std::size_t{3}; }

/// Type, length and value after one another; the last may lack its padding.
bool are_parameters(Bytes bytes) {
    std::size_t at = 0;
    while (at < bytes.size()) {
        if (bytes.size() - at < tlv_header) return false;
        const std::size_t size = load16(bytes, at + 2);
        if (size < tlv_header || size > bytes.size() - at) return false;
        at += padded(size);
    }
    return true;
}

bool are_parameters_after(Bytes chunk, std::size_t fixed) {
    return chunk.size() >= fixed && are_parameters(chunk.subspan(fixed));
}

bool is_sack(Bytes chunk) {
    constexpr std::size_t fixed = 16;
    if (chunk.size() < fixed) return false;
    const std::size_t gaps = load16(chunk, 12), duplicates = load16(chunk, 14);
    return chunk.size() == fixed + 4 * (gaps + duplicates);
}

bool is_chunk(Bytes chunk) {
    switch (chunk[0]) {
        case data: return chunk.size() > 16;  // with some data (section 3.3.1)
        case init:
        case init_ack: return are_parameters_after(chunk, 20);
        case sack: return is_sack(chunk);
        case heartbeat:
        case heartbeat_ack:
        case abort_chunk:
        case error:
        case re_config: return are_parameters_after(chunk, tlv_header);
        case forward_tsn: return chunk.size() >= 8 && chunk.size() % 4 == 0;
        case auth:
        case nr_sack:
        case asconf_ack:
        case packet_drop:
        case asconf: return false;
        default: return true;
    }
}

}  // namespace

bool is_well_formed(Bytes packet) {
    if (packet.size() < common_header + tlv_header) return false;
    for (std::size_t at = common_header; at < packet.size();) {
        if (packet.size() - at < tlv_header) return false;
        const std::size_t size = load16(packet, at + 2);
        if (size < tlv_header || size > packet.size() - at) return false;
        if (!is_chunk(packet.subspan(at, size))) return false;
        at += padded(size);
    }
    return true;
}

}  // namespace strowger::sctp
