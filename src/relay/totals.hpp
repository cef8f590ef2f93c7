#pragma once

#include <cstdint>

#include "base/time.hpp"

namespace strowger::relay {

/// What the relay has done since it started; calls that are still up are not in the sums of
/// packets.
struct Totals {
    std::uint64_t sessions = 0;
    std::uint64_t timed_out = 0, silent_timed_out = 0, offer_timed_out = 0, final_timed_out = 0;
    std::uint64_t regular = 0;  ///< ended by `delete`
    std::uint64_t rejected = 0;
    std::uint64_t packets = 0, bytes = 0, errors = 0;
    std::uint64_t one_way = 0;   ///< calls with media from one party only
    std::uint64_t no_media = 0;  ///< calls without any
    Duration call_time{};        ///< of ended calls together
};

}  // namespace strowger::relay
