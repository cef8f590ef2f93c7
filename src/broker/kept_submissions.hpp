#pragma once

#include <deque>

#include "broker/submissions.hpp"

namespace strowger::broker {

/// Submissions of a broker that is alone: in its memory, and gone with it.
class KeptSubmissions final : public Submissions {
public:
    KeptSubmissions(io::Loop& loop, Jobs& jobs) : loop_(loop), jobs_(jobs) {}
    ~KeptSubmissions() override { *alive_ = false; }

    void submit(TaskRequest request, const Who& who, Then<std::string> then) override;
    void look(const std::string& id, const Who& who, Then<Standing> then) override;
    void cancel(const std::string& id, const Who& who, Then<void> then) override;

private:
    struct Kept {
        TaskId task;
        std::string tenant;
        std::optional<Result<TaskResponse>> result;
        std::size_t bytes = 0;
    };
    Kept* find(const std::string& id, const Who& who);
    void finished(const std::string& id, Result<TaskResponse> result);
    void trim();

    io::Loop& loop_;
    Jobs& jobs_;
    std::unordered_map<std::string, Kept> kept_;
    std::deque<std::pair<Time, std::string>> ended_;  // in that order
    std::size_t bytes_ = 0;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace strowger::broker
