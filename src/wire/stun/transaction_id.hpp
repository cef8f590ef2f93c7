#pragma once

#include <array>
#include <compare>
#include <cstdint>

#include "base/random.hpp"

namespace strowger::stun {

/// What a response has in common with its request, and nothing else has (RFC 8489 section 5).
struct TransactionId {
    std::array<std::uint8_t, 12> bytes{};

    static TransactionId make(Random& random) {
        TransactionId id;
        for (std::size_t at = 0; at < id.bytes.size(); at += 4) {
            const auto word = random.next32();
            for (std::size_t i = 0; i < 4; ++i) {
                id.bytes[at + i] = static_cast<std::uint8_t>(word >> (8 * i));
            }
        }
        return id;
    }

    auto operator<=>(const TransactionId&) const = default;
};

}  // namespace strowger::stun
