#pragma once

namespace strowger::io {

/// Asks the kernel to give the calling thread, and those that it starts, the processor in the
/// shortest slices that there are, 0.1 ms (sched_setattr(2), sched_runtime of an ordinary thread).
/// Of two that want to run, Linux since 6.12 takes the one with the shorter slice at once: who
/// works for microseconds at a time need not wait until those who compute have had their 1.4 to 3
/// ms. The share of the processor stays what it was, and so does the nice value. Where kernel or
/// container do not know or allow it, nothing changes.
void ask_for_short_time_slice();

}  // namespace strowger::io
