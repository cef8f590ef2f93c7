// CallCompletionRequest, CallCompletionCancel and CALLCOMPLETION.

#include <fmt/format.h>

#include <array>

#include "base/text.hpp"
#include "pbx/call_completion.hpp"

namespace strowger::pbx {

namespace {

using dialplan::AppResult;
using dialplan::Call;

constexpr std::size_t max_dial_string = 256;  // characters, of one destination

struct Field {
    std::string_view name;
    unsigned CompletionSettings::* member;
};

constexpr std::array numbers{
    Field{"cc_offer_timer", &CompletionSettings::offer},
    Field{"ccbs_available_timer", &CompletionSettings::busy},
    Field{"ccnr_available_timer", &CompletionSettings::unanswered},
    Field{"cc_recall_timer", &CompletionSettings::recall},
    Field{"cc_max_agents", &CompletionSettings::max_agents},
    Field{"cc_max_monitors", &CompletionSettings::max_monitors},
};

// CALLCOMPLETION(option)
Result<std::string> read(Call& call, std::string_view args) {
    const auto& settings = CompletionSettings::of(static_cast<const Channel&>(call));
    const auto name = trim(args);
    const auto policy = [](bool generic) { return std::string(generic ? "generic" : "never"); };
    if (iequals(name, "cc_agent_policy")) return policy(settings.is_agent);
    if (iequals(name, "cc_monitor_policy")) return policy(settings.is_monitored);
    if (iequals(name, "cc_agent_dialstring")) return settings.dial_string;
    for (const auto& field : numbers)
        if (iequals(field.name, name)) return std::to_string(settings.*field.member);
    return fail("CALLCOMPLETION has no option '{}'", name);
}

Result<> write(Call& call, std::string_view args, std::string_view text) {
    auto& channel = static_cast<Channel&>(call);
    const auto name = trim(args);
    const auto value = trim(text);
    const bool agent = iequals(name, "cc_agent_policy");
    if (agent || iequals(name, "cc_monitor_policy")) {
        if (!iequals(value, "never") && !iequals(value, "generic"))
            return fail("{}: expected never or generic, got '{}'", name, value);
        auto& settings = CompletionSettings::own(channel);
        (agent ? settings.is_agent : settings.is_monitored) = iequals(value, "generic");
        return {};
    }
    if (iequals(name, "cc_agent_dialstring")) {
        if (value.size() > max_dial_string) return fail("{}: too long", name);
        CompletionSettings::own(channel).dial_string = value;
        return {};
    }
    for (const auto& field : numbers) {
        if (!iequals(field.name, name)) continue;
        const auto number = parse_number<unsigned>(value);
        if (!number || *number == 0 || *number > CallCompletions::longest)
            return fail("{}: expected a number from 1 to {}, got '{}'", name,
                        CallCompletions::longest, value);
        CompletionSettings::own(channel).*field.member = *number;
        return {};
    }
    return fail("CALLCOMPLETION has no option '{}'", name);
}

AppResult finish(Channel& channel, std::string_view what, std::string_view refusal) {
    (void)channel.variables().set(fmt::format("CC_{}_RESULT", what),
                                  refusal.empty() ? "SUCCESS" : "FAIL");
    (void)channel.variables().set(fmt::format("CC_{}_REASON", what), std::string(refusal));
    return channel.hung_up() ? AppResult::hangup : AppResult::proceed;
}

AppResult request(Call& call, const Bridge::Starter& starter,
                  const std::shared_ptr<CallCompletions>& completions) {
    auto& channel = static_cast<Channel&>(call);
    std::uint64_t id = 0;
    switch (completions->request(channel, id)) {
        case CallCompletions::Refusal::no_core_instance:
            return finish(channel, "REQUEST", "NO_CORE_INSTANCE");
        case CallCompletions::Refusal::too_many_requests:
            return finish(channel, "REQUEST", "TOO_MANY_REQUESTS");
        case CallCompletions::Refusal::none: break;
    }
    auto& core = channel.core();
    core.tasks.spawn(CallCompletions::complete(completions, core, starter, id));
    return finish(channel, "REQUEST", {});
}

}  // namespace

void add_completion_applications(dialplan::Applications& applications, Bridge::Starter starter,
                                 std::shared_ptr<CallCompletions> completions) {
    applications.add_quick(
        "CallCompletionRequest", "Be called back when who was busy or did not answer is free",
        [starter = std::move(starter), completions](Call& call, std::string_view) {
            return request(call, starter, completions);
        });
    applications.add_quick("CallCompletionCancel", "Take back what CallCompletionRequest asked for",
                           [completions](Call& call, std::string_view) {
                               auto& channel = static_cast<Channel&>(call);
                               const bool had = completions->cancel(channel);
                               return finish(channel, "CANCEL", had ? "" : "NO_CORE_INSTANCE");
                           });
}

void add_completion_functions(dialplan::Functions& functions) {
    functions.add("CALLCOMPLETION",
                  "How calls of and to this channel may be completed: CALLCOMPLETION(option)", read,
                  write);
}

}  // namespace strowger::pbx
