#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "media/engine.hpp"
#include "media/transport.hpp"
#include "wire/sdp/offer_answer.hpp"

namespace strowger::media {

/// What signalling has agreed with one party, as its leg needs it.
struct Terms {
    Transport::Target target;
    Direction direction = Direction::sendrecv;  ///< as seen from here
    bool held = false;
    std::vector<sdp::AgreedPayload> payloads;  ///< best first
    DtmfMode dtmf = DtmfMode::rfc4733;
    Duration timeout{}, timeout_hold{};  ///< zero: never
    Duration rtcp_interval = std::chrono::seconds{5};
    Duration keepalive{};          ///< zero: none
    unsigned ptime_ms = 20;        ///< of packets that are made here
    unsigned repack_ms = 0;        ///< of what others say in G.711; 0: as long as it came
    bool passes_feedback = false;  ///< requests for a whole picture go on to the peer
};

}  // namespace strowger::media
