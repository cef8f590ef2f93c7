#pragma once

#include <memory>
#include <string>
#include <unordered_map>

#include "broker/jobs.hpp"
#include "io/loop.hpp"
#include "io/stream.hpp"

namespace strowger::broker {

/// Tasks whose clients hear what they write while they run: server-sent events on the connection
/// that asked. Events: `output` (JSON with `stdout` and `stderr`, in base64), `again` (it begins
/// anew at another provider), then `done` (the response) or `error`. Who closes the connection
/// cancels its task.
class LiveTasks {
public:
    static constexpr std::size_t max_streams = 1024;
    /// A line that means nothing comes this often, so that no proxy thinks the stream dead.
    static constexpr Duration reminder = std::chrono::seconds{15};

    LiveTasks(io::Loop& loop, Jobs& jobs) : loop_(loop), jobs_(jobs) {}
    ~LiveTasks();

    bool full() const { return open_.size() >= max_streams; }
    void run(TaskRequest request, const Who& who, std::unique_ptr<io::Stream> stream);

private:
    struct Open {
        std::unique_ptr<io::Stream> stream;
        TaskId task = 0;
        io::Timer reminder;
    };
    void submit(std::uint64_t id, TaskRequest request, const Who& who);
    void remind(std::uint64_t id);
    void say(std::uint64_t id, std::string_view event, std::string_view json);
    void finish(std::uint64_t id, const Result<TaskResponse>& result);
    void gone(std::uint64_t id);

    io::Loop& loop_;
    Jobs& jobs_;
    std::unordered_map<std::uint64_t, Open> open_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // asked by what comes late
};

}  // namespace strowger::broker
