#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.hpp"

namespace strowger::webtransport {

/// QUIC's integers of one, two, four or eight bytes (RFC 9000 section 16).
inline constexpr std::uint64_t largest_varint = (std::uint64_t{1} << 62) - 1;
inline constexpr std::size_t longest_varint = 8;

struct Varint {
    std::uint64_t value;
    std::size_t length;
};

/// The integer at the front, or nothing while bytes of it are missing.
constexpr std::optional<Varint> read_varint(Bytes bytes) {
    if (bytes.empty()) return std::nullopt;
    const std::size_t length = std::size_t{1} << (bytes[0] >> 6);
    if (bytes.size() < length) return std::nullopt;
    std::uint64_t value = bytes[0] & 0x3f;
    for (std::size_t i = 1; i < length; ++i) value = value << 8 | bytes[i];
    return Varint{value, length};
}

/// In the shortest form; `value` is at most `largest_varint`.
inline void put_varint(std::vector<std::uint8_t>& out, std::uint64_t value) {
    const unsigned log = value < 0x40 ? 0 : value < 0x4000 ? 1 : value < 0x40000000 ? 2 : 3;
    const std::size_t length = std::size_t{1} << log;
    for (std::size_t i = length; i-- > 0;) {
        const auto byte = static_cast<std::uint8_t>(value >> (8 * i));
        out.push_back(i + 1 == length ? static_cast<std::uint8_t>(byte | log << 6) : byte);
    }
}

}  // namespace strowger::webtransport
