#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.hpp"
#include "base/time.hpp"

namespace strowger::media {

/// The last packets of a stream as they were sent, to be sent again when the receiver misses them
/// (RFC 4585 section 6.2.1). What was protected is kept protected: the same bytes under the same
/// index give nothing away.
///
/// It grows until it holds `depth` of time, up to `max_packets`; after that a packet costs a copy
/// and no allocation.
class PacketHistory {
public:
    static constexpr std::size_t min_packets = 32;   ///< half a second of sound
    static constexpr std::size_t max_packets = 512;  ///< half a second of video at 8 Mbit/s
    static constexpr Duration depth = std::chrono::milliseconds{500};

    void add(std::uint16_t sequence, Bytes packet, Time now);
    /// Borrowed until the next `add`; empty when it is not there, or too old.
    Bytes find(std::uint16_t sequence, Time now) const;

private:
    struct Slot {
        std::vector<std::uint8_t> packet;
        std::uint16_t sequence = 0;
        Time at{};
    };
    void grow();

    std::vector<Slot> slots_;  ///< a power of two; a packet lies at its number's remainder
};

}  // namespace strowger::media
