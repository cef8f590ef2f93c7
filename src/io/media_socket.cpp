#include "io/media_socket.hpp"

#include <netinet/in.h>
#include <netinet/ip.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace strowger::io {
namespace {

union KernelAddress {
    sockaddr any;
    sockaddr_in v4;
    sockaddr_in6 v6;
};

socklen_t to_kernel(const SocketAddress& address, KernelAddress& out) {
    if (address.ip.is_v4()) {
        out.v4 = {};
        out.v4.sin_family = AF_INET;
        out.v4.sin_port = htons(address.port);
        std::memcpy(&out.v4.sin_addr, address.ip.data(), 4);
        return sizeof out.v4;
    }
    out.v6 = {};
    out.v6.sin6_family = AF_INET6;
    out.v6.sin6_port = htons(address.port);
    std::memcpy(&out.v6.sin6_addr, address.ip.data(), 16);
    return sizeof out.v6;
}

SocketAddress from_kernel(const KernelAddress& address) {
    if (address.any.sa_family == AF_INET) {
        std::array<std::uint8_t, 4> bytes;
        std::memcpy(bytes.data(), &address.v4.sin_addr, 4);
        return {IpAddress::v4(bytes), ntohs(address.v4.sin_port)};
    }
    std::array<std::uint8_t, 16> bytes;
    std::memcpy(bytes.data(), &address.v6.sin6_addr, 16);
    return {IpAddress::v6(bytes), ntohs(address.v6.sin6_port)};
}

}  // namespace

Result<MediaSocket> MediaSocket::open(SocketAddress local, int tos) {
    const int family = local.ip.is_v4() ? AF_INET : AF_INET6;
    MediaSocket socket(::socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket.is_open())
        return fail_with(errno, "UDP socket for {}: {}", local.text(), std::strerror(errno));
    if (family == AF_INET6) {
        // An IPv4 socket may hold the same port of the same host.
        const int on = 1;
        ::setsockopt(socket.fd_, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    }
    if (tos != 0) {
        if (family == AF_INET)
            ::setsockopt(socket.fd_, IPPROTO_IP, IP_TOS, &tos, sizeof tos);
        else
            ::setsockopt(socket.fd_, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof tos);
    }
    KernelAddress address;
    const socklen_t size = to_kernel(local, address);
    if (::bind(socket.fd_, &address.any, size) < 0)
        return fail_with(errno, "UDP {}: cannot bind: {}", local.text(), std::strerror(errno));
    return socket;
}

MediaSocket::MediaSocket(MediaSocket&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), connected_(std::exchange(other.connected_, false)) {}

MediaSocket& MediaSocket::operator=(MediaSocket&& other) noexcept {
    std::swap(fd_, other.fd_);
    std::swap(connected_, other.connected_);
    return *this;
}

MediaSocket::~MediaSocket() {
    if (fd_ >= 0) ::close(fd_);
}

bool MediaSocket::connect(const SocketAddress& peer) {
    KernelAddress address;
    const socklen_t size = to_kernel(peer, address);
    connected_ = ::connect(fd_, &address.any, size) == 0;
    return connected_;
}

void MediaSocket::disconnect() {
    if (!connected_) return;
    // A bound port survives this on Linux: bind() locked it.
    sockaddr none{};
    none.sa_family = AF_UNSPEC;
    ::connect(fd_, &none, sizeof none);
    connected_ = false;
}

std::optional<std::size_t> MediaSocket::receive(MutableBytes buffer) {
    const auto got = ::recv(fd_, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got < 0) return std::nullopt;
    return static_cast<std::size_t>(got);
}

std::optional<std::size_t> MediaSocket::receive_from(MutableBytes buffer, SocketAddress& from) {
    KernelAddress address;
    socklen_t size = sizeof address;
    const auto got =
        ::recvfrom(fd_, buffer.data(), buffer.size(), MSG_DONTWAIT, &address.any, &size);
    if (got < 0) return std::nullopt;
    from = from_kernel(address);
    return static_cast<std::size_t>(got);
}

bool MediaSocket::send(Bytes datagram) {
    auto sent = ::send(fd_, datagram.data(), datagram.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == ECONNREFUSED)
        sent = ::send(fd_, datagram.data(), datagram.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    return sent >= 0;
}

bool MediaSocket::send_to(Bytes datagram, const SocketAddress& to) {
    KernelAddress address;
    const socklen_t size = to_kernel(to, address);
    return ::sendto(fd_, datagram.data(), datagram.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
                    &address.any, size) >= 0;
}

void MediaSocket::drain(int limit) {
    std::uint8_t scrap[1];
    while (limit-- > 0 && ::recv(fd_, scrap, sizeof scrap, MSG_DONTWAIT) >= 0) {}
}

std::optional<IpAddress> local_address_towards(const IpAddress& to) {
    MediaSocket socket(::socket(to.is_v4() ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    constexpr std::uint16_t discard = 9;  // any port but 0
    if (!socket.is_open() || !socket.connect({to, discard})) return std::nullopt;
    KernelAddress address;
    socklen_t size = sizeof address;
    if (::getsockname(socket.fd(), &address.any, &size) < 0) return std::nullopt;
    return from_kernel(address).ip;
}

}  // namespace strowger::io
