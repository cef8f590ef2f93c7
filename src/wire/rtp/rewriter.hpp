#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.hpp"
#include "base/random.hpp"
#include "base/time.hpp"
#include "wire/rtp/packet.hpp"

namespace strowger::rtp {

/// Keeps one outgoing stream whole while what is sent on it changes: another source after a
/// transfer, music in between, a file, DTMF. One SSRC, sequence numbers without gaps of our making,
/// timestamps that go on by the time that passed (RFC 3550 sections 5.1 and 7.1).
///
/// Loss, order and timing inside one source pass through as they are, so that the receiver sees
/// what the network did. Allocates nothing.
class Rewriter {
public:
    Rewriter(std::uint32_t ssrc, std::uint16_t first_sequence, std::uint32_t first_timestamp,
             std::uint32_t clock_rate = 8000);
    explicit Rewriter(Random& random, std::uint32_t clock_rate = 8000);
    /// Goes on with a stream whose newest packet, sent then, had this header.
    static Rewriter after(const Header& last, Time sent_at, std::uint32_t clock_rate = 8000);

    /// The header to send for a packet of the source; nothing for one that was sent before the
    /// first of its source and comes late, as its place in the stream is taken. A new SSRC, or a
    /// jump no network makes, counts as a new source by itself.
    std::optional<Header> forward(const Header& in, Time now);
    /// The same in place for a parsed packet; false: drop it. The payload type stays, the caller
    /// sets it where it is to change.
    bool forward(MutableBytes packet, Time now);

    /// A packet of our own making with `duration` timestamp units of sound in it; those of one run
    /// follow each other without a gap. After a pause it goes out with the marker, in time.
    Header generate(std::uint8_t payload_type, std::uint32_t duration, Time now);
    /// A packet of our own with a timestamp in the outgoing stream's terms (telephone events).
    Header generate_at(std::uint8_t payload_type, std::uint32_t timestamp, Time now, bool marker);

    /// The next packet comes from somewhere else, even under the same SSRC. It goes out with the
    /// marker, as the start of a talkspurt (RFC 3551 section 4.1).
    void source_changed() { bound_ = false; }
    void set_clock_rate(std::uint32_t clock_rate) { clock_rate_ = clock_rate; }

    std::uint32_t ssrc() const { return ssrc_; }
    std::uint16_t next_sequence() const { return next_sequence_; }
    /// The timestamp that an outgoing packet of this moment carries.
    std::uint32_t timestamp_at(Time now) const;

private:
    void bind(const Header& in, Time now);
    void sent(std::uint32_t timestamp, Time now);

    static constexpr std::uint16_t max_jump = 3000;  // RFC 3550 A.1, MAX_DROPOUT
    static constexpr Duration max_pause =
        std::chrono::milliseconds{100};  // within a run of our own
    // What a key's updates repeat lies no further back (RFC 4733 section 2.5.1.3: 65535 units).
    static constexpr std::uint32_t longest_event_s = 9;

    std::uint32_t ssrc_;
    std::uint32_t clock_rate_;
    std::uint16_t next_sequence_;
    std::uint32_t last_timestamp_;
    Time last_sent_{};
    bool any_ = false;         // something was sent
    bool bound_ = false;       // the offsets belong to the current source
    bool generating_ = false;  // `generated_next_` follows what was sent last
    std::uint32_t generated_next_ = 0;
    std::uint32_t source_ssrc_ = 0;
    std::uint16_t source_first_ = 0, source_highest_ = 0;
    std::uint16_t sequence_offset_ = 0;
    std::uint32_t timestamp_offset_ = 0;
};

}  // namespace strowger::rtp
