#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.hpp"
#include "base/result.hpp"
#include "wire/sdp/codec.hpp"

namespace strowger::sdp {

/// Limits on what a description may hold. Generous against the largest that browsers send.
constexpr std::size_t max_size = 65535;   ///< bytes; no more fits a SIP message
constexpr std::size_t max_lines = 2048;   ///< a browser with 20 sections sends some 1500
constexpr std::size_t max_media = 32;     ///< media sections
constexpr std::size_t max_formats = 128;  ///< per section: there are no more payload types

struct Line {
    char type = 0;
    std::string_view value;
};

/// "a=name" or "a=name:value".
struct Attribute {
    std::string_view name;
    std::string_view value;  ///< empty for a property
};

/// The o= line (RFC 8866 section 5.2).
struct Origin {
    std::string_view username, session_id, session_version, network_type, address_type, address;
};

/// The c= line (section 5.7), and the address part of a=rtcp.
struct Connection {
    std::string_view network_type, address_type;
    std::string_view address;  ///< without TTL and count; may be a name
    std::optional<std::uint8_t> ttl;
    std::uint32_t count = 1;

    std::optional<IpAddress> ip() const;  ///< nothing when it is a name
};

/// One format of an m= line with what rtpmap and fmtp say about it.
struct Format {
    std::string_view token;            ///< as it stands in the m= line
    std::optional<std::uint8_t> type;  ///< payload type, in RTP sections
    std::string_view name;             ///< from rtpmap or RFC 3551; empty when neither knows it
    std::uint32_t clock_rate = 0;
    std::uint8_t channels = 1;
    std::string_view fmtp;

    Codec codec() const;
};

/// One media section. What it does not say itself and the session says for all (connection,
/// direction, ptime) is filled in.
struct Media {
    std::string_view kind;  ///< "audio", "video", "image", anything
    std::uint16_t port = 0;
    std::uint32_t port_count = 1;
    std::string_view protocol;  ///< "RTP/AVP", "UDP/TLS/RTP/SAVPF", "udptl", ...
    std::vector<Format> formats;
    std::optional<Connection> connection;
    Direction direction = Direction::sendrecv;
    std::optional<std::uint32_t> ptime, maxptime;  ///< milliseconds, 1 to `max_ptime`
    std::optional<std::uint16_t> rtcp_port;        ///< a=rtcp (RFC 3605)
    std::optional<IpAddress> rtcp_ip;              ///< its address, when it has one
    bool rtcp_mux = false;                         ///< RFC 5761
    std::string_view mid, label;                   ///< RFC 5888, RFC 4574
    std::vector<Attribute> attributes;             ///< all of this section, known or not, in order

    static constexpr std::uint32_t max_ptime = 1000;

    bool is_rtp() const;  ///< the protocol has an RTP profile in it
    bool is_refused() const { return port == 0; }
    /// Where to send RTP and RTCP. Nothing when refused or when the address is a name. RTCP goes to
    /// a=rtcp, else with rtcp-mux to the RTP port, else one above it.
    std::optional<SocketAddress> address() const;
    std::optional<SocketAddress> rtcp_address() const { return rtcp_address(rtcp_mux); }
    std::optional<SocketAddress> rtcp_address(bool muxed) const;  ///< where both ends had to agree
    const Format* format(std::uint8_t type) const;
    std::optional<std::string_view> attribute(
        std::string_view name) const;  ///< the first one's value
    std::vector<std::string_view> attribute_values(std::string_view name) const;

    /// The direction that counts: an address of 0.0.0.0 is the old way to say "do not send to me"
    /// (RFC 3264 section 8.4), so sendrecv becomes sendonly and recvonly inactive.
    Direction effective_direction() const;
    /// The writer of this has put us on hold.
    bool is_hold() const { return !receives(effective_direction()); }
};

/// a=group (RFC 5888; BUNDLE is RFC 9143, once 8843).
struct Group {
    std::string_view semantics;
    std::vector<std::string_view> mids;
};

/// A session description over the text it came in (RFC 8866).
///
/// Borrowed: views point into the text given to `parse`, which must outlive the session. Lines may
/// end in CRLF or LF. Only v= and o= must be there; a lenient reader, as RFC 8866 section 9 asks.
class Session {
public:
    static Result<Session> parse(std::string_view text);
    /// `application/trickle-ice-sdpfrag` (RFC 8840 section 9): neither v= nor o= is there.
    static Result<Session> parse_fragment(std::string_view text);

    Origin origin;
    std::string_view name;
    std::optional<Connection> connection;
    std::optional<Direction> direction;
    std::vector<Attribute> attributes;  ///< session level, in order
    std::vector<Group> groups;
    std::vector<Media> media;

    const std::vector<Line>& lines() const { return lines_; }
    /// The description line for line as it came, every line ended by CRLF.
    std::string text() const;
    std::optional<std::string_view> attribute(std::string_view attribute_name) const;
    /// Of the section, or else of the session: fingerprint, setup, ice-ufrag and the like.
    std::optional<std::string_view> attribute_for(const Media& section,
                                                  std::string_view name) const;
    const Group* bundle() const;
    /// The first section of that kind that was not refused.
    const Media* first(std::string_view kind) const;

private:
    friend class SessionParser;
    std::vector<Line> lines_;
};

}  // namespace strowger::sdp
