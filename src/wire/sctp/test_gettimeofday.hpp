#pragma once

#include <sys/time.h>

#include "wire/sctp/test_clock.hpp"

/// Tells the test's time. For one source file of a program only: the definition must be strong to
/// win over libc's and the thread sanitizer's.
extern "C" int gettimeofday(timeval* time, void*) noexcept {
    constexpr long some_day = 1'700'000'000;
    const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(
                            strowger::sctp::test_clock.time_since_epoch())
                            .count();
    time->tv_sec = some_day + micros / 1'000'000;
    time->tv_usec = micros % 1'000'000;
    return 0;
}
