#pragma once

#include <string>

#include "base/time.hpp"
#include "pbx/config/queue.hpp"
#include "pbx/spoken.hpp"

namespace strowger::pbx {

/// What a caller in line is told of its place and of the time that it may take, as names of sounds
/// joined by '&'. Empty: nothing.
///
/// `position` counts from 1. `wait` is what is left of the queue's mean holding time; zero says
/// nothing about it.
std::string queue_announcement(const config::Queue& queue, unsigned position, Duration wait,
                               const Speech& speech);

/// What an agent is told of how long the caller has waited (reportholdtime).
std::string hold_report(const config::Queue& queue, Duration hold, const Speech& speech);

}  // namespace strowger::pbx
