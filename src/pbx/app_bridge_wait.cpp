#include <fmt/format.h>

#include "base/text.hpp"
#include "pbx/applications.hpp"
#include "pbx/conference.hpp"
#include "pbx/conference_visit.hpp"
#include "pbx/dialplan/arguments.hpp"
#include "pbx/option_letters.hpp"
#include "pbx/prompt.hpp"

namespace strowger::pbx {

namespace {

using dialplan::AppResult;
using dialplan::Call;

// A holding bridge is a conference whose participants are muted and wait with music as long as no
// announcer is there, who alone is heard.
config::ConferenceUser role_of(const std::string& role, const OptionLetters& options,
                               const Channel& channel) {
    config::ConferenceUser user;
    user.name = role;
    user.quiet = true;
    if (iequals(role, "announcer")) {
        user.marked = user.admin = true;
        return user;
    }
    user.wait_marked = user.startmuted = true;
    const auto what = options.argument('e').value_or("m");
    user.music_on_hold_when_empty = what != "s";
    user.rings = what == "r";
    user.music_on_hold_class = options.argument('m').value_or("");
    if (user.music_on_hold_class.empty()) user.music_on_hold_class = channel.music_class;
    const auto seconds = parse_number<unsigned>(trim(options.argument('S').value_or("")));
    user.timeout = seconds.value_or(0);
    return user;
}

// BridgeWait([name[,role[,options]]])
Task<AppResult> bridge_wait(Call& call, std::string_view args) {
    auto& channel = static_cast<Channel&>(call);
    const auto arguments = dialplan::split_arguments(args);
    const auto wanted = trim(argument(arguments, 0));
    const std::string role(trim(argument(arguments, 1)));
    const OptionLetters options(argument(arguments, 2));
    if (!role.empty() && !iequals(role, "participant") && !iequals(role, "announcer")) {
        channel.report(
            log::Level::warning,
            fmt::format("BridgeWait: expected participant or announcer, got '{}'", role));
        co_return AppResult::proceed;
    }
    if (!co_await open_media(channel, !options.has('n'))) co_return AppResult::hangup;
    const auto name = fmt::format("BridgeWait/{}", wanted.empty() ? "default" : wanted);
    config::ConferenceBridge profile;
    profile.sounds["begin"] = "";
    auto conference = Conference::open(channel.core(), name, profile);
    if (!conference) {
        channel.report(log::Level::warning, conference.error().text());
        co_return AppResult::proceed;
    }
    auto member =
        (*conference)->admit(channel.shared_from_this(), role_of(role, options, channel), {});
    if (!member) co_return AppResult::proceed;
    auto visit = visit_conference(*conference, *member, std::nullopt);
    (void)co_await std::move(visit);
    co_return channel.hung_up() ? AppResult::hangup : AppResult::proceed;
}

}  // namespace

void add_bridge_wait_application(dialplan::Applications& applications) {
    applications.add("BridgeWait",
                     "Wait with others for an announcer: BridgeWait([name[,participant|announcer"
                     "[,options]]])",
                     bridge_wait);
}

}  // namespace strowger::pbx
