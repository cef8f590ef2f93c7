// Subroutines, and applications that run applications.

#include "pbx/dialplan/arguments.hpp"
#include "pbx/dialplan/control.hpp"
#include "pbx/dialplan/expression.hpp"
#include "pbx/dialplan/functions.hpp"
#include "pbx/dialplan/machine.hpp"
#include "pbx/dialplan/substitution.hpp"

namespace strowger::dialplan {

bool push_subroutine(Call& call, std::string_view target, const Position& return_to) {
    target = trim(target);
    const auto open = target.find('(');
    std::string_view arguments;
    if (open != std::string_view::npos) {
        arguments = target.substr(open + 1);
        if (const auto close = arguments.rfind(')'); close != std::string_view::npos)
            arguments = arguments.substr(0, close);
    }
    auto position = Machine::resolve(call, target.substr(0, open));
    if (!position) {
        call.report(log::Level::error, position.error().within("Gosub").text());
        return false;
    }
    Variables::Frame frame{return_to, *position, {}};
    const auto parts = split_raw(arguments);
    for (std::size_t i = 0; i < parts.size(); ++i)
        frame.locals.emplace(fmt::format("ARG{}", i + 1), parts[i]);
    // What an outer call passed and this one does not must not show through.
    for (auto i = parts.size() + 1; i <= max_arguments; ++i) {
        const auto name = fmt::format("ARG{}", i);
        if (!call.variables().get(name)) break;
        frame.locals.emplace(name, "");
    }
    frame.locals.emplace("ARGC", std::to_string(parts.size()));
    if (auto pushed = call.variables().push_frame(std::move(frame)); !pushed) {
        call.report(log::Level::error, pushed.error().within("Gosub").text());
        return false;
    }
    call.jump(std::move(*position));
    return true;
}

namespace {

AppResult gosub_to(Call& call, std::string_view target) {
    auto back = call.position();
    ++back.priority;
    return push_subroutine(call, target, back) ? AppResult::proceed : AppResult::hangup;
}

AppResult gosub_if(Call& call, std::string_view args) {
    const auto mark = find_outside(args, '?');
    if (mark == std::string_view::npos) {
        call.report(log::Level::warning,
                    fmt::format("GosubIf wants condition?a:b, got '{}'", args));
        return AppResult::proceed;
    }
    const auto sides = args.substr(mark + 1);
    const auto colon = find_outside(sides, ':');
    const bool yes = is_true_condition(args.substr(0, mark));
    const auto target = trim(yes                               ? sides.substr(0, colon)
                             : colon == std::string_view::npos ? std::string_view{}
                                                               : sides.substr(colon + 1));
    return target.empty() ? AppResult::proceed : gosub_to(call, target);
}

AppResult return_from(Call& call, std::string_view value) {
    auto frame = call.variables().pop_frame();
    if (!frame) {
        call.report(log::Level::error, "Return without a Gosub");
        return AppResult::hangup;
    }
    (void)call.variables().set("GOSUB_RETVAL", std::string(value));
    call.jump(std::move(frame->return_to));
    return AppResult::proceed;
}

AppResult stack_pop(Call& call, std::string_view) {
    if (!call.variables().pop_frame()) call.report(log::Level::warning, "StackPop without a Gosub");
    return AppResult::proceed;
}

// "App(args)" with the arguments substituted once more: that is what Exec is for.
Task<AppResult> run_invocation(Call& call, std::string_view text) {
    const auto [name, arguments] = split_invocation(text);
    if (name.empty()) co_return AppResult::proceed;
    std::string evaluated(arguments);
    if (call.environment().functions.may_wait(evaluated))
        evaluated = co_await substitute_waiting(call, std::move(evaluated));
    else
        evaluated = substitute(call, evaluated);
    co_return co_await Machine::execute(call, std::string(name), std::move(evaluated));
}

Task<AppResult> run_plain(Call& call, std::string_view text) {
    const auto [name, arguments] = split_invocation(text);
    if (name.empty()) co_return AppResult::proceed;
    co_return co_await Machine::execute(call, std::string(name), std::string(arguments));
}

Task<AppResult> try_exec(Call& call, std::string_view args) {
    const auto name = split_invocation(args).name;
    std::string status = "NOAPP";
    if (call.environment().applications.find(name)) {
        const auto result = co_await run_invocation(call, args);
        status = result == AppResult::proceed ? "SUCCESS" : "FAILED";
    }
    (void)call.variables().set("TRYSTATUS", status);
    co_return AppResult::proceed;
}

// ExecIf(condition?App(args)[:App(args)])
Task<AppResult> exec_if(Call& call, std::string_view args) {
    const auto mark = find_outside(args, '?');
    if (mark == std::string_view::npos) {
        call.report(log::Level::warning,
                    fmt::format("ExecIf wants condition?App(args), got '{}'", args));
        co_return AppResult::proceed;
    }
    const auto sides = args.substr(mark + 1);
    const auto colon = find_outside(sides, ':');
    if (is_true_condition(args.substr(0, mark)))
        co_return co_await run_plain(call, sides.substr(0, colon));
    if (colon != std::string_view::npos)
        co_return co_await run_plain(call, sides.substr(colon + 1));
    co_return AppResult::proceed;
}

Task<AppResult> exec_if_time(Call& call, std::string_view args) {
    const auto [times, rest] = split_once(args, '?');
    const auto spec = TimeSpec::parse(times);
    if (!spec) {
        call.report(log::Level::warning, spec.error().within("ExecIfTime").text());
        co_return AppResult::proceed;
    }
    if (!spec->contains(call.now(), call.time_zone())) co_return AppResult::proceed;
    co_return co_await run_plain(call, rest);
}

}  // namespace

void add_routine_applications(Applications& a) {
    a.add_quick("Gosub", "calls a subroutine", gosub_to);
    a.add_quick("GosubIf", "calls one of two subroutines", gosub_if);
    a.add_quick("Return", "back from a subroutine", return_from);
    a.add_quick("StackPop", "forgets where to return to", stack_pop);
    a.add("Exec", "runs an application named by a variable", run_invocation);
    a.add("TryExec", "runs an application whatever comes of it", try_exec);
    a.add("ExecIf", "runs an application if", exec_if);
    a.add("ExecIfTime", "runs an application at certain times", exec_if_time);
}

}  // namespace strowger::dialplan
