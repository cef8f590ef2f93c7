#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/address.hpp"
#include "base/result.hpp"
#include "wire/sip/method.hpp"

namespace strowger::sip {

/// One Via value over borrowed text (RFC 3261 section 20.42).
struct Via {
    static Result<Via> parse(std::string_view value);

    /// The branch of a request sent by an element of RFC 3261 begins with this (section 8.1.1.7).
    static constexpr std::string_view magic_cookie = "z9hG4bK";

    std::string_view transport;         ///< as spelled: "UDP", or one we never heard of
    std::string_view host;              ///< of sent-by; IPv6 references keep their brackets
    std::optional<std::uint16_t> port;  ///< of sent-by
    std::string_view parameters;        ///< ";branch=...;rport"
    std::string_view branch;            ///< empty when absent
    bool wants_rport = false;           ///< an rport parameter is there, with or without a value

    std::optional<std::string_view> parameter(std::string_view name) const;
    std::optional<IpAddress> received() const;
    std::optional<std::uint16_t> rport() const;  ///< its value
    std::optional<std::string_view> maddr() const;
    std::optional<Transport> known_transport() const;
};

/// Appends a Via header's value with its first value marked with where the request came from
/// (RFC 3261 section 18.2.1, RFC 3581 section 4): `received` when the sender asks for rport or its
/// sent-by is not that address, the port into an empty `rport`. What cannot be parsed is appended
/// as it is; claims of `received` that the request carried are replaced.
void append_received(std::string& out, std::string_view via, const SocketAddress& source);
/// The same for a value that has been parsed (`via` views `value`); `with_rport` tells the port and
/// the address even to who did not ask.
void append_received(std::string& out, std::string_view value, const Via& via,
                     const SocketAddress& source, bool with_rport);

}  // namespace strowger::sip
