#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "io/mailbox.hpp"
#include "recorder/recorded_call.hpp"

namespace strowger::recorder {

/// The threads that make sound of calls; a call stays on one of them.
class Workers {
public:
    /// How often each call's feed is looked at.
    static constexpr Duration interval = std::chrono::milliseconds{100};
    /// More than any machine has use for.
    static constexpr unsigned max_threads = 256;

    /// `done` is called on a worker's thread when a call is over.
    using Done = std::function<void(Recorded)>;
    Workers(const Settings& settings, Done done);
    ~Workers();  ///< leaves calls as they are: begun again, they are whole

    void begin(const std::string& name);

private:
    using Work = std::move_only_function<void()>;
    struct Worker {
        io::Mailbox<Work> mailbox;
        std::vector<std::unique_ptr<RecordedCall>> calls;
        bool stopping = false;
        std::thread thread;
    };
    void run(Worker& worker);

    const Settings& settings_;
    Done done_;
    std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace strowger::recorder
