#pragma once

#include "base/time.hpp"

namespace strowger::sctp {

/// What the SCTP library is told when it asks the system for the time, as it does beside the ticks
/// that it is given: in a test, the test's time. Works in programs of which one source file
/// includes test_gettimeofday.hpp.
inline Time test_clock{};

}  // namespace strowger::sctp
