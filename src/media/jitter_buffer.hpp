#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "media/engine.hpp"
#include "wire/rtp/packet.hpp"

namespace strowger::media {

/// Holds packets back so that they go on in order and as evenly spaced as they were spoken.
///
/// A packet is due when the one that travelled fastest of late would have come, and a delay later.
/// The delay is `max` (fixed), or what the packets of the last seconds needed and `target` on top,
/// at most `max` (adaptive): it grows at once and shrinks by a millisecond a packet. A jump of
/// timestamps or of the way's length by more than `resync`, or another source, begins anew.
/// Memory is taken when it is made; `put` and `take` allocate nothing.
class JitterBuffer {
public:
    static constexpr std::size_t max_datagram = 1500;  ///< longer ones are not kept

    explicit JitterBuffer(const JitterSettings& settings);

    const JitterSettings& settings() const { return settings_; }

    enum class Verdict : std::uint8_t {
        kept,
        late,   ///< what comes after it has gone on already
        full,   ///< more packets than speech can have in `max`
        whole,  ///< too long to be kept: to go on as it is
    };
    /// A packet that has come. `paces`: it is speech, by whose timestamps time is told; others go
    /// on with what came before them.
    Verdict put(const rtp::Header& header, Bytes datagram, bool paces, std::uint32_t clock_rate,
                Time now);

    Time deadline() const;  ///< when the next one is due; Time::max() without one
    /// The next one that is due, as it came; empty without one. Is there until the next call.
    MutableBytes take(Time now);

    std::size_t size() const { return order_.size(); }
    Duration delay() const { return delay_; }
    std::uint64_t dropped() const { return dropped_; }

private:
    struct Slot {
        std::uint16_t sequence = 0;
        Time due{};
        std::size_t length = 0;
    };
    /// The least and the greatest of the last one to two spans of time.
    struct Extremes {
        Duration least = Duration::max(), most = Duration::min();
        void add(Duration value) {
            least = std::min(least, value);
            most = std::max(most, value);
        }
    };

    void begin(const rtp::Header& header, Time now);
    Time due(const rtp::Header& header, std::uint32_t clock_rate, Time now);
    MutableBytes bytes(std::uint8_t slot, std::size_t length) {
        return MutableBytes(store_).subspan(slot * max_datagram, length);
    }

    const JitterSettings settings_;
    std::vector<std::uint8_t> store_;
    std::vector<Slot> slots_;
    std::vector<std::uint8_t> free_, order_;  // of slots; `order_` by sequence

    bool begun_ = false, released_any_ = false;
    std::uint32_t ssrc_ = 0, last_timestamp_ = 0;
    std::uint16_t released_ = 0;
    std::int64_t position_ = 0;  // of `last_timestamp_` since the beginning, in samples
    Time began_{};
    Extremes now_seen_, before_seen_;
    Time span_ends_{};
    Duration delay_{};
    std::uint64_t dropped_ = 0;
};

}  // namespace strowger::media
