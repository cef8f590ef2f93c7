#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "pbx/applications.hpp"
#include "pbx/conference.hpp"
#include "pbx/dialplan/arguments.hpp"

namespace strowger::pbx {

namespace {

using dialplan::Call;

// `template` begins with a copy of a profile of confbridge.conf.
template <typename Profile, typename Profiles>
Result<> set(std::optional<Profile>& mine, const Profiles& known, std::string_view otherwise,
             std::string_view option, std::string_view value) {
    if (iequals(option, "clear")) {
        mine.reset();
        return {};
    }
    const bool copies = iequals(option, "template");
    if (!mine || copies) {
        const auto* found = known.find(copies ? trim(value) : otherwise);
        if (!found) return fail("there is no profile '{}'", trim(value));
        mine = *found;
    }
    return copies ? Result<>{} : config::set_option(*mine, option, value);
}

// CONFBRIDGE(bridge|user|menu,option)=value, CONFBRIDGE(clear)
Result<> write_confbridge(Call& call, std::string_view args, std::string_view value) {
    auto& channel = static_cast<Channel&>(call);
    const auto [kind, rest] = split_once(args, ',');
    const auto type = trim(kind), option = trim(rest);
    const auto& config = *channel.core().config;
    if (iequals(type, "clear")) {
        channel.conference_profiles.reset();
        return {};
    }
    if (!channel.conference_profiles)
        channel.conference_profiles = std::make_shared<ConferenceProfiles>();
    auto& mine = *channel.conference_profiles;
    if (iequals(type, "bridge"))
        return set(mine.bridge, config.conference_bridges, "default_bridge", option, value);
    if (iequals(type, "user"))
        return set(mine.user, config.conference_users, "default_user", option, value);
    if (iequals(type, "menu"))
        return set(mine.menu, config.conference_menus, "default_menu", option, value);
    return fail("expected bridge, user, menu or clear, got '{}'", type);
}

// CONFBRIDGE_INFO(parties|admins|marked|locked|muted,conference)
Result<std::string> read_info(Call& call, std::string_view args) {
    const auto [what, name] = split_once(args, ',');
    const auto conference = static_cast<Channel&>(call).core().conferences.find(trim(name));
    const auto type = trim(what);
    if (iequals(type, "parties"))
        return std::to_string(conference ? conference->members().size() : 0);
    if (iequals(type, "admins")) return std::to_string(conference ? conference->admins() : 0);
    if (iequals(type, "marked")) return std::to_string(conference ? conference->marked() : 0);
    if (iequals(type, "locked")) return std::string(conference && conference->locked() ? "1" : "0");
    if (iequals(type, "muted"))
        return std::string(conference && conference->participants_muted() ? "1" : "0");
    return fail("expected parties, admins, marked, locked or muted, got '{}'", type);
}

// CONFBRIDGE_CHANNELS(parties|admins|marked,conference)
Result<std::string> read_channels(Call& call, std::string_view args) {
    const auto [what, name] = split_once(args, ',');
    const auto conference = static_cast<Channel&>(call).core().conferences.find(trim(name));
    const auto type = trim(what);
    const bool parties = iequals(type, "parties"), admins = iequals(type, "admins");
    if (!parties && !admins && !iequals(type, "marked"))
        return fail("expected parties, admins or marked, got '{}'", type);
    std::string names;
    if (!conference) return names;
    for (const auto& member : conference->members()) {
        const bool fits = parties || (admins ? member->user.admin : member->user.marked);
        if (fits) (names += names.empty() ? "" : ",") += member->channel->name();
    }
    return names;
}

}  // namespace

void add_conference_functions(dialplan::Functions& functions) {
    functions.add("CONFBRIDGE",
                  "Profiles of this channel for ConfBridge: CONFBRIDGE(bridge|user|menu,option)",
                  {}, write_confbridge);
    functions.add("CONFBRIDGE_INFO",
                  "A conference: CONFBRIDGE_INFO(parties|admins|marked|locked|muted,name)",
                  read_info);
    functions.add("CONFBRIDGE_CHANNELS",
                  "Who is in a conference: CONFBRIDGE_CHANNELS(parties|admins|marked,name)",
                  read_channels);
}

}  // namespace strowger::pbx
