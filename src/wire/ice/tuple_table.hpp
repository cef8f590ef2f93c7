#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/address.hpp"
#include "base/random.hpp"
#include "wire/ice/transmit.hpp"

namespace strowger::ice {

/// One of our sockets and an address that sends to it.
struct Tuple {
    SocketId socket = 0;
    SocketAddress from;
    bool operator==(const Tuple&) const = default;
};

/// Whose packet this is: tuples to small numbers, flat, with open addressing.
///
/// A look-up costs some ten nanoseconds, allocates nothing and hashes no text. Strangers choose
/// their addresses and ports; a secret in the hash keeps them from choosing one slot for all.
class TupleTable {
public:
    explicit TupleTable(Random& random);

    std::optional<std::uint32_t> find(SocketId socket, const SocketAddress& from) const;
    /// The number that it had before, if another.
    std::optional<std::uint32_t> set(const Tuple& tuple, std::uint32_t value);
    void erase(const Tuple& tuple);
    std::size_t size() const { return size_; }

private:
    struct Key {
        std::uint64_t high = 0, low = 0, rest = 0;
        bool operator==(const Key&) const = default;
    };
    struct Slot {
        Key key;
        std::uint32_t value = 0;
        bool used = false;
    };
    static Key key_of(SocketId socket, const SocketAddress& from);
    std::size_t home_of(const Key& key) const;
    std::size_t place_of(const Key& key) const;  ///< where it is, or where it would go
    void grow();

    std::array<std::uint64_t, 3> secret_;
    std::vector<Slot> slots_;  ///< a power of two of them, at most two thirds in use
    std::size_t size_ = 0;
};

}  // namespace strowger::ice
