#include "io/udp.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "io/descriptor.hpp"
#include "io/native_address.hpp"

namespace strowger::io {

namespace {

// Room for in6_pktinfo, the drop counter and one more.
constexpr std::size_t control_size = 128;
// Messages handed to one sendmmsg; more gain nothing measurable.
constexpr std::size_t send_batch = 64;
// Datagrams of one length to one address go through the kernel as one (UDP_SEGMENT, Linux 4.18),
// which halves what a burst of them costs. So many, as every kernel takes, in one IP packet's
// length:
constexpr std::size_t max_segments = 64;
constexpr std::size_t max_joined = 60000;
// Longer ones might have to be fragmented, which the kernel does not do with segments: the least
// MTU of IPv6 less its headers.
constexpr std::size_t max_segment = 1232;

}  // namespace

struct UdpSocket::Impl : std::enable_shared_from_this<Impl> {
    explicit Impl(Loop& owner) : loop(owner) {}

    struct Queued {
        sockaddr_storage remote;
        socklen_t remote_length;
        std::size_t offset, length;  // in `out`
        bool has_local;
        IpAddress local;
    };

    Loop& loop;
    Descriptor fd;
    SocketAddress local;
    bool v6 = false;
    bool wildcard = false;  // bound to no address: each datagram says where it was sent to
    Receive receive;
    Counters counters;
    bool closed = false;

    // Received batches are written here, over and over. Pages never touched cost nothing.
    std::unique_ptr<std::uint8_t[]> in;
    std::array<mmsghdr, max_batch> headers{};
    std::array<iovec, max_batch> vectors{};
    std::array<sockaddr_storage, max_batch> remotes{};
    struct alignas(cmsghdr) Control {
        std::array<std::uint8_t, control_size> bytes;
    };
    std::array<Control, max_batch> controls{};
    std::array<Datagram, max_batch> datagrams{};
    std::uint32_t last_overflow = 0;

    std::vector<std::uint8_t> out;
    std::vector<Queued> queue;
    bool flush_due = false;
    bool blocked = false;  // the kernel's buffer is full; waiting for writability
    bool segments = true;  // the kernel takes several datagrams as one

    std::unique_ptr<Watch> watch;  // last: goes before the descriptor

    void prepare() {
        in = std::make_unique_for_overwrite<std::uint8_t[]>(max_batch * max_datagram);
        for (std::size_t i = 0; i < max_batch; ++i) {
            vectors[i] = {in.get() + i * max_datagram, max_datagram};
            auto& header = headers[i].msg_hdr;
            header.msg_iov = &vectors[i];
            header.msg_iovlen = 1;
            header.msg_name = &remotes[i];
            header.msg_control = controls[i].bytes.data();
            rearm(i);
        }
    }

    void rearm(std::size_t i) {
        headers[i].msg_hdr.msg_namelen = sizeof remotes[i];
        headers[i].msg_hdr.msg_controllen = control_size;
        headers[i].msg_hdr.msg_flags = 0;
    }

