#include "io/clock.hpp"

#include <ctime>

namespace strowger::io {

namespace {

Duration read_clock(clockid_t clock) {
    timespec value{};
    clock_gettime(clock, &value);
    return std::chrono::seconds{value.tv_sec} + std::chrono::nanoseconds{value.tv_nsec};
}

}  // namespace

Time monotonic_now() { return Time{read_clock(CLOCK_MONOTONIC)}; }

WallTime wall_now() { return WallTime{read_clock(CLOCK_REALTIME)}; }

}  // namespace strowger::io
