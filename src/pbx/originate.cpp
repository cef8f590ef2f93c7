#include "pbx/originate.hpp"

#include <fmt/format.h>

#include "base/text.hpp"
#include "pbx/dialplan/applications.hpp"
#include "pbx/dialplan/arguments.hpp"
#include "pbx/dialplan/machine.hpp"
#include "pbx/event_queue.hpp"
#include "pbx/local_channel.hpp"
#include "pbx/option_letters.hpp"
#include "pbx/prompt.hpp"

namespace strowger::pbx {

namespace {

using dialplan::AppResult;

std::string_view status_of(Cause cause) {
    switch (cause) {
        case Cause::user_busy: return "BUSY";
        case Cause::normal_circuit_congestion:
        case Cause::switch_congestion:
        case Cause::network_out_of_order:
        case Cause::requested_channel_unavailable: return "CONGESTION";
        default: return "HANGUP";
    }
}

}  // namespace

// Where nobody is joined in time, a dialplan runs at the other end, and nothing is lost.
Task<> until_heard(Channel& leg) {
    static constexpr Duration longest = std::chrono::milliseconds{500};
    static constexpr Duration step = std::chrono::milliseconds{10};
    const Time until = leg.core().now() + longest;
    while (leg.media_follows() && !leg.party() && leg.core().now() < until)
        if (!co_await leg.wait(step)) co_return;
}

Task<Originated> originate(Core& core, Bridge::Starter starter, Origination wanted) {
    Originated outcome;
    const std::string name = wanted.target.technology + '/' + wanted.target.resource;
    auto made = co_await OutgoingLeg::make(core, std::move(wanted.target), {});
    if (!made) {
        outcome.error = made.error().text();
        outcome.cause = Cause::subscriber_absent;
        co_return outcome;
    }
    const auto leg = made->channel();
    if (!wanted.caller.number.empty() || !wanted.caller.name.empty())
        leg->caller = leg->connected = wanted.caller;
    else if (const auto endpoint = leg->endpoint())
        leg->caller = {endpoint->callerid.number, endpoint->callerid.name};
    if (!wanted.accountcode.empty()) leg->accountcode = wanted.accountcode;
    leg->set_position(wanted.position);
    // Both halves of a Local pair know the variables.
    std::vector<ChannelPtr> halves{leg};
    if (const auto* local = dynamic_cast<const LocalChannel*>(leg.get()))
        halves.push_back(local->other());
    for (const auto& [variable, value] : wanted.variables)
        for (const auto& half : halves)
            if (const auto set = half->assign(variable, value); !set)
                LOG_WARNING(leg->about(), "Originate: {}", set.error().text());
    EventQueue queue(core.loop);
    leg->listen(&queue);
    core.events.publish(events::DialChanged{false, {}, leg->name(), name, {}});
    const auto dialled = co_await made->dial(starter, {});
    if (!dialled) {
        leg->listen(nullptr);
        outcome.error = dialled.error().text();
        outcome.cause = Cause::subscriber_absent;
        co_return outcome;
    }
    const Time until = core.now() + wanted.timeout;
    for (;;) {
        const auto item = co_await queue.next(until);
        if (!item) {
            outcome.status = "RINGING";
            outcome.cause = Cause::no_answer;
            leg->listen(nullptr);
            leg->hangup(Cause::no_answer);
            break;
        }
        if (const auto* gone = std::get_if<channel::HungUp>(&item->event)) {
            outcome.cause = gone->cause;
            outcome.status = status_of(gone->cause);
            leg->listen(nullptr);
            break;
        }
        if (!std::holds_alternative<channel::Answered>(item->event)) continue;
        leg->listen(nullptr);
        outcome.status = "SUCCESS";
        outcome.channel = leg;
        break;
    }
    core.events.publish(events::DialChanged{
        true, {}, leg->name(), {}, outcome.channel ? "ANSWER" : outcome.status});
    if (!outcome.channel) co_return outcome;
    co_await until_heard(*leg);
    if (leg->hung_up()) co_return outcome;
    if (wanted.application.name.empty())
        starter(leg, std::move(wanted.position));
    else
        core.tasks.spawn(run_call(leg, std::move(wanted.application)));
    core.signalling.touch();
    co_return outcome;
}

namespace {

// Options c and n: number and name that the phone shows; v(x=1^y=2): variables.
void take_options(Origination& wanted, const OptionLetters& options) {
    if (const auto number = options.argument('c')) wanted.caller.number = *number;
    if (const auto name = options.argument('n')) wanted.caller.name = *name;
    if (const auto variables = options.argument('v'))
        for (const auto one : split(*variables, '^')) {
            const auto [name, value] = split_once(one, '=');
            if (!trim(name).empty()) wanted.variables.emplace_back(trim(name), value);
        }
}

// Originate(tech/dest,app|exten,application or context[,arguments or exten[,priority[,seconds[,
// options]]]]): option a does not wait for the answer.
Task<AppResult> originate_application(dialplan::Call& call, std::string_view args,
                                      Bridge::Starter starter) {
    auto& channel = static_cast<Channel&>(call);
    const auto arguments = dialplan::split_arguments(args);
    const auto at = [&](std::size_t i) { return std::string(trim(argument(arguments, i))); };
    const auto finish = [&](std::string status) {
        (void)call.variables().set("ORIGINATE_STATUS", std::move(status));
        return channel.hung_up() ? AppResult::hangup : AppResult::proceed;
    };
    const auto targets = DialTarget::parse_list(at(0));
    const auto kind = at(1);
    const bool is_application = iequals(kind, "app");
    if (targets.size() != 1 || at(2).empty() || (!is_application && !iequals(kind, "exten"))) {
        channel.report(log::Level::warning,
                       "Originate needs a destination, app or exten, and what to run");
        co_return finish("FAILED");
    }
    Origination wanted;
    wanted.target = targets.front();
    if (is_application)
        wanted.application = {at(2), at(3)};
    else
        wanted.position = {at(2), at(3).empty() ? "s" : at(3),
                           parse_number<int>(at(4)).value_or(1)};
    wanted.timeout = parse_seconds(at(5)).value_or(wanted.timeout);
    const OptionLetters options(argument(arguments, 6));
    take_options(wanted, options);
    auto& core = channel.core();
    if (options.has('a')) {
        core.tasks.spawn([](Core& shard, Bridge::Starter begin, Origination request) -> Task<> {
            (void)co_await originate(shard, std::move(begin), std::move(request));
        }(core, std::move(starter), std::move(wanted)));
        co_return finish("SUCCESS");
    }
    const auto outcome = co_await originate(core, std::move(starter), std::move(wanted));
    if (!outcome.error.empty())
        channel.report(log::Level::notice, fmt::format("Originate: {}", outcome.error));
    co_return finish(outcome.status);
}

}  // namespace

void add_originate_application(dialplan::Applications& applications, Bridge::Starter starter) {
    applications.add(
        "Originate",
        "Call somebody: Originate(tech/dest,app|exten,application|context[,arguments|exten[,"
        "priority[,seconds[,options]]]])",
        [starter = std::move(starter)](dialplan::Call& call, std::string_view args) {
            return originate_application(call, args, starter);
        });
}

}  // namespace strowger::pbx
