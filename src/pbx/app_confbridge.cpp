#include <fmt/format.h>

#include "base/text.hpp"
#include "pbx/applications.hpp"
#include "pbx/conference.hpp"
#include "pbx/conference_visit.hpp"
#include "pbx/dialplan/arguments.hpp"
#include "pbx/dialplan/machine.hpp"
#include "pbx/prompt.hpp"

namespace strowger::pbx {

namespace {

using dialplan::AppResult;
using dialplan::Call;

constexpr int pin_tries = 3;
constexpr Duration pin_patience = std::chrono::seconds{5};  // after the prompt, and each digit
constexpr Duration quick_look = std::chrono::milliseconds{1};

Task<> tell(Channel& channel, std::string_view names) {
    auto prompts = find_prompts(channel, names);
    if (!prompts.paths.empty()) (void)co_await channel.play_and_wait(std::move(prompts.paths));
}

// What is dialled after a prompt, to `#`, a pause, or as many digits as were expected.
Task<std::string> ask(Channel& channel, std::string_view prompt, std::size_t expected) {
    std::string digits;
    channel.inbox().clear();
    auto prompts = find_prompts(channel, prompt);
    if (!prompts.paths.empty()) {
        const auto played = co_await channel.play_and_wait(std::move(prompts.paths), "any");
        if (played.digit == '#') co_return digits;
        if (played.digit) digits += played.digit;
    }
    while (digits.size() < expected && !channel.hung_up()) {
        const auto digit = co_await channel.wait_digit(pin_patience);
        if (!digit || *digit == '#') break;
        digits += *digit;
    }
    // What may follow a number that was complete.
    if (digits.size() == expected) (void)co_await channel.wait_digit(quick_look);
    co_return digits;
}

Task<bool> knows_pin(Channel& channel, const config::ConferenceBridge& bridge, std::string pin) {
    for (int i = 0; i < pin_tries && !channel.hung_up(); ++i) {
        const auto digits = co_await ask(channel, bridge.sound("get_pin"), pin.size());
        if (digits == pin) co_return true;
        co_await tell(channel, bridge.sound("invalid_pin"));
    }
    co_return false;
}

// The caller says its name; the file, or "" when it said nothing.
Task<std::string> record_name(Channel& channel) {
    auto wish = find_prompts(channel, "vm-rec-name");
    if (!wish.paths.empty()) (void)co_await channel.play_and_wait(std::move(wish.paths), "any");
    const auto path =
        fmt::format("{}/confbridge/name-{}", channel.core().state_directory, channel.uniqueid());
    std::string arguments = path + ".wav,2,10";
    (void)co_await dialplan::Machine::execute(channel, "Record", std::move(arguments));
    co_return channel.hung_up() ? std::string() : path + ".wav";
}

// ConfBridge(conference[,bridge_profile[,user_profile[,menu]]])
Task<AppResult> confbridge(Call& call, std::string_view args, Bridge::Starter starter) {
    auto& channel = static_cast<Channel&>(call);
    const ChannelPtr share = channel.shared_from_this();
    auto& core = channel.core();
    const auto configuration = core.config;
    const auto arguments = dialplan::split_arguments(args);
    const auto finish = [&](std::string result) {
        (void)call.variables().set("CONFBRIDGE_RESULT", std::move(result));
        return channel.hung_up() ? AppResult::hangup : AppResult::proceed;
    };
    const std::string name(trim(argument(arguments, 0)));
    if (name.empty() || name.find('/') != std::string::npos) {
        channel.report(log::Level::warning,
                       fmt::format("ConfBridge: '{}' is no name of a conference", name));
        co_return finish("FAILED");
    }

    // A profile that is named counts, then the channel's own, then the default.
    const auto own = channel.conference_profiles;
    const auto choose = [&](std::size_t index, const auto& profiles, const auto* dynamic,
                            std::string_view otherwise) {
        const auto wanted = trim(argument(arguments, index));
        if (wanted.empty() && dynamic) return dynamic;
        const auto* found = profiles.find(wanted.empty() ? otherwise : wanted);
        if (!found)
            channel.report(log::Level::warning,
                           fmt::format("ConfBridge: there is no profile '{}'", wanted));
        return found;
    };
    const auto* bridge = choose(1, configuration->conference_bridges,
                                own && own->bridge ? &*own->bridge : nullptr, "default_bridge");
    const auto* user = choose(2, configuration->conference_users,
                              own && own->user ? &*own->user : nullptr, "default_user");
    const auto wanted_menu = trim(argument(arguments, 3));
    const auto* menu = own && own->menu ? &*own->menu : nullptr;
    if (!wanted_menu.empty())
        menu = choose(3, configuration->conference_menus, menu, "default_menu");
    if (!bridge || !user || (!wanted_menu.empty() && !menu)) co_return finish("FAILED");

    if (!co_await open_media(channel)) co_return finish("HANGUP");
    if (!user->pin.empty() && !co_await knows_pin(channel, *bridge, user->pin))
        co_return finish(channel.hung_up() ? "HANGUP" : "FAILED");
    std::string name_file;
    if (user->announce_join_leave && !user->quiet) name_file = co_await record_name(channel);
    if (channel.hung_up()) co_return finish("HANGUP");

    auto conference = Conference::open(core, name, *bridge);
    Result<Conference::MemberPtr> member = std::unexpected(Error(""));
    if (conference) member = (*conference)->admit(share, *user, menu ? menu->name : "");
    if (!member) {
        channel.report(log::Level::notice,
                       conference ? member.error().text() : conference.error().text());
        if (conference) co_await tell(channel, bridge->sound("locked"));
        co_return finish(channel.hung_up() ? "HANGUP" : "FAILED");
    }
    (*member)->name_file = std::move(name_file);
    (*member)->starter = std::move(starter);
    std::optional<config::ConferenceMenu> keys;
    if (menu) keys = *menu;
    auto visit = visit_conference(*conference, *member, std::move(keys));
    auto result = co_await std::move(visit);
    co_return finish(std::move(result));
}

}  // namespace

void add_conference_applications(dialplan::Applications& applications, Bridge::Starter starter) {
    applications.add("ConfBridge",
                     "Talk to all who are in a conference: ConfBridge(name[,bridge_profile[,"
                     "user_profile[,menu]]])",
                     [starter = std::move(starter)](Call& call, std::string_view args) {
                         return confbridge(call, args, starter);
                     });
}

}  // namespace strowger::pbx
