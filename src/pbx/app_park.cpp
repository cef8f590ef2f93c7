#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "pbx/applications.hpp"
#include "pbx/bridge.hpp"
#include "pbx/dialplan/arguments.hpp"
#include "pbx/dialplan/machine.hpp"
#include "pbx/option_letters.hpp"
#include "pbx/parking.hpp"
#include "pbx/prompt.hpp"
#include "pbx/spoken.hpp"

namespace strowger::pbx {

namespace {

using dialplan::AppResult;
using dialplan::Call;

// "PJSIP/alice" of "PJSIP/alice-0000002a", which transferred the call here; empty when nobody did.
std::string parker_of(const Channel& channel) {
    const auto by = channel.variable("BLINDTRANSFER").value_or("");
    return by.substr(0, by.rfind('-'));
}

Task<> play(Channel& channel, std::string names) {
    auto prompts = find_prompts(channel, names);
    if (!prompts.paths.empty()) (void)co_await channel.play_and_wait(std::move(prompts.paths));
}

// Nobody came for it: back to whoever parked it, or to the place that the lot names.
Task<AppResult> come_back(Channel& channel, const config::ParkingLot& lot, std::string parker,
                          std::string place) {
    co_await channel.stop_playing();
    std::string flat = parker;
    std::replace(flat.begin(), flat.end(), '/', '_');
    (void)channel.variables().set("PARKEDLOT", lot.name);
    (void)channel.variables().set("PARKER_FLAT", flat);
    if (!place.empty()) {
        const auto target = dialplan::Machine::resolve(channel, place);
        if (target) channel.jump(*target);
        co_return AppResult::proceed;
    }
    if (parker.empty()) co_return AppResult::proceed;
    if (lot.comebacktoorigin) {
        std::string arguments = fmt::format("{},{}", parker, lot.comebackdialtime);
        co_return co_await dialplan::Machine::execute(channel, "Dial", std::move(arguments));
    }
    for (const auto& exten : {flat, std::string("s")}) {
        if (!channel.dialplan()->exists(lot.comebackcontext, exten, channel.query())) continue;
        channel.jump({lot.comebackcontext, exten, 1});
        break;
    }
    co_return AppResult::proceed;
}

// Park([lot[,options]]): options r ringing instead of music, s says nothing, t(seconds),
// c(context,exten,priority) where to go on when nobody comes. The caller hears its space, unless
// somebody else sent it here.
Task<AppResult> park(Call& call, std::string_view args) {
    auto& channel = static_cast<Channel&>(call);
    auto& core = channel.core();
    const auto config = core.config;
    const auto arguments = dialplan::split_arguments(args);
    const OptionLetters options(argument(arguments, 1));
    const auto name = trim(argument(arguments, 0));
    const auto* lot = config->parking_lots.find(name.empty() ? "default" : name);
    if (!lot) {
        channel.report(log::Level::warning,
                       fmt::format("Park: there is no parking lot '{}'", name));
        co_return AppResult::proceed;
    }
    const auto parker = parker_of(channel);
    auto space = core.parking.space_of(channel);  // who parks by digits has reserved one
    if (!space) {
        const auto given = core.parking.park(*lot, channel.shared_from_this(), parker, core.now());
        if (!given) {
            channel.report(log::Level::notice, given.error().text());
            std::string failed = "pbx-parkingfailed";
            if (co_await open_media(channel)) co_await play(channel, std::move(failed));
            co_return channel.hung_up() ? AppResult::hangup : AppResult::proceed;
        }
        space = Parking::Key{lot->name, *given};
    }
    const auto number = std::to_string(space->second);
    for (const auto* variable : {"PARKINGSLOT", "PARKING_SPACE", "PARKED"})
        (void)call.variables().set(variable, number);
    (void)call.variables().set("PARKINGLOT", lot->name);
    (void)call.variables().set("PARKER", parker);
    LOG_NOTICE(channel.about(), "parked in space {} of '{}'", number, lot->name);

    const auto timeout = parse_seconds(options.argument('t').value_or(""))
                             .value_or(std::chrono::seconds{lot->parkingtime});
    const Time until = core.now() + timeout;
    if (!co_await open_media(channel)) {
        core.parking.leave(channel);
        co_return AppResult::hangup;
    }
    if (!options.has('s') && parker.empty()) {
        const auto spoken = Speech::of(channel.language).digits(number);
        co_await play(channel, fmt::format("{}", fmt::join(spoken, "&")));
    }
    // Somebody may have come while it was spoken.
    if (core.parking.space_of(channel) && !channel.hung_up()) {
        std::string ring = "ring";
        std::string music = lot->parkedmusicclass;
        if (options.has('r'))
            (void)co_await channel.play_tone(std::move(ring));
        else
            (void)co_await channel.start_music(std::move(music));
    }
    const bool in_time = co_await channel.wait_released(until);
    const bool was_there = core.parking.leave(channel);
    if (!in_time && was_there) {
        std::string place(options.argument('c').value_or(""));
        co_return co_await come_back(channel, *lot, parker, std::move(place));
    }
    if (!in_time) (void)co_await channel.wait_released();  // somebody talks to it
    co_return channel.hung_up() ? AppResult::hangup : AppResult::proceed;
}

// ParkedCall([lot][,space]): talks to whoever is parked there, or longest in the lowest space.
Task<AppResult> parked_call(Call& call, std::string_view args, Bridge::Starter starter) {
    auto& channel = static_cast<Channel&>(call);
    auto& core = channel.core();
    const auto config = core.config;
    const auto arguments = dialplan::split_arguments(args);
    const auto wanted = trim(argument(arguments, 0));
    const auto* lot = config->parking_lots.find(wanted.empty() ? "default" : wanted);
    const auto space = parse_number<unsigned>(trim(argument(arguments, 1)));
    if (!co_await open_media(channel)) co_return AppResult::hangup;
    if (lot && !lot->courtesytone.empty()) co_await play(channel, lot->courtesytone);
    const auto parked = lot ? core.parking.take(lot->name, space) : nullptr;
    if (!parked) {
        channel.report(log::Level::notice,
                       fmt::format("ParkedCall({}): nobody is parked there", args));
        std::string invalid = "pbx-invalidpark";
        co_await play(channel, std::move(invalid));
        co_return channel.hung_up() ? AppResult::hangup : AppResult::proceed;
    }
    channel.connected = parked->caller;
    parked->connected = channel.caller;
    ChannelPtr self = channel.shared_from_this();
    auto bridge = co_await Bridge::join(core, starter, self, parked);
    if (!bridge) {
        channel.report(log::Level::warning, bridge.error().text());
        parked->hangup(Cause::normal_circuit_congestion);
        co_return AppResult::hangup;
    }
    channel.connected_line_changed();
    parked->connected_line_changed();
    const auto shared = *bridge;
    bridge->reset();
    const auto released = co_await shared->talk(self);
    if (released.why == Released::Why::transferred && released.target) {
        channel.jump(*released.target);
        co_return AppResult::proceed;
    }
    co_return AppResult::hangup;
}

}  // namespace

void add_park_functions(dialplan::Functions& functions) {
    functions.add("PARK_GET_CHANNEL", "Who is parked in a space: PARK_GET_CHANNEL(space[,lot])",
                  [](Call& call, std::string_view args) -> Result<std::string> {
                      const auto& parking = static_cast<Channel&>(call).core().parking;
                      const auto [space, lot] = split_once(args, ',');
                      const auto number = parse_number<unsigned>(trim(space));
                      if (!number) return fail("'{}' is not a space", space);
                      const std::string name(trim(lot).empty() ? "default" : trim(lot));
                      const auto* parked = parking.find({name, *number});
                      const auto channel = parked ? parked->channel.lock() : nullptr;
                      return channel ? channel->name() : std::string();
                  });
}

void add_park_applications(dialplan::Applications& applications, Bridge::Starter starter) {
    applications.add("Park", "Wait in a parking lot to be taken out again: Park([lot[,options]])",
                     park);
    applications.add("ParkedCall", "Take a call out of a parking lot: ParkedCall([lot[,space]])",
                     [starter = std::move(starter)](Call& call, std::string_view args) {
                         return parked_call(call, args, starter);
                     });
}

}  // namespace strowger::pbx
