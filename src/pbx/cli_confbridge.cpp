#include <fmt/format.h>

#include "base/text.hpp"
#include "pbx/channel.hpp"
#include "pbx/cli.hpp"
#include "pbx/conference.hpp"
#include "pbx/exchange.hpp"

namespace strowger::pbx {

namespace {

using Arguments = std::vector<std::string>;
using ConferencePtr = std::shared_ptr<Conference>;

std::string list(Exchange& exchange) {
    std::string text = fmt::format("{:32} {:>6} {:>6} {:6} {}\n", "Conference Bridge Name", "Users",
                                   "Marked", "Locked", "Muted");
    for (const auto& conference : exchange.core().conferences.all()) {
        if (conference->internal()) continue;
        text += fmt::format("{:32} {:6} {:6} {:6} {}\n", conference->name(),
                            conference->members().size(), conference->marked(),
                            conference->locked() ? "Yes" : "No",
                            conference->participants_muted() ? "Yes" : "No");
    }
    return text;
}

// Flags: A admin, M marked, W waits for a marked one, E ends with it, m muted, w waiting now.
std::string list_members(const Conference& conference) {
    std::string text = fmt::format("{:32} {:6} {:16} {:16} {:16} {}\n", "Channel", "Flags",
                                   "User Profile", "Bridge Profile", "Menu", "CallerID");
    for (const auto& member : conference.members()) {
        const auto& user = member->user;
        std::string flags;
        if (user.admin) flags += 'A';
        if (user.marked) flags += 'M';
        if (user.wait_marked) flags += 'W';
        if (user.end_marked) flags += 'E';
        if (member->muted) flags += 'm';
        if (member->holds) flags += 'w';
        text += fmt::format("{:32} {:6} {:16} {:16} {:16} {}\n", member->channel->name(), flags,
                            user.name, conference.profile().name, member->menu,
                            member->channel->caller.number);
    }
    return text;
}

Result<ConferencePtr> named(Exchange& exchange, const Arguments& arguments, std::size_t needed,
                            std::string_view usage) {
    if (arguments.size() < needed) return fail("usage: {}\n", usage);
    auto conference = exchange.core().conferences.find(arguments.front());
    if (!conference || conference->internal())
        return fail("No conference bridge named '{}' found!\n", arguments.front());
    return conference;
}

// To one channel, to `all`, or to those that are no admins (`participants`).
Result<std::string> each(Exchange& exchange, const Arguments& arguments, std::string_view usage,
                         std::string_view done,
                         const std::function<void(Conference&, ConferenceMember&)>& action) {
    const auto conference = named(exchange, arguments, 2, usage);
    if (!conference) return std::unexpected(conference.error());
    const auto& whom = arguments[1];
    const bool all = iequals(whom, "all"), participants = iequals(whom, "participants");
    std::size_t found = 0;
    const auto members = (*conference)->members();  // who is kicked may leave at once
    for (const auto& member : members) {
        const bool meant = all || (participants && !member->user.admin) ||
                           istarts_with(member->channel->name(), whom);
        if (!meant) continue;
        ++found;
        action(**conference, *member);
    }
    if (found == 0 && !all && !participants)
        return fail("No channel named '{}' found in conference {}\n", whom, arguments.front());
    return fmt::format("{} {} in conference {}\n", done, whom, arguments.front());
}

Result<std::string> lock(Exchange& exchange, const Arguments& arguments, bool on) {
    const auto conference =
        named(exchange, arguments, 1, on ? "confbridge lock NAME" : "confbridge unlock NAME");
    if (!conference) return std::unexpected(conference.error());
    (*conference)->lock(on);
    return fmt::format("Conference {} is {}.\n", arguments.front(), on ? "locked" : "unlocked");
}

}  // namespace

void add_conference_commands(Cli& cli, Exchange& exchange) {
    cli.add({"confbridge list", "[NAME]", "Conferences, or who is in one",
             [&exchange](const Arguments& arguments) -> Result<std::string> {
                 if (arguments.empty()) return list(exchange);
                 const auto conference = named(exchange, arguments, 1, "confbridge list [NAME]");
                 if (!conference) return std::unexpected(conference.error());
                 return list_members(**conference);
             }});
    cli.add({"confbridge kick", "NAME CHANNEL|all|participants", "Put somebody out of a conference",
             [&exchange](const Arguments& arguments) {
                 return each(exchange, arguments, "confbridge kick NAME CHANNEL|all|participants",
                             "Kicked", [](Conference& c, ConferenceMember& m) { c.kick(m); });
             }});
    cli.add({"confbridge mute", "NAME CHANNEL|all|participants", "Mute somebody in a conference",
             [&exchange](const Arguments& arguments) {
                 return each(exchange, arguments, "confbridge mute NAME CHANNEL|all|participants",
                             "Muted", [](Conference& c, ConferenceMember& m) { c.mute(m, true); });
             }});
    cli.add({"confbridge unmute", "NAME CHANNEL|all|participants", "The opposite",
             [&exchange](const Arguments& arguments) {
                 return each(exchange, arguments, "confbridge unmute NAME CHANNEL|all|participants",
                             "Unmuted",
                             [](Conference& c, ConferenceMember& m) { c.mute(m, false); });
             }});
    cli.add({"confbridge lock", "NAME", "Let nobody in but admins",
             [&exchange](const Arguments& arguments) { return lock(exchange, arguments, true); }});
    cli.add({"confbridge unlock", "NAME", "The opposite",
             [&exchange](const Arguments& arguments) { return lock(exchange, arguments, false); }});
    cli.add({"confbridge record start", "NAME [FILE]", "Record a conference",
             [&exchange](const Arguments& arguments) -> Result<std::string> {
                 const auto conference =
                     named(exchange, arguments, 1, "confbridge record start NAME [FILE]");
                 if (!conference) return std::unexpected(conference.error());
                 auto begun =
                     (*conference)
                         ->start_recording(arguments.size() > 1 ? arguments[1] : std::string());
                 if (!begun) return fail("{}\n", begun.error().text());
                 return fmt::format("Recording to {}\n", *begun);
             }});
    cli.add({"confbridge record stop", "NAME", "End that",
             [&exchange](const Arguments& arguments) -> Result<std::string> {
                 const auto conference =
                     named(exchange, arguments, 1, "confbridge record stop NAME");
                 if (!conference) return std::unexpected(conference.error());
                 if (const auto stopped = (*conference)->stop_recording(); !stopped)
                     return fail("{}\n", stopped.error().text());
                 return fmt::format("Conference {} is no longer recorded.\n", arguments.front());
             }});
}

}  // namespace strowger::pbx
