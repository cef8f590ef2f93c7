#include "pbx/ringing_calls.hpp"

#include <algorithm>

#include "pbx/channel.hpp"

namespace strowger::pbx {

namespace {

template <typename Group>
bool share_one(const std::vector<Group>& a, const std::vector<Group>& b) {
    return std::any_of(a.begin(), a.end(), [&](const Group& group) {
        return std::find(b.begin(), b.end(), group) != b.end();
    });
}

}  // namespace

std::shared_ptr<void> RingingCalls::add(RingingCall& call) {
    const auto id = ++last_;
    calls_->emplace(id, &call);
    return {nullptr, [calls = calls_, id](void*) { calls->erase(id); }};
}

RingingCall* RingingCalls::find(const Wanted& wanted, const Channel& picker) const {
    for (const auto& [id, call] : *calls_) {
        if (&call->caller() == &picker) continue;
        const auto& legs = call->ringing();
        if (std::any_of(legs.begin(), legs.end(), [&](const auto& leg) { return wanted(*leg); }))
            return call;
    }
    return nullptr;
}

bool may_pick_up(const config::Endpoint& picker, const config::Endpoint& ringing) {
    return share_one(picker.pickup_group, ringing.call_group) ||
           share_one(picker.named_pickup_group, ringing.named_call_group);
}

}  // namespace strowger::pbx
