#pragma once

#include <functional>
#include <optional>
#include <string>

#include "broker/jobs.hpp"

namespace strowger::broker {

/// Tasks that nobody waits for on a connection: submitted now, asked about later, by their id.
///
/// Kept in memory, or, with several brokers, in Redis, so that any of them can be asked and takes
/// over what another has left behind.
class Submissions {
public:
    struct Standing {
        enum class State { waiting, running, done } state = State::waiting;
        std::optional<Result<TaskResponse>> result = {};  ///< once done
    };
    template <typename T>
    using Then = std::move_only_function<void(Result<T>)>;
    /// Results that are kept, for how long and how much of them; those that ended first go first.
    static constexpr std::size_t max_results = 10'000;
    static constexpr std::size_t max_result_bytes = 256ULL << 20;
    static constexpr Duration results_kept = std::chrono::hours{1};

    virtual ~Submissions() = default;
    /// The answer is the task's id.
    virtual void submit(TaskRequest request, const Who& who, Then<std::string> then) = 0;
    /// Only one's own, unless one is an admin; others are not found.
    virtual void look(const std::string& id, const Who& who, Then<Standing> then) = 0;
    virtual void cancel(const std::string& id, const Who& who, Then<void> then) = 0;
    /// Called with the id of each task that is over.
    void on_done(std::function<void(const std::string& id)> fn) { done_ = std::move(fn); }

protected:
    void tell_done(const std::string& id) const {
        if (done_) done_(id);
    }

private:
    std::function<void(const std::string&)> done_;
};

}  // namespace strowger::broker
