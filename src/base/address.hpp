#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace strowger {

/// An IPv4 or IPv6 address as a value; an IPv4-mapped IPv6 address is stored as IPv4.
class IpAddress {
public:
    IpAddress() = default;  ///< 0.0.0.0
    static IpAddress v4(std::array<std::uint8_t, 4> bytes);
    static IpAddress v6(std::array<std::uint8_t, 16> bytes);
    static IpAddress any_v4() { return {}; }
    static IpAddress any_v6() { return v6({}); }
    /// "192.0.2.1", "2001:db8::1" or "[2001:db8::1]". No names, no zone.
    static std::optional<IpAddress> parse(std::string_view text);

    bool is_v4() const { return !v6_; }
    bool is_v6() const { return v6_; }
    bool is_unspecified() const;
    bool is_loopback() const;
    bool is_multicast() const;
    const std::uint8_t* data() const { return bytes_.data(); }  ///< 4 or 16 bytes, network order
    std::size_t size() const { return v6_ ? 16 : 4; }
    std::string text() const;       ///< RFC 5952 form, no brackets
    std::string host_text() const;  ///< as in a URI: IPv6 in brackets

    auto operator<=>(const IpAddress&) const = default;

private:
    std::array<std::uint8_t, 16> bytes_{};
    bool v6_ = false;
};

/// Address and port.
struct SocketAddress {
    IpAddress ip;
    std::uint16_t port = 0;

    /// "192.0.2.1:5060", "[2001:db8::1]:5060"; without a port, `default_port`.
    static std::optional<SocketAddress> parse(std::string_view text,
                                              std::uint16_t default_port = 0);
    std::string text() const;
    auto operator<=>(const SocketAddress&) const = default;
};

/// A network: "192.0.2.0/24", "10.0.0.0/255.0.0.0", "2001:db8::/32", or one address.
class Cidr {
public:
    static Result<Cidr> parse(std::string_view text);
    bool contains(const IpAddress& address) const;
    std::string text() const;

private:
    IpAddress network_;
    unsigned prefix_ = 0;
};

}  // namespace strowger

template <>
struct std::hash<strowger::IpAddress> {
    std::size_t operator()(const strowger::IpAddress& address) const noexcept {
        return std::hash<std::string_view>{}(
            {reinterpret_cast<const char*>(address.data()), address.size()});
    }
};

template <>
struct std::hash<strowger::SocketAddress> {
    std::size_t operator()(const strowger::SocketAddress& address) const noexcept {
        return std::hash<strowger::IpAddress>{}(address.ip) * 31 + address.port;
    }
};
