#include "broker/trace.hpp"

#include "io/clock.hpp"

namespace strowger::broker {

void trace(wasimoff::pb::Task_Metadata& info, wasimoff::pb::Task_TraceEvent::EventType event) {
    if (!info.has_trace() || info.trace().events_size() >= max_trace_events) return;
    auto& entry = *info.mutable_trace()->add_events();
    entry.set_unixnano(io::wall_now().time_since_epoch().count());
    entry.set_event(event);
}

}  // namespace strowger::broker
