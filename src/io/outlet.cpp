#include "io/outlet.hpp"

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

#include "io/native_address.hpp"

namespace strowger::io {

Result<Outlet> Outlet::tcp(const SocketAddress& to) {
    Outlet outlet;
    sockaddr_storage native{};
    const auto size = to_native(to, to.ip.is_v6(), native);
    outlet.fd_ = Descriptor(::socket(to.ip.is_v6() ? AF_INET6 : AF_INET,
                                     SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!outlet.fd_.valid() ||
        (::connect(outlet.fd_.get(), reinterpret_cast<const sockaddr*>(&native), size) != 0 &&
         errno != EINPROGRESS))
        return fail_with(errno, "{}: cannot connect: {}", to.text(), std::strerror(errno));
    return outlet;
}

Result<Outlet> Outlet::datagrams(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path)
        return fail("{}: longer than the path of a socket can be", path);
    std::memcpy(address.sun_path, path.data(), path.size());
    Outlet outlet;
    outlet.fd_ = Descriptor(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!outlet.fd_.valid() ||
        ::connect(outlet.fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) !=
            0)
        return fail_with(errno, "{}: cannot connect: {}", path, std::strerror(errno));
    return outlet;
}

std::size_t Outlet::send(Bytes bytes) {
    if (broken_ || bytes.empty()) return 0;
    const auto sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) return static_cast<std::size_t>(sent);
    if (errno != EAGAIN && errno != EINTR && errno != ENOTCONN && errno != EINPROGRESS &&
        errno != ENOBUFS)
        broken_ = true;
    return 0;
}

}  // namespace strowger::io
