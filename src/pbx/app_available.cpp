#include <fmt/format.h>

#include "base/text.hpp"
#include "pbx/applications.hpp"
#include "pbx/device_state.hpp"
#include "pbx/dial_target.hpp"
#include "pbx/dialplan/arguments.hpp"
#include "pbx/dialplan/machine.hpp"
#include "pbx/option_letters.hpp"
#include "pbx/prompt.hpp"

namespace strowger::pbx {

namespace {

using dialplan::AppResult;
using dialplan::Call;

// As AVAILSTATUS counts device states.
int number_of(DeviceState state) {
    switch (state) {
        case DeviceState::unknown: return 0;
        case DeviceState::not_inuse: return 1;
        case DeviceState::inuse: return 2;
        case DeviceState::busy: return 3;
        case DeviceState::invalid: return 4;
        case DeviceState::unavailable: return 5;
        case DeviceState::ringing: return 6;
        case DeviceState::ringinuse: return 7;
        case DeviceState::onhold: return 8;
    }
    return 0;
}

// With `idle_only` a device in use is none.
bool is_available(DeviceState state, bool idle_only) {
    switch (state) {
        case DeviceState::unknown:
        case DeviceState::not_inuse: return true;
        case DeviceState::inuse:
        case DeviceState::ringing:
        case DeviceState::ringinuse:
        case DeviceState::onhold: return !idle_only;
        case DeviceState::busy:
        case DeviceState::invalid:
        case DeviceState::unavailable: return false;
    }
    return false;
}

// ChanIsAvail(Tech/resource[&...][,a|s]): the first destination that could be dialled, with `a` all
// of them, in AVAILORIGCHAN; with `s` those in use count as taken. AVAILSTATUS is the last device
// state.
AppResult chan_is_avail(Call& call, std::string_view args) {
    auto& channel = static_cast<Channel&>(call);
    const auto arguments = dialplan::split_arguments(args);
    const OptionLetters options(argument(arguments, 1));
    std::string available;
    int status = number_of(DeviceState::invalid);
    for (const auto& target : DialTarget::parse_list(argument(arguments, 0))) {
        auto device = target.resource;
        if (iequals(target.technology, "PJSIP")) {
            // "bob/sip:bob@192.0.2.7" and "0701@trunk" are ways to an endpoint.
            if (const auto slash = device.find('/'); slash != std::string::npos)
                device.resize(slash);
            if (const auto at = device.rfind('@');
                at != std::string::npos && !channel.core().config->endpoints.find(device))
                device.erase(0, at + 1);
        }
        const auto state = state_of(channel.core(), target.technology + '/' + device);
        status = number_of(state);
        if (!is_available(state, options.has('s'))) continue;
        (available += available.empty() ? "" : "&") += target.technology + '/' + target.resource;
        if (!options.has('a')) break;
    }
    (void)call.variables().set("AVAILCHAN", available);
    (void)call.variables().set("AVAILORIGCHAN", available);
    (void)call.variables().set("AVAILSTATUS", std::to_string(status));
    return channel.hung_up() ? AppResult::hangup : AppResult::proceed;
}

// Bridge(channel): talks to a channel that talks to somebody else, who is let go of. BRIDGERESULT.
Task<AppResult> bridge(Call& call, std::string_view args, Bridge::Starter starter) {
    auto& channel = static_cast<Channel&>(call);
    const auto finish = [&](std::string_view result) {
        (void)call.variables().set("BRIDGERESULT", std::string(result));
        return channel.hung_up() ? AppResult::hangup : AppResult::proceed;
    };
    const auto arguments = dialplan::split_arguments(args);
    const auto other = channel.core().channels.find_by_name(trim(argument(arguments, 0)));
    if (!other || other->hung_up()) co_return finish("NONEXISTENT");
    if (other.get() == &channel) co_return finish("LOOP");
    (void)co_await channel.answer();
    if (!other->bridge || channel.hung_up()) co_return finish("FAILURE");
    const auto joined = std::make_shared<Bridge>(channel.core(), std::move(starter));
    ChannelPtr self = channel.shared_from_this();
    Seat seat{self, {}, {}};
    (void)co_await joined->step_in(std::move(seat));
    ChannelPtr coming = other;
    if (!co_await joined->admit(std::move(coming))) co_return finish("FAILURE");
    const auto released = co_await joined->talk(self);
    if (released.why == Released::Why::transferred && released.target)
        channel.jump(*released.target);
    co_return finish("SUCCESS");
}

}  // namespace

void add_availability_applications(dialplan::Applications& applications, Bridge::Starter starter) {
    applications.add_quick("ChanIsAvail",
                           "Who could be dialled: ChanIsAvail(TECH/RESOURCE[&...][,a|s])",
                           chan_is_avail);
    applications.add("Bridge", "Talk to a channel that talks to somebody else: Bridge(channel)",
                     [starter = std::move(starter)](Call& call, std::string_view args) {
                         return bridge(call, args, starter);
                     });
}

}  // namespace strowger::pbx
