#include "io/native_address.hpp"

#include <arpa/inet.h>

namespace strowger::io {

in6_addr to_in6(const IpAddress& address) {
    in6_addr native{};
    if (address.is_v6()) {
        std::memcpy(&native, address.data(), 16);
    } else {
        native.s6_addr[10] = native.s6_addr[11] = 0xff;
        std::memcpy(native.s6_addr + 12, address.data(), 4);
    }
    return native;
}

socklen_t to_native(const SocketAddress& address, bool v6_socket, sockaddr_storage& native) {
    if (v6_socket) {
        auto& six = reinterpret_cast<sockaddr_in6&>(native);
        six = {};
        six.sin6_family = AF_INET6;
        six.sin6_port = htons(address.port);
        six.sin6_addr = to_in6(address.ip);
        return sizeof six;
    }
    if (address.ip.is_v6()) return 0;
    auto& four = reinterpret_cast<sockaddr_in&>(native);
    four = {};
    four.sin_family = AF_INET;
    four.sin_port = htons(address.port);
    std::memcpy(&four.sin_addr, address.ip.data(), 4);
    return sizeof four;
}

SocketAddress from_native(const sockaddr_storage& native) {
    if (native.ss_family == AF_INET6) {
        const auto& six = reinterpret_cast<const sockaddr_in6&>(native);
        return {ip_from(six.sin6_addr), ntohs(six.sin6_port)};
    }
    if (native.ss_family == AF_INET) {
        const auto& four = reinterpret_cast<const sockaddr_in&>(native);
        return {ip_from(four.sin_addr), ntohs(four.sin_port)};
    }
    return {};
}

SocketAddress bound_address(int fd) {
    sockaddr_storage native{};
    socklen_t length = sizeof native;
    getsockname(fd, reinterpret_cast<sockaddr*>(&native), &length);
    return from_native(native);
}

}  // namespace strowger::io
