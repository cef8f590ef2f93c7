#pragma once

#include <ctime>

#include "base/time.hpp"

namespace strowger::io {

/// The kernel's monotonic clock, read through the vDSO (no system call).
inline Time media_now() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return Time(std::chrono::seconds{now.tv_sec} + std::chrono::nanoseconds{now.tv_nsec});
}

/// Calendar time, for the NTP stamps of RTCP.
inline WallTime media_wall_now() {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    return WallTime(std::chrono::seconds{now.tv_sec} + std::chrono::nanoseconds{now.tv_nsec});
}

}  // namespace strowger::io
