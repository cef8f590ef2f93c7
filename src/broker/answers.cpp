#include "broker/answers.hpp"

namespace strowger::broker {

namespace {

/// Cancels what nobody waits for any more.
struct Waiting {
    Jobs& jobs;
    TaskId task = 0;
    io::Completion<Result<TaskResponse>> done = {};

    ~Waiting() {
        if (task && !done.resolved()) jobs.cancel(task, "client went away");
    }
};

}  // namespace

Task<Result<TaskResponse>> run_task(Jobs& jobs, TaskRequest request, const Who& who) {
    const io::Completion<TaskRequest> found;
    jobs.find_files(std::move(request),
                    [found](TaskRequest known) { found.resolve(std::move(known)); });
    request = co_await found;
    Waiting waiting{jobs};
    auto submitted = jobs.submit(
        std::move(request), who,
        [done = waiting.done](Result<TaskResponse> result) { done.resolve(std::move(result)); });
    if (!submitted) co_return std::unexpected(submitted.error());
    waiting.task = *submitted;
    co_return co_await waiting.done;
}

io::HttpResponse denied(const Error& error) {
    auto response = io::HttpResponse::text(error.code() ? error.code() : 403, error.text() + "\n");
    if (response.status == 401) response.headers.add("WWW-Authenticate", "Bearer");
    return response;
}

void answer_and_close(std::unique_ptr<io::Stream> stream, const io::HttpResponse& response) {
    stream->start({});
    stream->send(
        fmt::format("HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: "
                    "{}\r\nConnection: close\r\n\r\n{}",
                    response.status, io::http_reason(response.status),
                    response.headers.get("Content-Type"), response.body.size(), response.body));
    io::Stream::close_and_forget(std::move(stream));
}

}  // namespace strowger::broker
