#include "broker/live_tasks.hpp"

#include "base/base64.hpp"

namespace strowger::broker {

LiveTasks::~LiveTasks() {
    *alive_ = false;
    for (const auto& [id, open] : open_)
        if (open.task) jobs_.cancel(open.task, "the broker ends");
}

void LiveTasks::run(TaskRequest request, const Who& who, std::unique_ptr<io::Stream> stream) {
    const auto id = stream->id();
    auto& open = open_[id];
    open.stream = std::move(stream);
    // Not inside the stream's own callback.
    const auto closed = [this, id, alive = alive_](const Error&) {
        loop_.post([this, id, alive] {
            if (*alive) gone(id);
        });
    };
    open.stream->start({.bytes = [](Bytes) {}, .closed = closed});
    open.stream->send(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
        "Access-Control-Allow-Origin: *\r\nConnection: close\r\n\r\n");
    remind(id);
    jobs_.find_files(std::move(request), [this, id, who, alive = alive_](TaskRequest found) {
        if (*alive) submit(id, std::move(found), who);
    });
}

void LiveTasks::submit(std::uint64_t id, TaskRequest request, const Who& who) {
    const auto found = open_.find(id);
    if (found == open_.end()) return;  // gone meanwhile
    const auto heard = [this, id](const pb::Event_TaskOutput& output, bool again) {
        if (again) say(id, "again", "{}");
        const auto coded = [](const std::string& text) {
            return to_base64(as_bytes(text), Padding::written);
        };
        say(id, "output",
            fmt::format(R"({{"stdout":"{}","stderr":"{}"}})", coded(output.stdout()),
                        coded(output.stderr())));
    };
    const auto task = jobs_.submit(
        std::move(request), who,
        [this, id, alive = alive_](const Result<TaskResponse>& result) {
            if (*alive) finish(id, result);
        },
        heard);
    if (!task) return finish(id, std::unexpected(task.error()));
    if (const auto still = open_.find(id); still != open_.end()) still->second.task = *task;
}

void LiveTasks::remind(std::uint64_t id) {
    const auto found = open_.find(id);
    if (found == open_.end()) return;
    found->second.reminder = loop_.after(reminder, [this, id] {
        if (const auto at = open_.find(id); at != open_.end()) at->second.stream->send(":\n\n");
        remind(id);
    });
}

void LiveTasks::say(std::uint64_t id, std::string_view event, std::string_view json) {
    if (const auto found = open_.find(id); found != open_.end())
        found->second.stream->send(fmt::format("event: {}\ndata: {}\n\n", event, json));
}

void LiveTasks::finish(std::uint64_t id, const Result<TaskResponse>& result) {
    if (result) {
        const auto write = [](const auto& response) {
            return wasimoff::write_message(wasimoff::Codec::json, response);
        };
        say(id, "done", std::visit(write, *result));
    } else {
        const auto& error = result.error();
        say(id, "error", connect::error_json(code_of(error), error.text()));
    }
    const auto found = open_.find(id);
    if (found == open_.end()) return;
    io::Stream::close_and_forget(std::move(found->second.stream));
    open_.erase(found);
}

void LiveTasks::gone(std::uint64_t id) {
    const auto found = open_.find(id);
    if (found == open_.end()) return;
    const auto task = found->second.task;
    open_.erase(found);
    if (task) jobs_.cancel(task, "client went away");
}

}  // namespace strowger::broker
