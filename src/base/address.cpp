#include "base/address.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "base/text.hpp"

namespace strowger {

IpAddress IpAddress::v4(std::array<std::uint8_t, 4> bytes) {
    IpAddress address;
    std::copy(bytes.begin(), bytes.end(), address.bytes_.begin());
    return address;
}

IpAddress IpAddress::v6(std::array<std::uint8_t, 16> bytes) {
    static constexpr std::array<std::uint8_t, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (std::equal(mapped.begin(), mapped.end(), bytes.begin()))
        return v4({bytes[12], bytes[13], bytes[14], bytes[15]});
    IpAddress address;
    address.bytes_ = bytes;
    address.v6_ = true;
    return address;
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
    if (text.size() >= 2 && text.front() == '[' && text.back() == ']')
        text = text.substr(1, text.size() - 2);
    std::array<char, INET6_ADDRSTRLEN> buffer{};
    if (text.empty() || text.size() >= buffer.size()) return std::nullopt;
    if (text.find('\0') != std::string_view::npos) return std::nullopt;  // would end it early
    std::copy(text.begin(), text.end(), buffer.begin());
    std::array<std::uint8_t, 4> four{};
    if (inet_pton(AF_INET, buffer.data(), four.data()) == 1) return v4(four);
    std::array<std::uint8_t, 16> sixteen{};
    if (inet_pton(AF_INET6, buffer.data(), sixteen.data()) == 1) return v6(sixteen);
    return std::nullopt;
}

bool IpAddress::is_unspecified() const {
    return std::all_of(bytes_.begin(), bytes_.end(), [](auto byte) { return byte == 0; });
}

bool IpAddress::is_loopback() const {
    if (is_v4()) return bytes_[0] == 127;
    return bytes_[15] == 1 &&
           std::all_of(bytes_.begin(), bytes_.end() - 1, [](auto b) { return b == 0; });
}

bool IpAddress::is_multicast() const {
    return is_v4() ? (bytes_[0] & 0xf0) == 0xe0 : bytes_[0] == 0xff;
}

std::string IpAddress::text() const {
    std::array<char, INET6_ADDRSTRLEN> buffer{};
    if (v6_) {
        inet_ntop(AF_INET6, bytes_.data(), buffer.data(), buffer.size());
        return buffer.data();
    }
    // Every message of a call writes some of these; inet_ntop goes through sprintf.
    char* end = buffer.data();
    for (std::size_t i = 0; i < 4; ++i) {
        if (i > 0) *end++ = '.';
        end = std::to_chars(end, buffer.data() + buffer.size(), unsigned{bytes_[i]}).ptr;
    }
    return {buffer.data(), end};
}

std::string IpAddress::host_text() const { return v6_ ? '[' + text() + ']' : text(); }

std::optional<SocketAddress> SocketAddress::parse(std::string_view text,
                                                  std::uint16_t default_port) {
    std::string_view host = text;
    std::string_view port;
    if (text.starts_with('[')) {
        const auto close = text.find(']');
        if (close == std::string_view::npos) return std::nullopt;
        host = text.substr(0, close + 1);
        port = text.substr(close + 1);
        if (!port.empty() && port.front() != ':') return std::nullopt;
    } else if (const auto colon = text.find(':');
               colon != std::string_view::npos &&
               text.find(':', colon + 1) == std::string_view::npos) {
        host = text.substr(0, colon);
        port = text.substr(colon);
    }
    const auto ip = IpAddress::parse(host);
    if (!ip) return std::nullopt;
    if (port.empty()) return SocketAddress{*ip, default_port};
    const auto number = parse_number<std::uint16_t>(port.substr(1));
    if (!number) return std::nullopt;
    return SocketAddress{*ip, *number};
}

std::string SocketAddress::text() const {
    std::string text = ip.host_text();
    std::array<char, 5> digits;
    const auto end = std::to_chars(digits.begin(), digits.end(), port).ptr;
    text += ':';
    return text.append(digits.data(), end);
}

Result<Cidr> Cidr::parse(std::string_view text) {
    const auto [host, mask] = split_once(text, '/');
    const auto ip = IpAddress::parse(trim(host));
    if (!ip) return fail("'{}' is not an address or network", text);
    Cidr cidr;
    cidr.network_ = *ip;
    const auto bits = static_cast<unsigned>(ip->size() * 8);
    cidr.prefix_ = bits;
    if (mask.empty()) {
        if (text.find('/') != std::string_view::npos)
            return fail("'{}' has no prefix length after '/'", text);
        return cidr;
    }
    if (const auto prefix = parse_number<unsigned>(trim(mask))) {
        if (*prefix > bits) return fail("'{}': the prefix is longer than {} bits", text, bits);
        cidr.prefix_ = *prefix;
        return cidr;
    }
    const auto netmask = IpAddress::parse(trim(mask));
    if (!netmask || !netmask->is_v4() || !ip->is_v4())
        return fail("'{}': '{}' is neither a prefix length nor a netmask", text, mask);
    unsigned prefix = 0;
    while (prefix < 32 && (netmask->data()[prefix / 8] >> (7 - prefix % 8) & 1)) ++prefix;
    for (unsigned bit = prefix; bit < 32; ++bit)
        if (netmask->data()[bit / 8] >> (7 - bit % 8) & 1)
            return fail("'{}': the netmask has holes", text);
    cidr.prefix_ = prefix;
    return cidr;
}

bool Cidr::contains(const IpAddress& address) const {
    if (address.is_v4() != network_.is_v4()) return false;
    const auto whole = prefix_ / 8;
    if (std::memcmp(address.data(), network_.data(), whole) != 0) return false;
    const auto rest = prefix_ % 8;
    return rest == 0 || ((address.data()[whole] ^ network_.data()[whole]) >> (8 - rest)) == 0;
}

std::string Cidr::text() const { return fmt::format("{}/{}", network_.text(), prefix_); }

}  // namespace strowger
