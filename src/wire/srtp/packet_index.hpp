#pragma once

#include <cstdint>
#include <optional>

namespace strowger::srtp {

/// An SSRC's place in its key's life, to outlive a process or to be moved to another.
struct StreamState {
    std::uint32_t ssrc = 0;
    /// Rollover counter and sequence number of the newest RTP packet: 2^16 * ROC + SEQ.
    std::optional<std::uint64_t> rtp_index;
    std::optional<std::uint32_t> rtcp_index;  ///< of the newest SRTCP packet

    bool operator==(const StreamState&) const = default;
};

constexpr std::uint64_t rtp_index_end = std::uint64_t{1} << 48;
constexpr std::uint32_t rtcp_index_end = std::uint32_t{1} << 31;

/// The index that `sequence` most likely has when `highest` is the highest so far (RFC 3711
/// section 3.3.1 and appendix A): the rollover counter is not sent, so each side counts. A stream
/// begins with a counter of 0, and there is nothing before it. May be `rtp_index_end` or more.
constexpr std::uint64_t estimate_index(std::optional<std::uint64_t> highest,
                                       std::uint16_t sequence) {
    if (!highest) return sequence;
    std::uint64_t rollover = *highest >> 16;
    const std::int32_t ahead = sequence - static_cast<std::int32_t>(*highest & 0xffff);
    if (ahead < -0x8000) ++rollover;
    if (ahead > 0x8000 && rollover > 0) --rollover;
    return rollover << 16 | sequence;
}

}  // namespace strowger::srtp
