#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.hpp"
#include "base/random.hpp"
#include "base/result.hpp"
#include "base/task.hpp"
#include "io/dns.hpp"
#include "wire/sip/method.hpp"

namespace strowger::pbx {

/// One place to try: a transport and an address.
struct Hop {
    sip::Transport transport = sip::Transport::udp;
    SocketAddress address;
    bool operator==(const Hop&) const = default;
};

/// What we are able to send over, as RFC 3263 section 4.1 asks when it chooses for us.
struct Reach {
    bool udp = true;
    bool tcp = true;
    bool tls = true;
    /// What a URI without transport parameter goes over, when the configuration has decided.
    std::optional<sip::Transport> preferred = std::nullopt;

    bool has(sip::Transport transport) const;
};

/// More candidates than anybody waits for; the rest of a generous answer is not looked at.
inline constexpr std::size_t max_hops = 16;

/// Locating SIP servers (RFC 3263 section 4): the addresses behind a sip or sips URI in the order
/// in which to try them. Transport from the URI, or `reach`, or NAPTR, or SRV; port from the URI,
/// or SRV, or 5060 (5061 with TLS). Literal addresses are answered without suspending.
///
/// The error says which question found no answer: "cannot find 'sip.example.net': no SRV, no
/// address".
Task<Result<std::vector<Hop>>> locate_server(io::Resolver& resolver, Random& random,
                                             std::string uri, Reach reach);

std::optional<sip::Transport> transport_by_name(std::string_view uri_parameter);
constexpr std::uint16_t default_port(sip::Transport transport) {
    return sip::is_secure(transport) ? 5061 : 5060;
}

}  // namespace strowger::pbx
