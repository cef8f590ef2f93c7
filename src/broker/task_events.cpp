#include "broker/task_events.hpp"

#include <vector>

namespace strowger::broker {

TaskEvents::~TaskEvents() = default;

void TaskEvents::add(const std::string& task, std::unique_ptr<io::Stream> stream,
                     std::function<void(std::uint64_t)> look) {
    const auto id = stream->id();
    auto& open = streams_[id] = {task, std::move(stream), std::move(look), {}};
    by_task_.emplace(task, id);
    open.stream->start({.bytes = [](Bytes) {},
                        .closed =
                            [this, id](const Error&) {
                                // Not inside the stream's own callback.
                                loop_.post([this, id] { drop(id); });
                            }});
    open.stream->send(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
        "Access-Control-Allow-Origin: *\r\nConnection: close\r\n\r\n");
    remind(id);
}

void TaskEvents::remind(std::uint64_t id) {
    const auto found = streams_.find(id);
    if (found == streams_.end()) return;
    found->second.timer = loop_.after(reminder, [this, id] {
        if (const auto at = streams_.find(id); at != streams_.end())
            at->second.stream->send(":\n\n");
        remind(id);
    });
    const auto look = found->second.look;  // it may end the stream
    look(id);
}

void TaskEvents::say(std::uint64_t id, std::string_view event, std::string_view json) {
    if (const auto found = streams_.find(id); found != streams_.end())
        found->second.stream->send(fmt::format("event: {}\ndata: {}\n\n", event, json));
}

void TaskEvents::finish(std::uint64_t id, std::string_view event, std::string_view json) {
    say(id, event, json);
    const auto found = streams_.find(id);
    if (found == streams_.end()) return;
    io::Stream::close_and_forget(std::move(found->second.stream));
    drop(id);
}

void TaskEvents::drop(std::uint64_t id) {
    const auto found = streams_.find(id);
    if (found == streams_.end()) return;
    const auto [first, last] = by_task_.equal_range(found->second.task);
    for (auto at = first; at != last; ++at)
        if (at->second == id) {
            by_task_.erase(at);
            break;
        }
    streams_.erase(found);
}

void TaskEvents::ended(const std::string& task) {
    std::vector<std::uint64_t> waiting;
    const auto [first, last] = by_task_.equal_range(task);
    for (auto at = first; at != last; ++at) waiting.push_back(at->second);
    for (const auto id : waiting)
        if (const auto found = streams_.find(id); found != streams_.end()) {
            const auto look = found->second.look;
            look(id);
        }
}

}  // namespace strowger::broker
