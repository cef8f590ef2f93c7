#pragma once

#include <chrono>

namespace strowger {

using Duration = std::chrono::nanoseconds;

/// The clock of machines and timers: monotonic, of no particular epoch, and never read by a machine
/// itself. `io` reads it once a round and passes it in; tests start at `Time{}`.
struct MonotonicClock {
    using duration = Duration;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<MonotonicClock, Duration>;
    static constexpr bool is_steady = true;
};
using Time = MonotonicClock::time_point;

/// Calendar time, for logs, records and dialplan conditions only.
using WallTime = std::chrono::sys_time<Duration>;

constexpr Duration scale(Duration duration, double factor) {
    return Duration(static_cast<Duration::rep>(static_cast<double>(duration.count()) * factor));
}

constexpr double seconds(Duration duration) {
    return std::chrono::duration<double>(duration).count();
}

}  // namespace strowger
