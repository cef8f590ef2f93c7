#pragma once

#include <ctime>

#include "base/time.hpp"

namespace strowger::io {

/// The kernel's monotonic clock, read through the vDSO (no system call).
inline Time monotonic_now() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return Time(std::chrono::seconds{now.tv_sec} + std::chrono::nanoseconds{now.tv_nsec});
}

}  // namespace strowger::io
