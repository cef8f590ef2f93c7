#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace strowger::stun {

/// Bytes as the RFCs print them: pairs of hexadecimal digits, blanks anywhere.
inline std::vector<std::uint8_t> hex(std::string_view text) {
    std::vector<std::uint8_t> bytes;
    int half = -1;
    for (const char c : text) {
        const auto digit = std::string_view("0123456789abcdef").find(c);
        if (digit == std::string_view::npos) continue;
        if (half < 0) {
            half = static_cast<int>(digit);
        } else {
            bytes.push_back(static_cast<std::uint8_t>(half * 16 + static_cast<int>(digit)));
            half = -1;
        }
    }
    return bytes;
}

}  // namespace strowger::stun
