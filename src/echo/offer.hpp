#pragma once

#include <string>
#include <string_view>

#include "base/random.hpp"
#include "base/result.hpp"
#include "echo/media_line.hpp"
#include "media/webrtc_description.hpp"

namespace strowger::echo {

/// What a client's offer has. Channels go alone: that is the form which all servers take.
enum class OfferKind : std::uint8_t { audio_and_video, audio, channel };

/// What the SSRCs and the name of an offer are, to be found again in its answer.
struct OfferedMedia {
    std::uint32_t audio_ssrc = 0, video_ssrc = 0;
    std::string cname;

    static OfferedMedia make(Random& random) {
        return {random.next32(), random.next32(), random.token(16)};
    }
};

/// The offer of an echo client: one bundle, everything both ways.
std::string write_offer(OfferKind kind, const media::WebrtcLocal& local, const OfferedMedia& media,
                        Random& random);

/// What a server answered.
struct AnswerReading {
    media::WebrtcPeer peer;
    /// The codec to send in the first section, when that takes any.
    std::optional<sdp::Payload> payload;
    std::string mid;
    std::uint8_t mid_id = 0;  ///< of the extension, if it is agreed
};

/// Fails when the answer takes nothing, or leaves something out that is needed.
Result<AnswerReading> read_answer(std::string_view answer, OfferKind kind);

}  // namespace strowger::echo
