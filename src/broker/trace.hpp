#pragma once

#include "wire/wasimoff/envelope.hpp"

namespace strowger::broker {

/// Events that one task's trace may hold: its client decides how many it begins with.
inline constexpr int max_trace_events = 1000;

/// Notes what happens to a task now, if its client asked for a trace.
void trace(wasimoff::pb::Task_Metadata& info, wasimoff::pb::Task_TraceEvent::EventType event);

}  // namespace strowger::broker
