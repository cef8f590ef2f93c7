#include "broker/kept_submissions.hpp"

namespace strowger::broker {

using connect::Code;

namespace {

std::size_t size_of(const Result<TaskResponse>& result) {
    if (!result) return result.error().text().size();
    return std::visit([](const auto& response) { return response.ByteSizeLong(); }, *result);
}

Error no_such_task(const std::string& id) {
    return refuse(Code::not_found, fmt::format("there is no task {}", id)).error();
}

}  // namespace

void KeptSubmissions::submit(TaskRequest request, const Who& who, Then<std::string> then) {
    // The id is known only after the task has begun, and perhaps ended.
    const auto id = std::make_shared<std::string>();
    const auto task =
        jobs_.submit(std::move(request), who, [this, alive = alive_, id](Result<TaskResponse> r) {
            if (*alive) finished(*id, std::move(r));
        });
    if (!task) return then(std::unexpected(task.error()));
    *id = fmt::format("{}", *task);
    kept_[*id] = {*task, who.tenant(), {}};
    then(*id);
}

void KeptSubmissions::finished(const std::string& id, Result<TaskResponse> result) {
    const auto found = kept_.find(id);
    if (found == kept_.end()) return;
    found->second.bytes = size_of(result);
    found->second.result = std::move(result);
    bytes_ += found->second.bytes;
    ended_.emplace_back(loop_.now(), id);
    trim();
    tell_done(id);
}

// The newest stays, however large: somebody may just be asking for it.
void KeptSubmissions::trim() {
    const auto too_much = [&] {
        return ended_.size() > max_results || bytes_ > max_result_bytes ||
               loop_.now() - ended_.front().first > results_kept;
    };
    while (ended_.size() > 1 && too_much()) {
        const auto node = kept_.extract(ended_.front().second);
        bytes_ -= node.mapped().bytes;
        ended_.pop_front();
    }
}

KeptSubmissions::Kept* KeptSubmissions::find(const std::string& id, const Who& who) {
    const auto found = kept_.find(id);
    if (found == kept_.end() || (!who.admin && found->second.tenant != who.tenant()))
        return nullptr;
    return &found->second;
}

void KeptSubmissions::look(const std::string& id, const Who& who, Then<Standing> then) {
    using State = Standing::State;
    const auto* kept = find(id, who);
    if (!kept) return then(std::unexpected(no_such_task(id)));
    if (kept->result) return then(Standing{State::done, *kept->result});
    then(Standing{jobs_.running(kept->task) ? State::running : State::waiting});
}

void KeptSubmissions::cancel(const std::string& id, const Who& who, Then<void> then) {
    const auto* kept = find(id, who);
    if (!kept || kept->result) return then(std::unexpected(no_such_task(id)));
    then(jobs_.cancel_by_id(kept->task, who));
}

}  // namespace strowger::broker
