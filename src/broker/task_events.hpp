#pragma once

#include <memory>
#include <string>
#include <unordered_map>

#include "io/loop.hpp"
#include "io/stream.hpp"

namespace strowger::broker {

/// Server-sent events of tasks: streams on which somebody waits to hear that a task is over.
class TaskEvents {
public:
    static constexpr std::size_t max_streams = 1024;
    /// A line that means nothing, so that no proxy thinks the stream dead; the task is looked at
    /// again then, should its end have been missed.
    static constexpr Duration reminder = std::chrono::seconds{15};

    explicit TaskEvents(io::Loop& loop) : loop_(loop) {}
    ~TaskEvents();

    /// `look` is called when the task is over and each `reminder`; it answers with `say`.
    void add(const std::string& task, std::unique_ptr<io::Stream> stream,
             std::function<void(std::uint64_t stream)> look);
    bool full() const { return streams_.size() >= max_streams; }
    void say(std::uint64_t stream, std::string_view event, std::string_view json);
    /// Says it and ends the stream.
    void finish(std::uint64_t stream, std::string_view event, std::string_view json);
    void ended(const std::string& task);

private:
    struct Open {
        std::string task;
        std::unique_ptr<io::Stream> stream;
        std::function<void(std::uint64_t)> look;
        io::Timer timer;
    };
    void remind(std::uint64_t stream);
    void drop(std::uint64_t stream);

    io::Loop& loop_;
    std::unordered_map<std::uint64_t, Open> streams_;
    std::unordered_multimap<std::string, std::uint64_t> by_task_;
};

}  // namespace strowger::broker
