#include "broker/own_load.hpp"

#include <algorithm>

#include "base/log.hpp"
#include "broker/storage.hpp"

namespace strowger::broker {

namespace {

constexpr log::About about{"broker"};
// Between two looks whether the program is there, and after a task that failed.
constexpr Duration pause = std::chrono::seconds{1};

}  // namespace

OwnLoad::OwnLoad(io::Loop& loop, Jobs& jobs, std::size_t under_way)
    : loop_(loop), jobs_(jobs), wanted_(std::min(under_way, most)) {
    LOG_WARNING(about, "benchmode: {} tasks of its own run at all times once there is a {}",
                wanted_, program);
    look();
}

OwnLoad::~OwnLoad() { *alive_ = false; }

void OwnLoad::look() {
    timer_ = loop_.after(pause, [this] { look(); });
    if (!jobs_.storage().find(program)) return;
    while (under_way_ < wanted_) {
        const auto before = under_way_;
        submit();
        if (under_way_ == before) return;  // refused: tried again in a second
    }
}

void OwnLoad::submit() {
    pb::Task_Wasip1_Request request;
    auto& params = *request.mutable_params();
    params.mutable_binary()->set_ref(std::string(program));
    for (const auto* word : {"tsp", "rand", "10"}) params.add_args(word);
    Who who;
    who.address = tenant;
    auto accepted = jobs_.submit(std::move(request), who,
                                 [this, alive = alive_](const Result<TaskResponse>& result) {
                                     if (!*alive) return;
                                     --under_way_;
                                     // One after the other, as the clients do it; what fails waits
                                     // for the next look.
                                     if (result)
                                         loop_.post([this, alive] {
                                             if (*alive && under_way_ < wanted_) submit();
                                         });
                                 });
    if (accepted)
        ++under_way_;
    else
        LOG_VERBOSE(about, "benchmode: {}", accepted.error().text());
}

}  // namespace strowger::broker
