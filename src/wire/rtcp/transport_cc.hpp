#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.hpp"
#include "base/time.hpp"

namespace strowger::rtcp {

/// When each packet of a transport came, told to its sender, who estimates the bandwidth from it
/// (draft-holmer-rmcat-transport-wide-cc-extensions-01, as all browsers have it). The packets of
/// all streams carry one count in a header extension.
///
///     feedback.received(number, now);
///     if (now >= feedback.deadline()) size = feedback.write(buffer, own, source);
class TransportFeedback {
public:
    static constexpr Duration interval = std::chrono::milliseconds{100};
    /// Told at once when there are so many: those of 100 ms at 50 Mbit/s.
    static constexpr std::size_t max_packets = 500;
    /// A longer gap is a new beginning: what was before is told no more.
    static constexpr std::uint16_t max_gap = 1000;

    void received(std::uint16_t number, Time now);
    Time deadline() const { return deadline_; }  ///< `Time::max()`: nothing to tell

    /// One RTCP packet at the front of `out`; 0 when it does not fit. What was told is forgotten.
    std::size_t write(MutableBytes out, std::uint32_t sender, std::uint32_t media);

private:
    enum Symbol : std::uint8_t { missing = 0, small = 1, large = 2 };
    struct Arrival {
        std::int64_t number;  ///< counted on over 65535
        Time at;
    };
    void collect(std::int64_t& reference);
    void append_chunks();

    std::vector<Arrival> arrivals_;
    std::optional<std::int64_t> newest_;  ///< ever
    std::optional<std::int64_t> next_;    ///< the first that is not told yet
    Time deadline_ = Time::max();
    std::uint8_t count_ = 0;
    std::vector<Symbol> symbols_;       ///< of the packet that is being written
    std::vector<std::int16_t> deltas_;  ///< in units of 250 µs
    std::vector<std::uint16_t> chunks_;
};

}  // namespace strowger::rtcp
