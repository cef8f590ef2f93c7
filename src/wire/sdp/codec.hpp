#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace strowger::sdp {

/// Which way media flows, as seen from whoever wrote the description (RFC 8866 section 6.7).
enum class Direction : std::uint8_t { sendrecv, sendonly, recvonly, inactive };

std::string_view name_of(Direction direction);
std::optional<Direction> direction_by_name(std::string_view name);
/// The same flow seen from the other end: sendonly becomes recvonly.
Direction reversed(Direction direction);
constexpr bool sends(Direction d) { return d == Direction::sendrecv || d == Direction::sendonly; }
constexpr bool receives(Direction d) {
    return d == Direction::sendrecv || d == Direction::recvonly;
}
Direction direction_of(bool sends, bool receives);

/// One codec as it stands in SDP. Names compare without case.
struct Codec {
    std::string name;  ///< "PCMU", "PCMA", "opus", "telephone-event"
    std::uint32_t clock_rate = 8000;
    std::uint8_t channels = 1;
    std::string fmtp = {};

    bool operator==(const Codec&) const = default;
};

/// A codec under the payload type number that stands for it.
struct Payload {
    std::uint8_t type = 0;
    Codec codec;

    bool operator==(const Payload&) const = default;
};

/// What a payload type means without an rtpmap (RFC 3551 section 6); nothing if it is not static.
struct StaticPayload {
    std::string_view name;
    std::uint32_t clock_rate;
    std::uint8_t channels;
};
std::optional<StaticPayload> static_payload(std::uint8_t type);
/// The static number of a codec, if RFC 3551 gave it one.
std::optional<std::uint8_t> static_type(const Codec& codec);

/// "audio", "video" or "text": what a section holds that is to carry it.
std::string_view kind_of(const Codec& codec);

/// telephone-event and CN ride along with a codec and cannot carry a call by themselves.
bool is_auxiliary(std::string_view codec_name);

/// The value of one `name=value` of an fmtp, names without case: "" when valueless.
std::optional<std::string_view> fmtp_value(std::string_view fmtp, std::string_view name);

/// Whether two descriptions mean a stream that both ends can carry: name, rate and channels, and
/// the fmtp parameters which the codec's payload format makes part of its identity: AMR's
/// octet-align family (RFC 4867), H264's profile and packetization-mode (RFC 6184), VP9's
/// profile-id (RFC 9628), G.722.1's bitrate (RFC 5577). Other parameters never keep two from
/// matching.
bool compatible(const Codec& a, const Codec& b);

}  // namespace strowger::sdp
