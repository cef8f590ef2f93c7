#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/address.hpp"
#include "wire/sdp/codec.hpp"

namespace strowger::sdp {

/// A media section that we write.
struct MediaDescription {
    std::string kind = "audio";
    std::uint16_t port = 0;  ///< 0: refused
    std::string protocol = "RTP/AVP";
    std::vector<Payload> payloads;
    std::vector<std::string> formats;  ///< instead of payloads: refused and non-RTP sections
    std::optional<IpAddress> address;  ///< c= of the section; else the session's counts
    Direction direction = Direction::sendrecv;
    std::optional<std::uint32_t> ptime, maxptime;
    std::optional<std::uint16_t> rtcp_port;  ///< a=rtcp
    bool rtcp_mux = false;
    std::string mid;
    std::vector<std::pair<std::string, std::string>> attributes;  ///< value "": a property

    bool operator==(const MediaDescription&) const = default;
};

/// A session description that we write: an offer or an answer of our own.
///
/// `text` gives the same bytes for the same values, lines in the order of RFC 8866 section 5. CR,
/// LF and NUL in values become spaces, so that no value read from elsewhere starts a line of its
/// own.
struct Description {
    std::string owner = "-";
    std::uint64_t session_id = 0;
    std::uint64_t session_version = 0;
    std::string name = "-";
    IpAddress address;                                            ///< o= and c=
    std::vector<std::pair<std::string, std::string>> attributes;  ///< session level
    std::vector<MediaDescription> media;

    std::string text() const;
    bool operator==(const Description&) const = default;
};

/// Keeps one party's successive descriptions in step with RFC 3264 section 8: the session id stays,
/// and the version goes up by one exactly when something else changed.
class DescriptionHistory {
public:
    explicit DescriptionHistory(std::uint64_t session_id) : session_id_(session_id) {}

    /// The text to send, with id and version set.
    std::string publish(Description description);
    /// What was last published.
    const std::optional<Description>& last() const { return last_; }

private:
    std::uint64_t session_id_;
    std::optional<Description> last_;
};

}  // namespace strowger::sdp
