#pragma once

#include <cstdint>
#include <string_view>

namespace strowger::sip {

enum class Method : std::uint8_t {
    unknown,
    invite,
    ack,
    bye,
    cancel,
    options,
    register_,
    prack,
    update,
    refer,
    subscribe,
    notify,
    publish,
    message,
    info,
};

Method method_by_name(std::string_view name);  ///< case-sensitive, RFC 3261 section 7.1
std::string_view name_of(Method method);       ///< "INVITE"; "" for unknown

enum class Transport : std::uint8_t { udp, tcp, tls, ws, wss };

std::string_view via_name(Transport transport);  ///< "UDP", "TCP", "TLS", "WS", "WSS"
std::string_view uri_name(Transport transport);  ///< the transport= parameter: "udp", "tcp", ...
constexpr bool is_reliable(Transport transport) { return transport != Transport::udp; }
constexpr bool is_secure(Transport t) { return t == Transport::tls || t == Transport::wss; }

}  // namespace strowger::sip
