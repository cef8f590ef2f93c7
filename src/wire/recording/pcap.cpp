#include "wire/recording/pcap.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace strowger::recording {
namespace {

constexpr std::uint32_t magic_nanoseconds = 0xa1b23c4d;
constexpr std::uint8_t udp = 17;
constexpr std::size_t udp_head = 8;
constexpr std::size_t snap = 65535;

template <typename T>
void put_native(std::vector<std::uint8_t>& out, T value) {
    std::array<std::uint8_t, sizeof value> bytes;
    std::memcpy(bytes.data(), &value, sizeof value);
    out.insert(out.end(), bytes.begin(), bytes.end());
}

void put16(std::vector<std::uint8_t>& out, std::size_t value) {
    out.push_back(static_cast<std::uint8_t>(value >> 8));
    out.push_back(static_cast<std::uint8_t>(value));
}

// RFC 1071.
std::uint32_t sum(Bytes bytes, std::uint32_t start = 0) {
    std::uint32_t total = start;
    for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) total += load16(bytes, i);
    if (bytes.size() % 2 != 0) total += std::uint32_t{bytes.back()} << 8;
    return total;
}
std::uint16_t folded(std::uint32_t total) {
    while (total >> 16) total = (total & 0xffff) + (total >> 16);
    return static_cast<std::uint16_t>(~total);
}

std::array<std::uint8_t, 16> as_v6(const IpAddress& ip) {
    std::array<std::uint8_t, 16> bytes{};
    if (ip.is_v6()) {
        std::memcpy(bytes.data(), ip.data(), 16);
    } else {
        bytes[10] = bytes[11] = 0xff;
        std::memcpy(bytes.data() + 12, ip.data(), 4);
    }
    return bytes;
}

void put_ip_v4(std::vector<std::uint8_t>& out, const IpAddress& from, const IpAddress& to,
               std::size_t length) {
    const auto at = out.size();
    out.insert(out.end(), {0x45, 0});
    put16(out, 20 + length);
    out.insert(out.end(), {0, 0, 0x40, 0, 64, udp, 0, 0});  // not to be fragmented
    out.insert(out.end(), from.data(), from.data() + 4);
    out.insert(out.end(), to.data(), to.data() + 4);
    const MutableBytes head = std::span(out).subspan(at);
    store16(head, 10, folded(sum(head)));
}

void put_ip_v6(std::vector<std::uint8_t>& out, const IpAddress& from, const IpAddress& to,
               std::size_t length) {
    out.insert(out.end(), {0x60, 0, 0, 0});
    put16(out, length);
    out.insert(out.end(), {udp, 64});
    for (const auto& bytes : {as_v6(from), as_v6(to)})
        out.insert(out.end(), bytes.begin(), bytes.end());
}

}  // namespace

void append_pcap_head(std::vector<std::uint8_t>& out, Link link) {
    put_native(out, magic_nanoseconds);
    put_native<std::uint16_t>(out, 2);
    put_native<std::uint16_t>(out, 4);
    put_native<std::uint64_t>(out, 0);
    put_native<std::uint32_t>(out, snap);
    put_native<std::uint32_t>(out, link == Link::raw ? 101 : 1);
}

void append_pcap_packet(std::vector<std::uint8_t>& out, Link link, WallTime at,
                        const SocketAddress& from, const SocketAddress& to, Bytes payload) {
    const bool v4 = from.ip.is_v4() && to.ip.is_v4();
    const std::size_t ethernet = link == Link::ethernet ? 14 : 0;
    const std::size_t ip = v4 ? 20 : 40;
    payload = payload.first(std::min(payload.size(), snap - ip - udp_head - ethernet));
    const std::size_t length = udp_head + payload.size();
    const auto since = at.time_since_epoch().count();
    put_native(out, static_cast<std::uint32_t>(since / 1'000'000'000));
    put_native(out, static_cast<std::uint32_t>(since % 1'000'000'000));
    put_native(out, static_cast<std::uint32_t>(ethernet + ip + length));
    put_native(out, static_cast<std::uint32_t>(ethernet + ip + length));
    if (ethernet) {
        // Addresses that are locally administered and belong to nobody.
        out.insert(out.end(), {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1});
        put16(out, v4 ? 0x0800 : 0x86dd);
    }
    if (v4)
        put_ip_v4(out, from.ip, to.ip, length);
    else
        put_ip_v6(out, from.ip, to.ip, length);
    const auto head = out.size();
    put16(out, from.port);
    put16(out, to.port);
    put16(out, length);
    put16(out, 0);
    out.insert(out.end(), payload.begin(), payload.end());
    // The pseudo-header of RFC 768 and RFC 8200 section 8.1.
    const Bytes addresses = Bytes(out).subspan(head - (v4 ? 8 : 32), v4 ? 8 : 32);
    const auto total =
        sum(Bytes(out).subspan(head), sum(addresses) + udp + static_cast<std::uint32_t>(length));
    const auto check = folded(total);
    store16(std::span(out).subspan(head), 6, check == 0 ? std::uint16_t{0xffff} : check);
}

}  // namespace strowger::recording
