#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wire/sdp/codec.hpp"
#include "wire/sdp/session.hpp"

namespace strowger::echo {

/// The extension that names a packet's media section (RFC 9143 section 15).
constexpr std::string_view mid_extension = "urn:ietf:params:rtp-hdrext:sdes:mid";
/// The number by which transport-wide feedback speaks of a packet.
constexpr std::string_view transport_cc_extension =
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";

/// A media section that both sides accepted, as the packets know it.
struct MediaLine {
    std::string mid;
    std::string kind;  ///< "audio" or "video"
    std::vector<sdp::Payload> payloads;
    std::uint32_t ssrc = 0;              ///< ours, announced
    std::vector<std::uint32_t> sources;  ///< the peer's, as far as it announces them
    std::uint8_t mid_id = 0;             ///< of the extension; 0: not agreed
    std::uint8_t transport_cc_id = 0;
    bool nack = false;
    bool reduced_rtcp = false;  ///< feedback may go without a report (RFC 5506)
    bool sends = true;          ///< we do
    bool receives = true;       ///< we do

    const sdp::Payload* payload(std::uint8_t type) const {
        for (const auto& payload : payloads) {
            if (payload.type == type) return &payload;
        }
        return nullptr;
    }
};

/// Sources that a section may announce; a camera with three layers and their repairs has six.
constexpr std::size_t max_announced_sources = 16;

/// The numbers of a=ssrc, each once.
std::vector<std::uint32_t> announced_sources(const sdp::Media& media);

/// The id of an extension in a=extmap; nothing when it is not there, or not for sending to us.
std::optional<std::uint8_t> extension_id(const sdp::Media& media, std::string_view uri);

/// Whether a=rtcp-fb names that feedback for the payload type or for all of them.
bool has_feedback(const sdp::Media& media, std::uint8_t type, std::string_view feedback);

}  // namespace strowger::echo
