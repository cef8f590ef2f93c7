#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>

#include "base/address.hpp"

namespace strowger::io {

/// `address` as the kernel takes it; on an IPv6 socket IPv4 is mapped (RFC 4291 section 2.5.5.2).
/// The result is its length, or 0 when the socket's family cannot carry it.
socklen_t to_native(const SocketAddress& address, bool v6_socket, sockaddr_storage& native);

SocketAddress from_native(const sockaddr_storage& native);

inline IpAddress ip_from(const in_addr& native) {
    std::array<std::uint8_t, 4> bytes;
    std::memcpy(bytes.data(), &native, bytes.size());
    return IpAddress::v4(bytes);
}
inline IpAddress ip_from(const in6_addr& native) {
    std::array<std::uint8_t, 16> bytes;
    std::memcpy(bytes.data(), &native, bytes.size());
    return IpAddress::v6(bytes);
}

/// A mapped in6_addr for IPv4.
in6_addr to_in6(const IpAddress& address);

/// getsockname as a SocketAddress.
SocketAddress bound_address(int fd);

}  // namespace strowger::io
