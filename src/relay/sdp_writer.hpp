#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.hpp"
#include "relay/codecs.hpp"
#include "relay/request.hpp"
#include "wire/sdp/session.hpp"

namespace strowger::relay {

/// What one media section becomes on its way through.
struct SectionOutput {
    /// The section that came; null: `literal` stands in its place.
    const sdp::Media* source = nullptr;
    std::size_t index = 0;  ///< of the source in its description
    std::string literal;
    bool untouched = false;  ///< refused: as it came

    std::uint16_t port = 0;
    IpAddress address;
    std::string_view protocol;
    std::vector<Written> formats;
    std::string_view mid;
    bool feedback = true;                     ///< the profile knows `a=rtcp-fb`
    std::optional<sdp::Direction> direction;  ///< nothing: what came stays where it was
    std::optional<std::uint16_t> rtcp_port;   ///< `a=rtcp`
    bool full_rtcp = false;
    bool mux = false;
    std::vector<std::string> crypto;
    std::vector<std::string> transport;  ///< DTLS and ICE of our own: whole attributes
    bool keep_dtls = false;              ///< fingerprint and setup are the parties' own affair
    std::optional<unsigned> ptime;
};

/// What the session's own lines become.
struct SessionOutput {
    std::string origin;     ///< value of o=
    std::string_view name;  ///< value of s=
    std::string_view mark;  ///< value of the attribute against loops; empty: none
    bool keep_dtls = false;
    bool keep_direction = false;
    bool lite = false;   ///< `a=ice-lite`
    std::string bundle;  ///< MIDs of `a=group:BUNDLE`; empty: none
};

/// Writes the description that goes to the other party: lines that nobody here understands stay in
/// place, the others stand in the order of docs/relay.md. Every line ends in CRLF.
std::string write_sdp(const sdp::Session& in, const SessionOutput& session,
                      const std::vector<SectionOutput>& sections, const Request& rules);

}  // namespace strowger::relay
