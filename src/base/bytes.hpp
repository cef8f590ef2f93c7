#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace strowger {

using Bytes = std::span<const std::uint8_t>;
using MutableBytes = std::span<std::uint8_t>;

inline std::string_view as_text(Bytes bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

inline Bytes as_bytes(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

/// Big-endian loads and stores at an offset; the caller has checked the size.
inline std::uint16_t load16(Bytes b, std::size_t at) {
    return static_cast<std::uint16_t>(b[at] << 8 | b[at + 1]);
}
inline std::uint32_t load32(Bytes b, std::size_t at) {
    return std::uint32_t{b[at]} << 24 | std::uint32_t{b[at + 1]} << 16 |
           std::uint32_t{b[at + 2]} << 8 | std::uint32_t{b[at + 3]};
}
inline void store16(MutableBytes b, std::size_t at, std::uint16_t v) {
    b[at] = static_cast<std::uint8_t>(v >> 8);
    b[at + 1] = static_cast<std::uint8_t>(v);
}
inline void store32(MutableBytes b, std::size_t at, std::uint32_t v) {
    store16(b, at, static_cast<std::uint16_t>(v >> 16));
    store16(b, at + 2, static_cast<std::uint16_t>(v));
}

}  // namespace strowger
