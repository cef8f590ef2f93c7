#include "pbx/dialplan/machine.hpp"

#include "pbx/dialplan/arguments.hpp"
#include "pbx/dialplan/control.hpp"
#include "pbx/dialplan/functions.hpp"
#include "pbx/dialplan/substitution.hpp"

namespace strowger::dialplan {

Task<AppResult> Machine::dispatch(Call& call, const Applications::Entry& application,
                                  std::string_view arguments) {
    if (const auto* quick = std::get_if<QuickApplication>(&application.run))
        co_return (*quick)(call, arguments);
    co_return co_await std::get<Application>(application.run)(call, arguments);
}

Task<AppResult> Machine::execute(Call& call, std::string name, std::string arguments) {
    const auto& applications = call.environment().applications;
    const auto* application = applications.find(name);
    if (!application) {
        const auto near = nearest(name, applications.names());
        call.report(log::Level::warning,
                    fmt::format("there is no application '{}'{}", name,
                                near ? fmt::format(" (did you mean '{}'?)", *near) : ""));
        co_return AppResult::hangup;
    }
    const Call::Nested nested(call);
    if (!nested) {
        call.report(log::Level::error,
                    fmt::format("{}: applications call each other too deep", name));
        co_return AppResult::hangup;
    }
    co_return co_await dispatch(call, *application, arguments);
}

// More steps than any dialplan with a caller in it takes; a loop that never waits would otherwise
// keep a processor for ever.
bool Machine::is_runaway(Call& call) {
    const auto now = call.now();
    if (call.steps_in_window_ == 0 || now - call.window_start_ > runaway_window ||
        now < call.window_start_) {
        call.window_start_ = now;
        call.steps_in_window_ = 0;
    }
    return ++call.steps_in_window_ > runaway_steps;
}

bool Machine::go_to_special(Call& call, std::string_view exten) {
    const auto& context = call.position_.context;
    if (!call.dialplan()->exists(context, exten, call.query())) return false;
    call.jump({context, std::string(exten), 1});
    return true;
}

bool Machine::take_interrupt(Call& call) {
    switch (std::exchange(call.interrupt_, Call::Interrupt::none)) {
        case Call::Interrupt::none: break;
        case Call::Interrupt::redirect: call.jump(std::move(call.redirected_)); return true;
        case Call::Interrupt::absolute_timeout:
            if (go_to_special(call, "T")) return true;
            call.exception_reason_ = "ABSOLUTETIMEOUT";
            call.exception_at_ = call.position_;
            return go_to_special(call, "e");
        case Call::Interrupt::exception: return go_to_special(call, "e");
    }
    return false;
}

AppResult Machine::dialled(Call& call, std::string_view context, std::string_view digits) {
    if (call.dialplan()->exists(context, digits, call.query())) {
        call.jump({std::string(context), std::string(digits), 1});
        return AppResult::proceed;
    }
    return invalid(call, context, digits);
}

AppResult Machine::invalid(Call& call, std::string_view context, std::string_view digits) {
    (void)call.variables().set("INVALID_EXTEN", std::string(digits));
    call.exception_reason_ = "INVALIDEXTEN";
    call.exception_at_ = call.position_;
    call.position_.context = context;
    if (go_to_special(call, "i") || go_to_special(call, "e")) return AppResult::proceed;
    call.report(log::Level::warning,
                fmt::format("'{}' does not exist in '{}' and there is no 'i'", digits, context));
    return AppResult::hangup;
}

AppResult Machine::timed_out(Call& call, std::string_view context) {
    call.exception_reason_ = "RESPONSETIMEOUT";
    call.exception_at_ = call.position_;
    call.position_.context = context;
    if (go_to_special(call, "t") || go_to_special(call, "e")) return AppResult::proceed;
    return AppResult::hangup;
}

Result<Position> Machine::resolve(Call& call, std::string_view destination) {
    auto parts = split_raw(destination);
    if (parts.empty() || parts.size() > 3)
        return fail("'{}' is not [[context,]exten,]priority", destination);
    Position position = call.position_;
    if (parts.size() == 3 && !trim(parts[0]).empty()) position.context = trim(parts[0]);
    if (parts.size() >= 2 && !trim(parts[parts.size() - 2]).empty())
        position.exten = trim(parts[parts.size() - 2]);
    auto priority = trim(parts.back());
    if (priority.empty()) return fail("'{}' names no priority", destination);
    const bool forward = priority.starts_with('+');
    const bool back = priority.starts_with('-');
    const auto number = parse_number<int>(forward || back ? priority.substr(1) : priority);
    static constexpr int highest = 1'000'000;
    if (number && *number >= 0 && *number <= highest) {
        position.priority = forward ? call.position_.priority + *number
                            : back  ? call.position_.priority - *number
                                    : *number;
        return position;
    }
    const auto plan = call.dialplan();
    const auto found = plan->find_label(position.context, position.exten, priority, call.query());
    if (!found)
        return fail("there is no label '{}' in {}@{}", priority, position.exten, position.context);
    position.priority = found->step->priority;
    return position;
}

Task<End> Machine::out_of_priorities(Call& call, const Dialplan& plan) {
    if (!plan.autofallthrough() && call.environment().applications.find("WaitExten")) {
        // The old way: wait for the caller to dial on.
        const auto result = co_await execute(call, "WaitExten", "");
        if (result == AppResult::proceed && call.jumped_) co_return End::hung_up;
    }
    const auto status = call.variable("DIALSTATUS").value_or("");
    if (status == "BUSY") co_return End::busy;
    if (status == "CONGESTION") co_return End::congestion;
    co_return End::ran_out;
}

// Runs until the call has fewer than `least_frames` subroutine frames, or ends.
Task<End> Machine::loop(Call& call, std::size_t least_frames, bool after_hangup) {
    for (;;) {
        if (!after_hangup && call.hung_up()) co_return End::hung_up;
        if (call.variables_.frames().size() < least_frames) co_return End::ran_out;
        if (++call.steps_since_turn_ >= steps_per_turn) {
            call.steps_since_turn_ = 0;
            co_await call.yield();
        }
        if (is_runaway(call)) {
            call.report(log::Level::error,
                        fmt::format("{} priorities within {} s: the dialplan loops without waiting",
                                    runaway_steps, seconds(runaway_window)));
            co_return End::runaway;
        }
        const auto plan = call.dialplan();
        const auto found = plan->find(call.position_.context, call.position_.exten,
                                      call.position_.priority, call.query());
        if (!found) {
            if (call.jumped_ || call.position_.priority <= 1) {
                if (after_hangup || call.position_.exten == "i") co_return End::invalid;
                const auto missing = call.position_;
                if (invalid(call, missing.context, missing.exten) == AppResult::hangup ||
                    call.position_ == missing)
                    co_return End::invalid;
                continue;
            }
            const auto end = co_await out_of_priorities(call, *plan);
            if (call.jumped_ && end == End::hung_up && !call.hung_up()) continue;
            co_return end;
        }
        call.jumped_ = false;
        std::string arguments;
        if (call.environment().functions.may_wait(found->step->arguments))
            arguments = co_await substitute_waiting(call, found->step->arguments);
        else
            arguments = substitute(call, found->step->arguments);
        call.stepping(*found->step, arguments);
        const auto* application = call.environment().applications.find(found->step->application);
        AppResult result;
        if (!application)
            result = co_await execute(call, found->step->application, arguments);
        else if (const auto* quick = std::get_if<QuickApplication>(&application->run))
            result = (*quick)(call, arguments);
        else
            result = co_await std::get<Application>(application->run)(call, arguments);
        if (!after_hangup && call.interrupt_ != Call::Interrupt::none && !call.hung_up()) {
            if (take_interrupt(call)) continue;
            co_return End::hung_up;
        }
        if (result == AppResult::hangup) co_return End::hung_up;
        if (!call.jumped_) call.position_.priority = found->step->priority + 1;
    }
}

Task<End> Machine::run(Call& call) {
    call.jumped_ = true;
    // Sent elsewhere by what ran before the dialplan.
    if (call.interrupt_ != Call::Interrupt::none && !take_interrupt(call)) co_return End::hung_up;
    co_return co_await loop(call, 0, false);
}

Task<> Machine::run_hangup(Call& call) {
    if (!go_to_special(call, "h")) co_return;
    call.interrupt_ = Call::Interrupt::none;
    // A Return here goes no further than the frames that the call had when it ended.
    co_await loop(call, call.variables_.frames().size(), true);
}

Task<bool> Machine::run_subroutine(Call& call, std::string target) {
    const Call::Nested nested(call);
    if (!nested) co_return false;
    const auto before = call.position_;
    const auto depth = call.variables_.frames().size();
    auto after = before;  // as if this step had been the Gosub
    ++after.priority;
    if (!push_subroutine(call, target, after)) co_return false;
    co_await loop(call, depth + 1, call.hung_up());
    // Returned: the frame is gone and the call stands where it stood, as if nothing had jumped.
    const bool returned = call.variables_.frames().size() == depth;
    while (call.variables_.frames().size() > depth) call.variables_.pop_frame();
    call.position_ = before;
    call.jumped_ = false;
    co_return returned;
}

}  // namespace strowger::dialplan
