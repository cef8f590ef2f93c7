#pragma once

#include <array>
#include <cstdint>

#include "base/address.hpp"
#include "base/bytes.hpp"

namespace strowger::ice {

/// The owner's number for one of its sockets, or for one address of a socket that has several. What
/// came in under a number is answered under it.
using SocketId = std::uint16_t;

/// What came in. Borrows.
struct Datagram {
    SocketId socket = 0;
    SocketAddress from;
    Bytes bytes;
};

/// What is to go out. The owner keeps one of them and has it filled again and again.
struct Transmit {
    /// The largest message of ours: a check whose user name holds two fragments of 256 characters,
    /// the most that RFC 8839 section 5.4 allows, and 95 bytes of other attributes.
    static constexpr std::size_t max_size = 640;

    SocketId socket = 0;
    SocketAddress to;
    std::array<std::uint8_t, max_size> buffer;
    std::size_t size = 0;

    Bytes bytes() const { return Bytes(buffer).first(size); }
};

}  // namespace strowger::ice
