#pragma once

#include <string>

#include "base/task.hpp"
#include "base/time.hpp"

namespace strowger::io {

class Loop;

/// Where this process spends its CPU time: stacks taken by SIGPROF 100 times a second of CPU, in
/// the binary form of gperftools' CPU profiles, which pprof reads (with the program beside it).
/// One at a time; nothing while another one runs.
Task<std::string> cpu_profile(Loop& loop, Duration duration);

/// What the allocator holds, as malloc_info(3) tells it in XML.
std::string heap_report();

}  // namespace strowger::io
