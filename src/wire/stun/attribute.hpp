#pragma once

#include <cstdint>

#include "base/bytes.hpp"

namespace strowger::stun {

/// Attribute types (RFC 8489 section 18.3, RFC 8445 section 21.2, RFC 8656 section 18.2).
enum class AttributeType : std::uint16_t {
    mapped_address = 0x0001,
    username = 0x0006,
    message_integrity = 0x0008,
    error_code = 0x0009,
    unknown_attributes = 0x000a,
    channel_number = 0x000c,
    lifetime = 0x000d,
    xor_peer_address = 0x0012,
    data = 0x0013,
    realm = 0x0014,
    nonce = 0x0015,
    xor_relayed_address = 0x0016,
    requested_address_family = 0x0017,
    even_port = 0x0018,
    requested_transport = 0x0019,
    dont_fragment = 0x001a,
    message_integrity_sha256 = 0x001c,
    password_algorithm = 0x001d,
    userhash = 0x001e,
    xor_mapped_address = 0x0020,
    reservation_token = 0x0022,
    priority = 0x0024,
    use_candidate = 0x0025,
    additional_address_family = 0x8000,
    address_error_code = 0x8001,
    password_algorithms = 0x8002,
    alternate_domain = 0x8003,
    icmp = 0x8004,
    software = 0x8022,
    alternate_server = 0x8023,
    fingerprint = 0x8028,
    ice_controlled = 0x8029,
    ice_controlling = 0x802a,
};

/// A type that a receiver must understand or refuse the request with 420 (RFC 8489 section 14).
constexpr bool comprehension_required(AttributeType type) {
    return static_cast<std::uint16_t>(type) < 0x8000;
}

/// A type of the list above that comprehension is required of; anything else below 0x8000 is news.
bool is_known(AttributeType type);

/// One attribute in its message. Borrows.
struct Attribute {
    AttributeType type{};  ///< possibly one that is not named above
    Bytes value;           ///< without padding

    static constexpr std::size_t header_size = 4;
    /// A value's room in the message: attributes stand at multiples of four bytes.
    static constexpr std::size_t padded(std::size_t size) { return (size + 3) & ~std::size_t{3}; }
};

}  // namespace strowger::stun
