#pragma once

#include <cstdint>
#include <string_view>

namespace strowger::srtp {

/// Why a packet was not protected or unprotected. An enumeration, as the packet path must not
/// allocate.
enum class Fault : std::uint8_t {
    malformed,      ///< no RTP or RTCP header, or too short for its tag
    no_room,        ///< the buffer does not hold the packet with what is added to it
    replayed,       ///< this index has been
    too_old,        ///< so late that nobody knows whether it has been
    not_authentic,  ///< the tag is wrong: another key, another rollover counter, or forged
    unknown_mki,
    too_many_streams,
    key_exhausted,  ///< the key has protected as many packets as it may (RFC 3711 section 9.2)
    cipher_failed,
};

constexpr std::string_view text_of(Fault fault) {
    switch (fault) {
        case Fault::malformed: return "not an RTP or RTCP packet";
        case Fault::no_room: return "no room for the authentication tag";
        case Fault::replayed: return "packet seen before";
        case Fault::too_old: return "packet older than the replay window";
        case Fault::not_authentic: return "authentication tag does not match";
        case Fault::unknown_mki: return "unknown master key identifier";
        case Fault::too_many_streams: return "too many streams";
        case Fault::key_exhausted: return "master key used up";
        case Fault::cipher_failed: return "cipher failed";
    }
    return "";
}

}  // namespace strowger::srtp
