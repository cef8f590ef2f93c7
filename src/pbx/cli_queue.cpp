#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "pbx/cli.hpp"
#include "pbx/exchange.hpp"
#include "pbx/queues.hpp"

namespace strowger::pbx {

namespace {

using Arguments = std::vector<std::string>;

// "NOT_INUSE" as lists show it: "Not in use".
std::string_view shown(DeviceState state) {
    switch (state) {
        case DeviceState::unknown: return "Unknown";
        case DeviceState::not_inuse: return "Not in use";
        case DeviceState::inuse: return "In use";
        case DeviceState::busy: return "Busy";
        case DeviceState::invalid: return "Invalid";
        case DeviceState::unavailable: return "Unavailable";
        case DeviceState::ringing: return "Ringing";
        case DeviceState::ringinuse: return "Ring+Inuse";
        case DeviceState::onhold: return "On Hold";
    }
    return "Unknown";
}

std::string clock_text(Duration duration) {
    const auto whole = std::chrono::duration_cast<std::chrono::seconds>(duration).count();
    return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

std::string show_member(const Queues& queues, const Queue& queue, const QueueMember& member,
                        Time now) {
    std::string text = fmt::format("      {}", member.name);
    if (member.name != member.interface) text += fmt::format(" ({})", member.interface);
    if (member.state_interface != member.interface)
        text += fmt::format(" (from {})", member.state_interface);
    if (member.penalty > 0) text += fmt::format(" with penalty {}", member.penalty);
    text += fmt::format(" (ringinuse {})", member.ring_in_use ? "enabled" : "disabled");
    if (member.dynamic) text += " (dynamic)";
    if (member.paused)
        text += fmt::format(" (paused{}{})", member.pause_reason.empty() ? "" : ":",
                            member.pause_reason);
    if (member.in_call) text += " (in call)";
    text += fmt::format(" ({})", shown(queues.state_of(member)));
    if (queue.wrapup_left(member) > Duration{}) text += " (wrapup)";
    if (member.last_call)
        text += fmt::format(" has taken {} calls (last was {:.0f} secs ago)", member.calls,
                            seconds(now - *member.last_call));
    else
        text += " has taken no calls yet";
    return text + "\n";
}

std::string show_queue(const Queues& queues, const Queue& queue, Time now) {
    const auto& settings = queue.settings();
    const auto& statistics = queue.statistics();
    std::string text = fmt::format(
        "{} has {} calls (max {}) in '{}' strategy ({:.0f}s holdtime, {:.0f}s talktime), W:{}, "
        "C:{}, A:{}, SL:{:.1f}% within {}s\n   Members:\n",
        queue.name(), queue.callers().size(),
        settings.maxlen ? std::to_string(settings.maxlen) : "unlimited", text_of(settings.strategy),
        seconds(statistics.hold), seconds(statistics.talk), settings.weight, statistics.completed,
        statistics.abandoned, queue.service_level(), settings.servicelevel);
    for (const auto& member : queue.members()) text += show_member(queues, queue, *member, now);
    if (queue.members().empty()) text += "      No Members\n";
    text += queue.callers().empty() ? "   No Callers\n" : "   Callers:\n";
    for (std::size_t i = 0; i < queue.callers().size(); ++i)
        text +=
            fmt::format("      {}. {} (wait: {}, prio: {})\n", i + 1, queue.callers()[i]->channel,
                        clock_text(now - queue.callers()[i]->joined), queue.callers()[i]->priority);
    return text + "\n";
}

// "INTERFACE to QUEUE penalty 2": what follows a word, or nothing.
std::string after(const Arguments& arguments, std::string_view word) {
    const auto found = std::find_if(arguments.begin(), arguments.end(),
                                    [&](const auto& a) { return iequals(a, word); });
    return found == arguments.end() || found + 1 == arguments.end() ? std::string() : *(found + 1);
}

Result<std::string> add_member(Exchange& exchange, const Arguments& arguments) {
    if (arguments.size() < 3 || !iequals(arguments[1], "to"))
        return fail(
            "queue add member INTERFACE to QUEUE [penalty N] [as NAME] [state_interface DEVICE]\n");
    QueueMember member;
    member.interface = arguments[0];
    member.penalty = std::max(parse_number<int>(after(arguments, "penalty")).value_or(0), 0);
    member.name = after(arguments, "as");
    member.state_interface = after(arguments, "state_interface");
    auto& queues = *exchange.core().queues;
    switch (queues.add(arguments[2], std::move(member))) {
        case Queues::Added::added:
            queues.log({}, arguments[2], arguments[0], "ADDMEMBER", {""});
            return fmt::format("Added interface '{}' to queue '{}'\n", arguments[0], arguments[2]);
        case Queues::Added::already_member:
            return fail("'{}' is in queue '{}' already\n", arguments[0], arguments[2]);
        case Queues::Added::no_queue: break;
    }
    return fail("there is no queue '{}'\n", arguments[2]);
}

Result<std::string> remove_member(Exchange& exchange, const Arguments& arguments) {
    if (arguments.size() < 3 || !iequals(arguments[1], "from"))
        return fail("queue remove member INTERFACE from QUEUE\n");
    auto& queues = *exchange.core().queues;
    switch (queues.remove(arguments[2], arguments[0])) {
        case Queues::Removed::removed:
            queues.log({}, arguments[2], arguments[0], "REMOVEMEMBER");
            return fmt::format("Removed interface '{}' from queue '{}'\n", arguments[0],
                               arguments[2]);
        case Queues::Removed::not_in_queue:
            return fail("'{}' is not in queue '{}'\n", arguments[0], arguments[2]);
        case Queues::Removed::not_dynamic:
            return fail("'{}' is a member by queues.conf\n", arguments[0]);
        case Queues::Removed::no_queue: break;
    }
    return fail("there is no queue '{}'\n", arguments[2]);
}

Result<std::string> pause(Exchange& exchange, const Arguments& arguments, bool paused) {
    if (arguments.empty())
        return fail("queue {} member INTERFACE [queue QUEUE] [reason REASON]\n",
                    paused ? "pause" : "unpause");
    if (!exchange.core().queues->pause(after(arguments, "queue"), arguments[0], paused,
                                       after(arguments, "reason")))
        return fail("'{}' is not in {}\n", arguments[0],
                    after(arguments, "queue").empty() ? "any queue" : "that queue");
    return fmt::format("{}paused interface '{}'\n", paused ? "" : "un", arguments[0]);
}

Result<std::string> set_penalty(Exchange& exchange, const Arguments& arguments) {
    const auto penalty = arguments.empty() ? std::nullopt : parse_number<int>(arguments.front());
    const auto interface = after(arguments, "on");
    if (!penalty || *penalty < 0 || interface.empty())
        return fail("queue set penalty N on INTERFACE [in QUEUE]\n");
    if (!exchange.core().queues->set_penalty(after(arguments, "in"), interface, *penalty))
        return fail("'{}' is not a member\n", interface);
    return fmt::format("Set penalty on interface '{}'\n", interface);
}

Result<std::string> set_ring_in_use(Exchange& exchange, const Arguments& arguments) {
    const auto interface = after(arguments, "on");
    if (arguments.empty() || interface.empty())
        return fail("queue set ringinuse yes|no on INTERFACE [in QUEUE]\n");
    if (!exchange.core().queues->set_ring_in_use(after(arguments, "in"), interface,
                                                 is_true(arguments.front())))
        return fail("'{}' is not a member\n", interface);
    return fmt::format("Set ringinuse on interface '{}'\n", interface);
}

Result<std::string> show(Exchange& exchange, const Arguments& arguments) {
    const auto& queues = *exchange.core().queues;
    const auto now = exchange.core().now();
    if (!arguments.empty()) {
        const auto* queue = queues.find(arguments.front());
        return queue ? Result<std::string>(show_queue(queues, *queue, now))
                     : fail("there is no queue '{}'\n", arguments.front());
    }
    std::string text;
    for (const auto* queue : queues.all()) text += show_queue(queues, *queue, now);
    return text.empty() ? std::string("No queues.\n") : text;
}

Result<std::string> show_rules(Exchange& exchange, const Arguments&) {
    std::string text;
    const auto limit = [](const std::optional<config::QueueRule::Limit>& one) {
        if (!one) return std::string("-");
        return fmt::format("{}{}", one->relative && one->value >= 0 ? "+" : "", one->value);
    };
    for (const auto& rule : exchange.core().config->queue_rules) {
        text += fmt::format("Rule: {}\n", rule.name);
        for (const auto& change : rule.changes)
            text +=
                fmt::format("  after {} seconds: maximum {}, minimum {}, raise {}\n", change.after,
                            limit(change.max), limit(change.min), limit(change.raise));
    }
    return text.empty() ? std::string("No rules.\n") : text;
}

Result<std::string> reset_statistics(Exchange& exchange, const Arguments& arguments) {
    bool found = false;
    for (auto* queue : exchange.core().queues->all()) {
        if (!arguments.empty() && !iequals(arguments.front(), queue->name())) continue;
        queue->reset_statistics();
        found = true;
    }
    if (!found) return fail("there is no such queue\n");
    return std::string("Statistics reset\n");
}

}  // namespace

void add_queue_commands(Cli& cli, Exchange& exchange) {
    const auto add = [&](const char* words, const char* usage, const char* summary, auto run) {
        cli.add(
            {words, usage, summary, [run, &exchange](const Arguments& a) -> Result<std::string> {
                 return run(exchange, a);
             }});
    };
    add("queue show", "[QUEUE]", "Call queues, their members and callers", show);
    add("queue show rules", "", "Rules of queuerules.conf", show_rules);
    add("queue add member", "INTERFACE to QUEUE [penalty N] [as NAME] [state_interface DEVICE]",
        "Add a member to a queue", add_member);
    add("queue remove member", "INTERFACE from QUEUE", "Take an added member out of a queue",
        remove_member);
    add("queue pause member", "INTERFACE [queue QUEUE] [reason REASON]", "No calls for a member",
        [](Exchange& e, const Arguments& a) { return pause(e, a, true); });
    add("queue unpause member", "INTERFACE [queue QUEUE] [reason REASON]",
        "Calls for a member again",
        [](Exchange& e, const Arguments& a) { return pause(e, a, false); });
    add("queue set penalty", "N on INTERFACE [in QUEUE]", "Which members are rung first",
        set_penalty);
    add("queue set ringinuse", "yes|no on INTERFACE [in QUEUE]",
        "Whether a member is rung during a call", set_ring_in_use);
    add("queue reset stats", "[QUEUE]", "Begin to count anew", reset_statistics);
    add("queue reload", "", "Load the configuration anew",
        [](Exchange& e, const Arguments&) -> Result<std::string> {
            if (auto done = e.reload(); !done) return std::unexpected(done.error());
            return std::string("Configuration reloaded\n");
        });
}

}  // namespace strowger::pbx
