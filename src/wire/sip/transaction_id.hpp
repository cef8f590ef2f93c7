#pragma once

#include <compare>
#include <cstdint>
#include <functional>

namespace strowger::sip {

/// Names one transaction of one layer; not used again before 2^32 others took its place.
struct TransactionId {
    std::uint64_t value = 0;  ///< 0 names none
    explicit operator bool() const { return value != 0; }
    auto operator<=>(const TransactionId&) const = default;
};

/// A number that the layer's user attaches to transactions to find its own object again (a channel,
/// a registration); 0 when nobody did.
using OwnerTag = std::uint64_t;

}  // namespace strowger::sip

template <>
struct std::hash<strowger::sip::TransactionId> {
    std::size_t operator()(strowger::sip::TransactionId id) const noexcept {
        return std::hash<std::uint64_t>{}(id.value);
    }
};
