#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "wire/rtp/packet.hpp"

namespace strowger::recorder {

/// Puts packets of one source (SSRC) in order and says when each was spoken.
///
/// A packet waits for `patience`, so that late ones find their place. Its time is that of its RTP
/// timestamp, counted from the packets that were least late: when all packets of a whole
/// `patience` come later than their timestamps say, or one earlier, by more than `tolerance`, the
/// count is put right. So a clock that drifts, a pause without timestamps or a new path cost no
/// alignment, and jitter moves nothing.
class Arrivals {
public:
    static constexpr Duration patience = std::chrono::milliseconds{300};
    static constexpr Duration tolerance = std::chrono::milliseconds{20};
    /// More in `patience` come from no telephone: the oldest go on at once.
    static constexpr std::size_t max_waiting = 512;

    struct Packet {
        rtp::Header header;
        std::vector<std::uint8_t> payload;
        Duration arrived{};
        Duration spoken{};            ///< when its first sample belongs
        std::int64_t number = 0;      ///< sequence number without its end
        std::uint64_t timestamp = 0;  ///< the same
        bool moved = false;           ///< the count was put right before this one
    };

    explicit Arrivals(std::uint32_t clock) : clock_(clock) {}

    /// One that came at `now`. Duplicates, and those that are too late, are counted and dropped.
    void put(const rtp::Header& header, Bytes payload, Duration now);
    /// The next in order that has waited long enough.
    std::optional<Packet> take(Duration now);

    std::uint64_t dropped() const { return dropped_; }
    bool empty() const { return waiting_.empty(); }

private:
    Duration by_timestamp(const Packet& packet) const;
    void set_time(Packet& packet);

    std::uint32_t clock_;
    std::deque<Packet> waiting_;  // by number
    std::optional<std::int64_t> last_taken_;
    std::int64_t newest_ = 0;
    std::uint64_t newest_timestamp_ = 0;
    bool begun_ = false;
    Duration origin_{};  // when timestamp `origin_timestamp_` was spoken
    std::uint64_t origin_timestamp_ = 0;
    bool placed_ = false;
    std::uint64_t dropped_ = 0;
};

}  // namespace strowger::recorder
