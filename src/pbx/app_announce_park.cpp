#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "pbx/applications.hpp"
#include "pbx/dialplan/arguments.hpp"
#include "pbx/dialplan/machine.hpp"
#include "pbx/originate.hpp"
#include "pbx/parking.hpp"
#include "pbx/prompt.hpp"
#include "pbx/spoken.hpp"

namespace strowger::pbx {

namespace {

using dialplan::AppResult;
using dialplan::Call;

// "vm-received:PARKED": names of sounds, and the number of the space in its place.
std::string announcement(std::string_view text, unsigned space, std::string_view language) {
    std::string names;
    for (const auto part : split(text, ':')) {
        const auto name = trim(part);
        if (name.empty()) continue;
        if (!names.empty()) names += '&';
        if (name == "PARKED")
            names += fmt::format(
                "{}", fmt::join(Speech::of(language).digits(std::to_string(space)), "&"));
        else
            names += name;
    }
    return names;
}

// ParkAndAnnounce([lot[,options]],announcement,Tech/resource): somebody is called and told where
// the caller is parked.
Task<AppResult> park_and_announce(Call& call, std::string_view args, Bridge::Starter starter) {
    auto& channel = static_cast<Channel&>(call);
    auto& core = channel.core();
    const auto config = core.config;
    const auto arguments = dialplan::split_arguments(args);
    const auto name = trim(argument(arguments, 0));
    const auto* lot = config->parking_lots.find(name.empty() ? "default" : name);
    auto targets = DialTarget::parse_list(argument(arguments, 3));
    if (!lot || targets.size() != 1 || trim(argument(arguments, 2)).empty()) {
        channel.report(log::Level::warning,
                       "ParkAndAnnounce needs a parking lot, an announcement and whom to call");
        co_return AppResult::proceed;
    }
    const auto blind = channel.variable("BLINDTRANSFER").value_or("");
    const auto space = core.parking.park(*lot, channel.shared_from_this(),
                                         blind.substr(0, blind.rfind('-')), core.now());
    if (!space) {
        channel.report(log::Level::notice, space.error().text());
        co_return AppResult::proceed;
    }
    Origination wanted;
    wanted.target = std::move(targets.front());
    wanted.caller = channel.caller;
    wanted.application = {"Playback",
                          announcement(argument(arguments, 2), *space, channel.language)};
    core.tasks.spawn([](Core& shard, Bridge::Starter begin, Origination request) -> Task<> {
        const auto told = co_await originate(shard, std::move(begin), std::move(request));
        if (told.status != "SUCCESS")
            LOG_NOTICE((log::About{"pbx"}), "ParkAndAnnounce: nobody was told: {}",
                       told.error.empty() ? told.status : told.error);
    }(core, std::move(starter), std::move(wanted)));
    std::string options = fmt::format("{},{}", lot->name, argument(arguments, 1));
    co_return co_await dialplan::Machine::execute(channel, "Park", std::move(options));
}

}  // namespace

void add_announce_park_application(dialplan::Applications& applications, Bridge::Starter starter) {
    applications.add("ParkAndAnnounce",
                     "Park, and have somebody told where: ParkAndAnnounce([lot[,options]],sound[:"
                     "sound...],tech/resource)",
                     [starter = std::move(starter)](Call& call, std::string_view args) {
                         return park_and_announce(call, args, starter);
                     });
}

}  // namespace strowger::pbx
