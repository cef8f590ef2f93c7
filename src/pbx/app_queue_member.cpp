#include <fmt/format.h>

#include "base/text.hpp"
#include "pbx/applications.hpp"
#include "pbx/dialplan/arguments.hpp"
#include "pbx/option_letters.hpp"
#include "pbx/prompt.hpp"
#include "pbx/queues.hpp"

namespace strowger::pbx {

namespace {

using dialplan::AppResult;
using dialplan::Call;

struct Asked {
    Asked(Call& call, std::string_view args)
        : channel(static_cast<Channel&>(call)),
          queues(channel.core().queues),
          arguments(dialplan::split_arguments(args)) {}

    std::string text(std::size_t index) const {
        return std::string(trim(argument(arguments, index)));
    }
    // The second argument, or the device of the channel: "PJSIP/alice".
    std::string interface() const {
        auto given = text(1);
        return given.empty() ? channel.name().substr(0, channel.name().rfind('-')) : given;
    }
    AppResult answer(std::string_view variable, std::string_view status) const {
        (void)channel.variables().set(variable, std::string(status));
        return AppResult::proceed;
    }

    Channel& channel;
    Queues* queues;
    std::vector<std::string> arguments;
};

// AddQueueMember(queue[,interface[,penalty[,options[,name[,state interface[,wrapuptime]]]]]]):
// options p paused, r(reason).
AppResult add_member(Call& call, std::string_view args) {
    const Asked asked(call, args);
    if (!asked.queues) return asked.answer("AQMSTATUS", "NOSUCHQUEUE");
    const OptionLetters options(asked.text(3));
    QueueMember member;
    member.interface = asked.interface();
    if (const auto penalty = asked.text(2); !penalty.empty()) {
        const auto number = parse_number<int>(penalty);
        if (!number || *number < 0)
            asked.channel.report(log::Level::warning,
                                 fmt::format("AddQueueMember: '{}' is no penalty", penalty));
        member.penalty = std::max(number.value_or(0), 0);
    }
    member.paused = options.has('p');
    member.pause_reason = options.argument('r').value_or("");
    member.name = asked.text(4);
    member.state_interface = asked.text(5);
    member.wrapuptime = parse_number<unsigned>(asked.text(6));
    const auto name = member.name.empty() ? member.interface : member.name;
    const auto& general = asked.channel.core().config->queue_general;
    const auto shown = general.log_membername_as_agent ? name : member.interface;
    const bool paused = member.paused;
    switch (asked.queues->add(asked.text(0), std::move(member))) {
        case Queues::Added::added:
            asked.queues->log(asked.channel.uniqueid(), asked.text(0), shown, "ADDMEMBER",
                              {paused ? "PAUSED" : ""});
            return asked.answer("AQMSTATUS", "ADDED");
        case Queues::Added::already_member: return asked.answer("AQMSTATUS", "MEMBERALREADY");
        case Queues::Added::no_queue: break;
    }
    return asked.answer("AQMSTATUS", "NOSUCHQUEUE");
}

AppResult remove_member(Call& call, std::string_view args) {
    const Asked asked(call, args);
    if (!asked.queues) return asked.answer("RQMSTATUS", "NOSUCHQUEUE");
    const auto interface = asked.interface();
    const auto* const queue = asked.queues->find(asked.text(0));
    const auto member = queue ? queue->find(interface) : nullptr;
    const bool by_name = asked.channel.core().config->queue_general.log_membername_as_agent;
    const auto shown = member && by_name ? member->name : interface;
    switch (asked.queues->remove(asked.text(0), interface)) {
        case Queues::Removed::removed:
            asked.queues->log(asked.channel.uniqueid(), asked.text(0), shown, "REMOVEMEMBER");
            return asked.answer("RQMSTATUS", "REMOVED");
        case Queues::Removed::not_in_queue: return asked.answer("RQMSTATUS", "NOTINQUEUE");
        case Queues::Removed::not_dynamic: return asked.answer("RQMSTATUS", "NOTDYNAMIC");
        case Queues::Removed::no_queue: break;
    }
    return asked.answer("RQMSTATUS", "NOSUCHQUEUE");
}

// PauseQueueMember([queue],interface[,options[,reason]])
AppResult pause(Call& call, std::string_view args, bool paused) {
    const Asked asked(call, args);
    const auto* const variable = paused ? "PQMSTATUS" : "UPQMSTATUS";
    const bool done = asked.queues && !asked.text(1).empty() &&
                      asked.queues->pause(asked.text(0), asked.text(1), paused, asked.text(3));
    if (!done) return asked.answer(variable, "NOTFOUND");
    return asked.answer(variable, paused ? "PAUSED" : "UNPAUSED");
}

// QueueLog(queue,uniqueid,agent,event[,info])
AppResult queue_log(Call& call, std::string_view args) {
    const Asked asked(call, args);
    if (asked.text(0).empty() || asked.text(3).empty()) {
        asked.channel.report(log::Level::warning, "QueueLog needs queue,uniqueid,agent,event");
        return AppResult::proceed;
    }
    if (asked.queues)
        asked.queues->log(asked.text(1), asked.text(0), asked.text(2), asked.text(3),
                          {asked.text(4)});
    return AppResult::proceed;
}

// QueueUpdate(queue,uniqueid,agent,status,talk time[,params]): counts a call that the queue did not
// make itself.
AppResult queue_update(Call& call, std::string_view args) {
    const Asked asked(call, args);
    auto* const queue = asked.queues ? asked.queues->find(asked.text(0)) : nullptr;
    if (!queue || asked.text(2).empty() || asked.text(3).empty())
        return asked.answer("QUSTATUS", "ERROR");
    const auto member = queue->find(asked.text(2));
    const auto talked = parse_number<unsigned>(asked.text(4)).value_or(0);
    asked.queues->log(asked.text(1), queue->name(), asked.text(2), "OUTCALL",
                      {asked.text(3), std::to_string(talked), asked.text(5)});
    if (member && iequals(asked.text(3), "ANSWER")) {
        asked.queues->call_ended(*queue, *member);
        queue->completed_after(std::chrono::seconds{talked});
    }
    return asked.answer("QUSTATUS", "SUCCESS");
}

}  // namespace

void add_queue_member_applications(dialplan::Applications& applications) {
    applications.add_quick("AddQueueMember",
                           "Add a member: AddQueueMember(queue[,interface[,penalty[,options[,name[,"
                           "state interface[,wrapuptime]]]]]])",
                           add_member);
    applications.add_quick("RemoveQueueMember",
                           "Take a member out: RemoveQueueMember(queue[,interface])",
                           remove_member);
    applications.add_quick(
        "PauseQueueMember",
        "No calls for a member: PauseQueueMember([queue],interface[,options[,reason]])",
        [](Call& call, std::string_view args) { return pause(call, args, true); });
    applications.add_quick(
        "UnpauseQueueMember",
        "Calls for a member again: UnpauseQueueMember([queue],interface[,options[,reason]])",
        [](Call& call, std::string_view args) { return pause(call, args, false); });
    applications.add_quick("QueueLog",
                           "Write to the queue log: QueueLog(queue,uniqueid,agent,event[,info])",
                           queue_log);
    applications.add_quick(
        "QueueUpdate",
        "Count a call made elsewhere: QueueUpdate(queue,uniqueid,agent,status,talk time[,params])",
        queue_update);
}

}  // namespace strowger::pbx
