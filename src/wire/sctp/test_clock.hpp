#pragma once

#include <sys/time.h>

#include "base/time.hpp"

namespace strowger::sctp {

/// What the SCTP library is told when it asks the system for the time, as it does beside the ticks
/// that it is given: in a test, the test's time.
inline Time test_clock{};

}  // namespace strowger::sctp

extern "C" [[gnu::used]] inline int gettimeofday(timeval* time, void*) noexcept {
    constexpr long some_day = 1'700'000'000;
    const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(
                            strowger::sctp::test_clock.time_since_epoch())
                            .count();
    time->tv_sec = some_day + micros / 1'000'000;
    time->tv_usec = micros % 1'000'000;
    return 0;
}
