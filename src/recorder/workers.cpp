#include "recorder/workers.hpp"

#include <algorithm>

#include "io/clock.hpp"
#include "io/poller.hpp"

namespace strowger::recorder {

Workers::Workers(const Settings& settings, Done done)
    : settings_(settings), done_(std::move(done)) {
    const unsigned wanted =
        settings.threads ? settings.threads : std::max(1U, std::thread::hardware_concurrency());
    for (unsigned i = 0; i < std::min(wanted, max_threads); ++i) {
        auto& worker = *workers_.emplace_back(std::make_unique<Worker>());
        worker.thread = std::thread([this, &worker] { run(worker); });
    }
}

Workers::~Workers() {
    for (auto& worker : workers_) worker->mailbox.post([&to = *worker] { to.stopping = true; });
    for (auto& worker : workers_) worker->thread.join();
}

void Workers::begin(const std::string& name) {
    Worker& worker = *workers_[std::hash<std::string>{}(name) % workers_.size()];
    worker.mailbox.post([this, &worker, name] {
        worker.calls.push_back(std::make_unique<RecordedCall>(settings_, settings_.spool, name));
    });
}

void Workers::run(Worker& worker) {
    io::Poller poller;
    (void)poller.add(worker.mailbox.fd(), 0);
    while (!worker.stopping) {
        poller.wait(worker.calls.empty() ? Duration::max() : interval);
        worker.mailbox.acknowledge();
        while (auto work = worker.mailbox.take()) (*work)();
        const Time now = io::monotonic_now();
        std::erase_if(worker.calls, [&](const auto& call) {
            if (call->poll(now)) return false;
            done_(call->take_result());
            return true;
        });
    }
}

}  // namespace strowger::recorder
