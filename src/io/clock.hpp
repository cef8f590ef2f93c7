#pragma once

#include "base/time.hpp"

namespace strowger::io {

/// CLOCK_MONOTONIC. Whoever has a Loop asks the loop instead, which reads it once a round.
Time monotonic_now();

/// The calendar clock (CLOCK_REALTIME), which may jump.
WallTime wall_now();

}  // namespace strowger::io