    void read_control(msghdr& header, Datagram& datagram) {
        for (cmsghdr* c = CMSG_FIRSTHDR(&header); c; c = CMSG_NXTHDR(&header, c)) {
            if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
                in_pktinfo info;
                std::memcpy(&info, CMSG_DATA(c), sizeof info);
                datagram.local.ip = ip_from(info.ipi_addr);
            } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
                in6_pktinfo info;
                std::memcpy(&info, CMSG_DATA(c), sizeof info);
                datagram.local.ip = ip_from(info.ipi6_addr);
            } else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL) {
                std::uint32_t total;  // since the socket was made, modulo 2^32
                std::memcpy(&total, CMSG_DATA(c), sizeof total);
                counters.receive_dropped += total - last_overflow;
                last_overflow = total;
            }
        }
    }

    void on_readable() {
        const int count = recvmmsg(fd.get(), headers.data(), headers.size(), MSG_DONTWAIT, nullptr);
        if (count <= 0) return;  // nothing after all, or an ICMP error of an earlier send
        std::size_t whole = 0;
        for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
            const std::size_t length = headers[i].msg_len;
            ++counters.received;
            counters.received_bytes += length;
            if (headers[i].msg_hdr.msg_flags & MSG_TRUNC) {
                ++counters.truncated;
                rearm(i);
                continue;
            }
            auto& datagram = datagrams[whole++];
            datagram.remote = from_native(remotes[i]);
            datagram.local = local;
            datagram.bytes = Bytes(in.get() + i * max_datagram, length);
            read_control(headers[i].msg_hdr, datagram);
            rearm(i);
        }
        const auto keep = shared_from_this();
        receive(std::span(datagrams).first(whole));
    }

    void send(const SocketAddress& remote, Bytes bytes, const std::optional<IpAddress>& from) {
        if (closed) return;
        if (queue.size() >= max_queued && !blocked) flush();
        Queued entry;
        entry.remote_length = to_native(remote, v6, entry.remote);
        if (queue.size() >= max_queued || entry.remote_length == 0) {
            ++counters.send_failed;
            return;
        }
        entry.offset = out.size();
        entry.length = bytes.size();
        entry.has_local = wildcard && from && !from->is_unspecified() && (v6 || from->is_v4());
        if (entry.has_local) entry.local = *from;
        out.insert(out.end(), bytes.begin(), bytes.end());
        queue.push_back(entry);
        if (flush_due || blocked) return;
        flush_due = true;
        loop.at_round_end([self = shared_from_this()] {
            self->flush_due = false;
            if (!self->closed && !self->blocked) self->flush();
        });
    }

    /// How many datagrams from `first` on are one piece of `out` to the kernel: of one length, but
    /// for the last, which may be shorter.
    std::size_t joined(std::size_t first) const {
        const Queued& head = queue[first];
        if (!segments || head.length > max_segment || head.length == 0) return 1;
        std::size_t count = 1, bytes = head.length;
        while (count < max_segments && first + count < queue.size()) {
            const Queued& next = queue[first + count];
            if (next.length > head.length || next.length == 0 || bytes + next.length > max_joined ||
                next.has_local != head.has_local || (head.has_local && next.local != head.local) ||
                next.remote_length != head.remote_length ||
                std::memcmp(&next.remote, &head.remote, head.remote_length) != 0) {
                break;
            }
            ++count;
            bytes += next.length;
            if (next.length < head.length) break;
        }
        return count;
    }

    /// Appends one control message.
    template <typename Value>
    static void put_control(msghdr& header, Control& control, int level, int type,
                            const Value& value) {
        static_assert(CMSG_SPACE(sizeof(Value)) + CMSG_SPACE(sizeof(in6_pktinfo)) <= control_size);
        auto* c = reinterpret_cast<cmsghdr*>(control.bytes.data() + header.msg_controllen);
        c->cmsg_level = level;
        c->cmsg_type = type;
        c->cmsg_len = CMSG_LEN(sizeof value);
        std::memcpy(CMSG_DATA(c), &value, sizeof value);
        header.msg_control = control.bytes.data();
        header.msg_controllen += CMSG_SPACE(sizeof value);
    }

    static void put_local(msghdr& header, Control& control, const IpAddress& address, bool six) {
        if (six) {
            in6_pktinfo info{};
            info.ipi6_addr = to_in6(address);
            put_control(header, control, IPPROTO_IPV6, IPV6_PKTINFO, info);
        } else {
            in_pktinfo info{};
            std::memcpy(&info.ipi_spec_dst, address.data(), 4);
            put_control(header, control, IPPROTO_IP, IP_PKTINFO, info);
        }
    }

    // One system call for up to `send_batch` messages from `first` on; how many datagrams it dealt
    // with, or -1 when the kernel's buffer is full.
    int send_some(std::size_t first) {
        std::array<mmsghdr, send_batch> messages;
        std::array<iovec, send_batch> pieces;
        std::array<Control, send_batch> controls_out;
        std::array<std::size_t, send_batch> datagrams_in;
        std::size_t count = 0;
        for (std::size_t at = first; at < queue.size() && count < send_batch; ++count) {
            Queued& entry = queue[at];
            const std::size_t together = datagrams_in[count] = joined(at);
            const Queued& last = queue[at + together - 1];
            pieces[count] = {out.data() + entry.offset, last.offset + last.length - entry.offset};
            msghdr& header = messages[count].msg_hdr;
            header = {};
            header.msg_name = &entry.remote;
            header.msg_namelen = entry.remote_length;
            header.msg_iov = &pieces[count];
            header.msg_iovlen = 1;
            if (entry.has_local) put_local(header, controls_out[count], entry.local, v6);
            if (together > 1) {
                put_control(header, controls_out[count], IPPROTO_UDP, UDP_SEGMENT,
                            static_cast<std::uint16_t>(entry.length));
            }
            at += together;
        }
        const int sent =
            sendmmsg(fd.get(), messages.data(), static_cast<unsigned>(count), MSG_DONTWAIT);
        if (sent < 0) {
            if (errno == EAGAIN || errno == EWOULDBLOCK) return -1;
            if (errno == EINTR) return 0;
            const bool unable = errno == EINVAL || errno == EIO || errno == EOPNOTSUPP;
            if (unable && datagrams_in[0] > 1) {  // a kernel or a device that does not join them
                segments = false;
                return 0;
            }
            counters.send_failed += datagrams_in[0];
            return static_cast<int>(datagrams_in[0]);
        }
        std::size_t dealt = 0;
        for (int i = 0; i < sent; ++i) {
            const auto index = static_cast<std::size_t>(i);
            dealt += datagrams_in[index];
            counters.sent_bytes += pieces[index].iov_len;
        }
        counters.sent += dealt;
        return static_cast<int>(dealt);
    }

    void flush() {
        std::size_t done = 0;
        blocked = false;
        while (done < queue.size()) {
            const int dealt = send_some(done);
            if (dealt < 0) {
                blocked = true;
                break;
            }
            done += static_cast<std::size_t>(dealt);
        }
        queue.erase(queue.begin(), queue.begin() + static_cast<std::ptrdiff_t>(done));
        if (queue.empty()) {
            out.clear();
        } else {
            const auto gone = queue.front().offset;
            out.erase(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(gone));
            for (auto& entry : queue) entry.offset -= gone;
        }
        if (!blocked) return;
        watch->on_writable([this] {
            watch->on_writable(nullptr);
            flush();
        });
    }
};

