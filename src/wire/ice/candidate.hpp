#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/address.hpp"
#include "base/result.hpp"

namespace strowger::ice {

/// An address that a side may be reached at, and its line in SDP (RFC 8445 section 5.1, RFC 8839
/// section 5.1, RFC 6544 for TCP).
struct Candidate {
    static constexpr std::size_t max_text = 1024;  ///< of a line; real ones have 200
    static constexpr std::size_t max_foundation = 32;

    enum class Type : std::uint8_t { host, server_reflexive, peer_reflexive, relayed };
    enum class Transport : std::uint8_t { udp, tcp };

    std::string foundation;
    std::uint16_t component = 1;  ///< 1 to 256: RTP and everything muxed with it is 1, RTCP 2
    Transport transport = Transport::udp;
    std::uint32_t priority = 0;
    SocketAddress address;
    std::string host_name;  ///< instead of an address: unresolved, mostly an mDNS name "….local"
    Type type = Type::host;
    std::optional<SocketAddress> related;  ///< raddr and rport: what lies behind a reflexive one
    /// What else the line has, in its order: tcptype, generation, ufrag, network-cost…
    std::vector<std::pair<std::string, std::string>> extensions;

    /// Our own, with foundation and priority set by the rules of RFC 8445 sections 5.1.1.3 and
    /// 5.1.2.1. `preference` orders addresses of the same type, the higher the better (RFC 8421:
    /// IPv6 above IPv4 of the same network).
    static Candidate host(const SocketAddress& address, std::uint16_t component = 1,
                          std::uint16_t preference = 65535);
    /// As a server saw `base`, which a host candidate is for.
    static Candidate server_reflexive(const SocketAddress& seen, const Candidate& base,
                                      const IpAddress& server);

    /// A value of a=candidate, with or without "candidate:" or "a=candidate:" before it. Fails on
    /// what RFC 8839 does not allow; such a line is skipped, not its session.
    static Result<Candidate> parse(std::string_view line);
    std::string text() const;  ///< "candidate:…", as behind "a="

    bool resolved() const { return host_name.empty(); }
    bool is_mdns() const;
    std::optional<std::string_view> extension(std::string_view name) const;

    bool operator==(const Candidate&) const = default;
};

std::string_view text_of(Candidate::Type type);  ///< "host", "srflx", "prflx", "relay"

/// RFC 8445 section 5.1.2.1.
std::uint32_t priority_of(Candidate::Type type, std::uint16_t preference, std::uint16_t component);

/// What the PRIORITY of a check says: the candidate's, were it peer-reflexive (section 7.1.1).
std::uint32_t peer_reflexive_priority(std::uint32_t priority);

/// The order of pairs (section 6.1.2.3), from the candidates' priorities.
std::uint64_t pair_priority(std::uint32_t controlling, std::uint32_t controlled);

}  // namespace strowger::ice
