#pragma once

#include <string_view>

#include "base/task.hpp"
#include "broker/jobs.hpp"
#include "io/completion.hpp"
#include "io/http.hpp"
#include "io/stream.hpp"

namespace strowger::broker {

/// Runs a task and waits for it. When the waiting coroutine is destroyed, because its client has
/// gone, the task is cancelled.
Task<Result<TaskResponse>> run_task(Jobs& jobs, TaskRequest request, const Who& who);

/// 401 or 403 with the reason, as plain text.
io::HttpResponse denied(const Error& error);

/// On a stream that was taken over for something else.
void answer_and_close(std::unique_ptr<io::Stream> stream, const io::HttpResponse& response);

}  // namespace strowger::broker