UdpSocket::UdpSocket(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

UdpSocket::~UdpSocket() {
    if (!impl_->blocked) impl_->flush();
    impl_->closed = true;
    impl_->watch.reset();
    impl_->fd.reset();
}

Result<std::unique_ptr<UdpSocket>> UdpSocket::bind(Loop& loop, const SocketAddress& address,
                                                   const Options& options, Receive receive) {
    const auto failed = [&](const char* what) {
        const int code = errno;
        return fail_with(code, "UDP {}: {}: {}", address.text(), what, std::strerror(code));
    };
    auto impl = std::make_shared<Impl>(loop);
    impl->v6 = address.ip.is_v6();
    const int family = impl->v6 ? AF_INET6 : AF_INET;
    impl->fd = Descriptor(socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const int fd = impl->fd.get();
    if (fd < 0) return failed("socket");
    const auto set = [fd](int level, int name, int value) {
        return setsockopt(fd, level, name, &value, sizeof value) == 0;
    };
    if (options.reuse_address) set(SOL_SOCKET, SO_REUSEADDR, 1);
    if (options.reuse_port && !set(SOL_SOCKET, SO_REUSEPORT, 1)) return failed("SO_REUSEPORT");
    if (impl->v6) set(IPPROTO_IPV6, IPV6_V6ONLY, options.v6_only);
    if (options.receive_buffer) set(SOL_SOCKET, SO_RCVBUF, options.receive_buffer);
    if (options.send_buffer) set(SOL_SOCKET, SO_SNDBUF, options.send_buffer);
    if (options.tos) {
        if (!impl->v6 || !options.v6_only) set(IPPROTO_IP, IP_TOS, options.tos);
        if (impl->v6) set(IPPROTO_IPV6, IPV6_TCLASS, options.tos);
    }
    set(SOL_SOCKET, SO_RXQ_OVFL, 1);
    impl->wildcard = address.ip.is_unspecified();
    if (impl->wildcard &&
        !set(impl->v6 ? IPPROTO_IPV6 : IPPROTO_IP, impl->v6 ? IPV6_RECVPKTINFO : IP_PKTINFO, 1))
        return failed("IP_PKTINFO");
    sockaddr_storage native{};
    const auto length = to_native(address, impl->v6, native);
    if (::bind(fd, reinterpret_cast<sockaddr*>(&native), length) != 0) return failed("bind");
    impl->local = bound_address(fd);
    impl->receive = std::move(receive);
    impl->prepare();
    impl->watch = std::make_unique<Watch>(loop, fd);
    impl->watch->on_readable([raw = impl.get()] { raw->on_readable(); });
    return std::unique_ptr<UdpSocket>(new UdpSocket(std::move(impl)));
}

void UdpSocket::send(const SocketAddress& remote, Bytes bytes,
                     const std::optional<IpAddress>& local) {
    impl_->send(remote, bytes, local);
}

void UdpSocket::flush() { impl_->flush(); }
SocketAddress UdpSocket::local() const { return impl_->local; }
const UdpSocket::Counters& UdpSocket::counters() const { return impl_->counters; }

std::optional<IpAddress> UdpSocket::source_for(const IpAddress& remote) {
    const Descriptor fd(socket(remote.is_v6() ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_storage native{};
    // Connecting a UDP socket only asks the routing table; the port does not matter.
    const auto length = to_native({remote, 9}, remote.is_v6(), native);
    if (!fd.valid() || connect(fd.get(), reinterpret_cast<sockaddr*>(&native), length) != 0)
        return std::nullopt;
    return bound_address(fd.get()).ip;
}

}  // namespace strowger::io
