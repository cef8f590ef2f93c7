#include <fmt/format.h>

#include "base/text.hpp"
#include "pbx/applications.hpp"
#include "pbx/dialplan/arguments.hpp"
#include "pbx/option_letters.hpp"
#include "pbx/prompt.hpp"
#include "pbx/ringing_calls.hpp"

namespace strowger::pbx {

namespace {

using dialplan::AppResult;
using dialplan::Call;

Task<> play_sound(Channel& channel, std::string name) {
    if (name.empty()) co_return;
    auto prompts = find_prompts(channel, name);
    if (!prompts.paths.empty()) (void)co_await channel.play_and_wait(std::move(prompts.paths));
}

// The wanted call is answered by this channel. False: there is none (any more).
Task<bool> pick_up(Channel& picker, RingingCalls::Wanted wanted) {
    auto& core = picker.core();
    if (!core.ringing.find(wanted, picker)) co_return false;
    (void)co_await picker.answer();
    std::string sound = picker.features()->pickupsound;
    co_await play_sound(picker, std::move(sound));
    if (picker.hung_up()) co_return true;
    auto* const call = core.ringing.find(wanted, picker);
    if (!call) co_return false;
    LOG_VERBOSE(picker.about(), "picks up a call of {}", call->caller().name());
    call->answered_by(picker.shared_from_this());
    (void)co_await picker.wait_released();
    co_return true;
}

// "100@house", "100" (in the context of the call), or "mark@PICKUPMARK": what the ringing leg's
// variable of that name says.
RingingCalls::Wanted dialled_as(const Call& call, std::string_view destination) {
    const auto [exten, given] = split_once(destination, '@');
    if (iequals(given, "PICKUPMARK"))
        return [mark = std::string(exten)](const Channel& leg) {
            return leg.variable("PICKUPMARK") == mark;
        };
    const std::string context(given.empty() ? std::string_view(call.position().context) : given);
    return [exten = std::string(exten), context](const Channel& leg) {
        return leg.position().exten == exten && iequals(leg.position().context, context);
    };
}

RingingCalls::Wanted of_my_group(const Channel& picker) {
    return [mine = picker.endpoint()](const Channel& leg) {
        const auto theirs = leg.endpoint();
        return mine && theirs && may_pick_up(*mine, *theirs);
    };
}

// Pickup([exten[@context][&...]]): without any, a call to somebody of a group that this one may
// pick up. Goes on when there is nothing to pick up.
Task<AppResult> pickup(Call& call, std::string_view args) {
    auto& channel = static_cast<Channel&>(call);
    const auto destinations = trim(args);
    if (destinations.empty()) {
        auto wanted = of_my_group(channel);
        if (co_await pick_up(channel, std::move(wanted))) co_return AppResult::hangup;
    }
    for (const auto destination : split(destinations, '&')) {
        if (trim(destination).empty()) continue;
        auto wanted = dialled_as(call, trim(destination));
        if (co_await pick_up(channel, std::move(wanted))) co_return AppResult::hangup;
    }
    channel.report(log::Level::notice,
                   fmt::format("Pickup({}): nothing rings that may be picked up", args));
    std::string sound = channel.features()->pickupfailsound;
    co_await play_sound(channel, std::move(sound));
    co_return channel.hung_up() ? AppResult::hangup : AppResult::proceed;
}

// PickupChan(channel[&channel...][,p]): a ringing channel by its name or its device; with p by the
// beginning of its name.
Task<AppResult> pickup_channel(Call& call, std::string_view args) {
    auto& channel = static_cast<Channel&>(call);
    const auto arguments = dialplan::split_arguments(args);
    const bool partial = OptionLetters(argument(arguments, 1)).has('p');
    for (const auto part : split(argument(arguments, 0), '&')) {
        const std::string name(trim(part));
        if (name.empty()) continue;
        RingingCalls::Wanted named = [name, partial](const Channel& leg) {
            const std::string_view full = leg.name();
            return iequals(full, name) || iequals(full.substr(0, full.rfind('-')), name) ||
                   (partial && istarts_with(full, name));
        };
        if (co_await pick_up(channel, std::move(named))) co_return AppResult::hangup;
    }
    channel.report(log::Level::notice, fmt::format("PickupChan({}): it does not ring", args));
    co_return channel.hung_up() ? AppResult::hangup : AppResult::proceed;
}

}  // namespace

void add_pickup_applications(dialplan::Applications& applications) {
    applications.add(
        "Pickup", "Answer a call that rings elsewhere: Pickup([exten[@context|@PICKUPMARK]&...])",
        pickup);
    applications.add("PickupChan",
                     "Answer a call that rings on that channel: PickupChan(channel[&...][,p])",
                     pickup_channel);
}

}  // namespace strowger::pbx
