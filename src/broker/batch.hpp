#pragma once

#include <string>
#include <vector>

#include "base/task.hpp"
#include "broker/jobs.hpp"

namespace strowger::broker {

/// Several tasks in one request: {"parent": {…}, "tasks": [{…}, …]}. Each task inherits the
/// parameters that it does not set itself; `args` may stand at a task's top level.
inline constexpr std::size_t max_batch = 10'000;  ///< tasks of one request

bool is_batch(std::string_view json);
/// The requests in JSON, each whole. What parents add to them may be `limit` bytes in all.
Result<std::vector<std::string>> unpack_batch(std::string_view json, std::size_t limit);

/// Runs them all, and answers {"tasks": […]} in their order; a call that failed is there as
/// {"error": "…"}. When the coroutine is destroyed, what still runs is cancelled.
Task<std::string> run_batch(Jobs& jobs, std::vector<TaskRequest> requests, const Who& who);

}  // namespace strowger::broker
