#pragma once

#include <cstdint>

#include "base/bytes.hpp"

namespace strowger::stun {

/// CRC-32 of ITU V.42, as Ethernet and zlib have it.
std::uint32_t crc32(Bytes bytes);

/// The value of FINGERPRINT over a message that ends before it (RFC 8489 section 14.7): it tells a
/// STUN message from data of other protocols that happens to look like one.
inline std::uint32_t fingerprint_of(Bytes message) { return crc32(message) ^ 0x5354554e; }

}  // namespace strowger::stun
