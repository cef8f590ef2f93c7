#include "pbx/call_completion.hpp"

#include <algorithm>

#include "pbx/device_state.hpp"
#include "pbx/originate.hpp"

namespace strowger::pbx {

namespace {

constexpr std::string_view place = "CALLCOMPLETION";

/// A device is looked at so often; a use that is shorter does not count as one.
constexpr Duration look = std::chrono::milliseconds{250};

// What had been dialled, rather than the subroutine that came to dial.
dialplan::Position dialled_by(const Channel& caller) {
    const auto endpoint = caller.endpoint();
    if (endpoint && !caller.dialled.empty() &&
        caller.dialplan()->exists(endpoint->context, caller.dialled, caller.query()))
        return {endpoint->context, caller.dialled, 1};
    return {caller.position().context, caller.position().exten, 1};
}

}  // namespace

std::string device_of(const Channel& channel) {
    return channel.name().substr(0, channel.name().rfind('-'));
}

const CompletionSettings& CompletionSettings::of(const Channel& channel) {
    static const CompletionSettings usual;
    const auto found = channel.attached.find(place);
    return found == channel.attached.end()
               ? usual
               : *static_cast<const CompletionSettings*>(found->second.get());
}

CompletionSettings& CompletionSettings::own(Channel& channel) {
    auto& held = channel.attached[std::string(place)];
    if (!held) held = std::make_shared<CompletionSettings>();
    return *static_cast<CompletionSettings*>(held.get());
}

void CallCompletions::offer(const Channel& caller, std::string device, bool was_busy,
                            const CompletionSettings& monitored) {
    const Time now = caller.core().now();
    std::erase_if(offers_, [&](const auto& item) { return item.second.until <= now; });
    if (offers_.size() >= max_offers) return;
    Offer offer{std::move(device),
                dialled_by(caller),
                caller.caller,
                was_busy,
                CompletionSettings::of(caller),
                now};
    offer.settings.max_monitors = monitored.max_monitors;
    offer.settings.busy = monitored.busy;
    offer.settings.unanswered = monitored.unanswered;
    offer.until += std::chrono::seconds{offer.settings.offer};
    offers_.insert_or_assign(device_of(caller), std::move(offer));
}

CallCompletions::Refusal CallCompletions::request(const Channel& channel, std::uint64_t& id) {
    const auto agent = device_of(channel);
    const auto found = offers_.find(agent);
    if (found == offers_.end() || found->second.until <= channel.core().now())
        return Refusal::no_core_instance;
    const auto& offer = found->second;
    // Who asks again for the same party waits once.
    std::erase_if(requests_, [&](const auto& item) {
        return item.second.agent == agent && item.second.offer.device == offer.device;
    });
    const auto of_agent = std::ranges::count_if(
        requests_, [&](const auto& item) { return item.second.agent == agent; });
    const auto of_monitor = std::ranges::count_if(
        requests_, [&](const auto& item) { return item.second.offer.device == offer.device; });
    if (requests_.size() >= channel.core().config->ccss.max_requests ||
        of_agent >= offer.settings.max_agents || of_monitor >= offer.settings.max_monitors)
        return Refusal::too_many_requests;
    id = ++last_;
    requests_.emplace(id, Request{agent, std::move(found->second)});
    offers_.erase(found);
    return Refusal::none;
}

bool CallCompletions::cancel(const Channel& channel) {
    const auto agent = device_of(channel);
    return std::erase_if(requests_, [&](const auto& item) { return item.second.agent == agent; }) >
           0;
}

// Both must be free: the called one, after a use of it when it had not answered, and the caller.
Task<bool> CallCompletions::until_free(std::shared_ptr<CallCompletions> self, Core& core,
                                       std::uint64_t id) {
    bool used = false;
    Time until{};
    for (;;) {
        const auto found = self->requests_.find(id);
        if (found == self->requests_.end()) co_return false;
        const auto& agent = found->second.agent;
        const auto& offer = found->second.offer;
        if (until == Time{}) {
            used = offer.was_busy;
            until = core.now() +
                    std::chrono::seconds{used ? offer.settings.busy : offer.settings.unanswered};
        }
        const bool is_free = state_of(core, offer.device) == DeviceState::not_inuse;
        if (!is_free)
            used = used || state_of(core, offer.device) != DeviceState::unavailable;
        else if (used && state_of(core, agent) == DeviceState::not_inuse)
            co_return true;
        if (core.now() >= until) co_return false;
        co_await core.loop.sleep(look);
    }
}

Task<> CallCompletions::complete(std::shared_ptr<CallCompletions> self, Core& core,
                                 Bridge::Starter starter, std::uint64_t id) {
    const bool is_free = co_await until_free(self, core, id);
    auto taken = self->requests_.extract(id);
    if (!is_free || taken.empty()) co_return;
    const auto& agent = taken.mapped().agent;
    const auto& offer = taken.mapped().offer;
    const log::About about{"pbx", {}, agent};
    LOG_VERBOSE(about, "{} is free: called back to call {}", offer.device, offer.position.exten);
    const auto targets = DialTarget::parse_list(
        offer.settings.dial_string.empty() ? agent : offer.settings.dial_string);
    if (targets.size() != 1) co_return;
    Origination wanted;
    wanted.target = targets.front();
    wanted.timeout = std::chrono::seconds{offer.settings.recall};
    wanted.position = offer.position;
    // The phone shows whom it is going to call; who is called sees the caller.
    wanted.caller = {offer.position.exten, {}};
    wanted.variables.emplace_back("CALLERID(num)", offer.caller.number);
    wanted.variables.emplace_back("CALLERID(name)", offer.caller.name);
    const auto outcome = co_await originate(core, std::move(starter), std::move(wanted));
    if (!outcome.channel)
        LOG_NOTICE(about, "was called back in vain: {}",
                   outcome.error.empty() ? outcome.status : outcome.error);
}

}  // namespace strowger::pbx
