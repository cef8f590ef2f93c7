#pragma once

#include <vector>

#include "wire/srtp/packet_index.hpp"
#include "wire/srtp/replay_window.hpp"
#include "wire/srtp/stream_table.hpp"
#include "wire/srtp/transform.hpp"

namespace strowger::srtp {

constexpr std::size_t rtp_window = 1024;  ///< at 1000 packets a second, one second of disorder
constexpr std::size_t rtcp_window = 128;

/// The sending direction of a session (RFC 3711): makes SRTP of RTP and SRTCP of RTCP, for any
/// number of SSRCs up to `max_streams`, in place, without allocating once an SSRC is known.
///
/// Sequence numbers are the caller's; they may come out of order. Encrypting two different packets
/// under one SSRC and sequence number gives both away, so the second is refused, unless the caller
/// says that what it repeats is the same packet (a relay that passes on retransmissions).
class Sender {
public:
    enum class Repeats : std::uint8_t { refused, allowed };

    static Result<Sender> make(const Policy& policy, const IdentifiedKey& key,
                               Repeats repeats = Repeats::refused);

    /// The packet is the first `size` bytes of `buffer`. Gives its new size.
    Size protect(MutableBytes buffer, std::size_t size);
    Size protect_rtcp(MutableBytes buffer, std::size_t size);

    /// How much room behind a packet is enough, RTP or RTCP.
    std::size_t headroom() const;

    /// For a successor with the same key. To resume from an older state, add to `rtcp_index` as
    /// many as may have been sent since: an index that is used twice gives two packets away.
    std::vector<StreamState> states() const;
    bool resume(const StreamState& state);  ///< false when there are `max_streams` others

private:
    struct Stream {
        ReplayWindow<rtp_window> rtp;
        std::uint32_t next_rtcp_index = 1;  ///< 0 is not used: libsrtp begins with 1, too
    };

    Sender(const Policy& policy, const IdentifiedKey& key, Repeats repeats);
    Stream* stream_of(std::uint32_t ssrc);

    Transform transform_;
    StreamTable<Stream> streams_;
    Repeats repeats_;
};

}  // namespace strowger::srtp
