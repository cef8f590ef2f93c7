#include <fmt/format.h>

#include "base/text.hpp"
#include "pbx/applications.hpp"
#include "pbx/dialplan/arguments.hpp"
#include "pbx/dialplan/builtin.hpp"
#include "pbx/queues.hpp"

namespace strowger::pbx {

namespace {

using dialplan::Args;
using dialplan::Call;
using Value = Result<std::string>;

Queues* queues_of(Call& call) { return static_cast<Channel&>(call).core().queues; }

Result<Queue*> find(Call& call, std::string_view name) {
    auto* const queues = queues_of(call);
    auto* const queue = queues ? queues->find(trim(name)) : nullptr;
    if (!queue) return fail("there is no queue '{}'", name);
    return queue;
}

// Whether it could take a call; while it wraps up after one only when that does not matter.
bool is_free(const Queues& queues, const QueueMember& member) {
    const auto state = queues.state_of(member);
    return !member.paused && (state == DeviceState::not_inuse || state == DeviceState::unknown);
}

Value count(const Queues& queues, const Queue& queue, std::string_view what) {
    std::size_t found = 0;
    for (const auto& member : queue.members()) {
        const auto state = queues.state_of(*member);
        const bool logged = state != DeviceState::unavailable && state != DeviceState::invalid;
        if (what == "count")
            ++found;
        else if (what == "logged")
            found += logged;
        else if (what == "free")
            found += logged && is_free(queues, *member);
        else if (what == "ready")
            found += logged && is_free(queues, *member) && queue.wrapup_left(*member) == Duration{};
        else
            return fail("'{}' is not one of logged, free, ready, count, penalty, paused, ringinuse",
                        what);
    }
    return std::to_string(found);
}

// QUEUE_MEMBER(queue,option[,interface])
Value read_member(Call& call, std::string_view args) {
    const Args arg(args);
    const auto queue = find(call, arg[0]);
    if (!queue) return std::unexpected(queue.error());
    const auto what = to_lower(trim(arg[1]));
    if (what != "penalty" && what != "paused" && what != "ringinuse")
        return count(*queues_of(call), **queue, what);
    const auto member = (*queue)->find(trim(arg[2]));
    if (!member) return fail("'{}' is not in queue '{}'", arg[2], arg[0]);
    if (what == "penalty") return std::to_string(member->penalty);
    return std::string((what == "paused" ? member->paused : member->ring_in_use) ? "1" : "0");
}

Result<> write_member(Call& call, std::string_view args, std::string_view value) {
    const Args arg(args);
    auto* const queues = queues_of(call);
    const auto what = to_lower(trim(arg[1]));
    const auto name = trim(arg[0]);
    const auto interface = trim(arg[2]);
    bool found = false;
    if (what == "penalty") {
        const auto penalty = parse_number<int>(trim(value));
        if (!penalty || *penalty < 0) return fail("'{}' is no penalty", value);
        found = queues && queues->set_penalty(name, interface, *penalty);
    } else if (what == "paused") {
        found = queues && queues->pause(name, interface, is_true(trim(value)), {});
    } else if (what == "ringinuse") {
        found = queues && queues->set_ring_in_use(name, interface, is_true(trim(value)));
    } else {
        return fail("'{}' is not one of penalty, paused, ringinuse", arg[1]);
    }
    if (!found) return fail("'{}' is not in queue '{}'", arg[2], arg[0]);
    return {};
}

Value member_list(Call& call, std::string_view name) {
    const auto queue = find(call, name);
    if (!queue) return std::unexpected(queue.error());
    std::string text;
    for (const auto& member : (*queue)->members())
        (text += text.empty() ? "" : ",") += member->name;
    return text;
}

Value member_penalty(Call& call, std::string_view args) {
    const Args arg(args);
    return read_member(call, fmt::format("{},penalty,{}", arg[0], arg[1]));
}

// QUEUE_GET_CHANNEL(queue[,position])
Value waiting_channel(Call& call, std::string_view args) {
    const Args arg(args);
    const auto queue = find(call, arg[0]);
    if (!queue) return std::unexpected(queue.error());
    const auto position = parse_number<std::size_t>(trim(arg[1])).value_or(1);
    const auto& callers = (*queue)->callers();
    if (position == 0 || position > callers.size()) return std::string();
    return callers[position - 1]->channel;
}

// QUEUE_VARIABLES(queue): sets what is known of it on the channel; 0, or -1 without such a queue.
Value variables(Call& call, std::string_view name) {
    const auto found = find(call, name);
    if (!found) return std::string("-1");
    const auto& queue = **found;
    const auto& statistics = queue.statistics();
    const auto set = [&](std::string_view variable, std::string value) {
        (void)call.variables().set(variable, std::move(value));
    };
    const auto in_seconds = [](Duration duration) {
        return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(duration).count());
    };
    set("QUEUEMAX", std::to_string(queue.settings().maxlen));
    set("QUEUESTRATEGY", std::string(text_of(queue.settings().strategy)));
    set("QUEUECALLS", std::to_string(queue.callers().size()));
    set("QUEUEHOLDTIME", in_seconds(statistics.hold));
    set("QUEUETALKTIME", in_seconds(statistics.talk));
    set("QUEUECOMPLETED", std::to_string(statistics.completed));
    set("QUEUEABANDONED", std::to_string(statistics.abandoned));
    set("QUEUESRVLEVEL", std::to_string(queue.settings().servicelevel));
    set("QUEUESRVLEVELPERF", fmt::format("{:.1f}", queue.service_level()));
    return std::string("0");
}

}  // namespace

void add_queue_functions(dialplan::Functions& functions) {
    functions.add(
        "QUEUE_MEMBER",
        "Members of a queue: QUEUE_MEMBER(queue,logged|free|ready|count), or one of them: "
        "QUEUE_MEMBER(queue,penalty|paused|ringinuse,interface)",
        read_member, write_member);
    functions.add("QUEUE_MEMBER_LIST", "The names of members: QUEUE_MEMBER_LIST(queue)",
                  member_list);
    functions.add(
        "QUEUE_MEMBER_PENALTY", "A member's penalty: QUEUE_MEMBER_PENALTY(queue,interface)",
        member_penalty, [](Call& call, std::string_view args, std::string_view value) -> Result<> {
            const Args arg(args);
            return write_member(call, fmt::format("{},penalty,{}", arg[0], arg[1]), value);
        });
    functions.add("QUEUE_WAITING_COUNT", "How many callers wait: QUEUE_WAITING_COUNT(queue)",
                  [](Call& call, std::string_view name) -> Value {
                      const auto queue = find(call, name);
                      return std::to_string(queue ? (*queue)->callers().size() : 0);
                  });
    functions.add("QUEUE_GET_CHANNEL", "Who waits: QUEUE_GET_CHANNEL(queue[,position])",
                  waiting_channel);
    functions.add("QUEUE_EXISTS", "1 when there is such a queue: QUEUE_EXISTS(queue)",
                  [](Call& call, std::string_view name) -> Value {
                      return std::string(find(call, name) ? "1" : "0");
                  });
    functions.add("QUEUE_VARIABLES",
                  "Sets QUEUEMAX, QUEUECALLS and their like: QUEUE_VARIABLES(queue)", variables);
}

}  // namespace strowger::pbx
