// Goto and its kin; loops and blocks. Where a block begins and ends is read off the extension's
// steps, so there is nothing to remember and nothing that a Goto out of a loop could leave behind.

#include "pbx/dialplan/arguments.hpp"
#include "pbx/dialplan/control.hpp"
#include "pbx/dialplan/expression.hpp"
#include "pbx/dialplan/machine.hpp"
#include "pbx/dialplan/substitution.hpp"

namespace strowger::dialplan {

namespace {

AppResult go_to(Call& call, std::string_view destination) {
    auto position = Machine::resolve(call, destination);
    if (!position) {
        call.report(log::Level::error, position.error().within("Goto").text());
        return AppResult::hangup;
    }
    call.jump(std::move(*position));
    return AppResult::proceed;
}

// One side of "a:b"; an empty one falls through.
AppResult go_to_side(Call& call, bool first, std::string_view sides) {
    const auto [yes, no] = split_once(sides, ':');
    const auto side = trim(first ? yes : no);
    return side.empty() ? AppResult::proceed : go_to(call, side);
}

AppResult go_to_if(Call& call, std::string_view args) {
    const auto [condition, sides] = split_once(args, '?');
    return go_to_side(call, is_true_condition(condition), sides);
}

AppResult go_to_if_time(Call& call, std::string_view args) {
    const auto [times, sides] = split_once(args, '?');
    const auto spec = TimeSpec::parse(times);
    if (!spec) {
        call.report(log::Level::warning, spec.error().within("GotoIfTime").text());
        return AppResult::proceed;
    }
    return go_to_side(call, spec->contains(call.now(), call.time_zone()), sides);
}

// The steps of the extension that runs, and which of them this is.
class Here {
public:
    explicit Here(Call& call) : plan_(call.dialplan()) {
        const auto& at = call.position();
        const auto found = plan_->find(at.context, at.exten, at.priority, call.query());
        if (!found) return;
        steps_ = &found->extension->steps;
        index_ = static_cast<std::size_t>(found->step - steps_->data());
    }

    /// The first step after this one, outside of inner blocks, that is one of `wanted`.
    const Step* after(std::string_view open, std::string_view close,
                      std::initializer_list<std::string_view> wanted,
                      const Step* from = nullptr) const {
        if (!steps_) return nullptr;
        int depth = 0;
        for (auto i = from ? static_cast<std::size_t>(from - steps_->data()) + 1 : index_ + 1;
             i < steps_->size(); ++i) {
            const auto& step = (*steps_)[i];
            if (depth == 0)
                for (const auto name : wanted)
                    if (iequals(step.application, name)) return &step;
            if (iequals(step.application, open)) ++depth;
            if (iequals(step.application, close)) --depth;
            if (depth < 0) return nullptr;
        }
        return nullptr;
    }

    /// The `open` whose block this step is in.
    const Step* before(std::string_view open, std::string_view close) const {
        if (!steps_) return nullptr;
        int depth = 0;
        for (auto i = index_; i-- > 0;) {
            const auto& step = (*steps_)[i];
            if (iequals(step.application, close)) ++depth;
            if (iequals(step.application, open) && depth-- == 0) return &step;
        }
        return nullptr;
    }

private:
    std::shared_ptr<const Dialplan> plan_;
    const std::vector<Step>* steps_ = nullptr;
    std::size_t index_ = 0;
};

AppResult jump_to(Call& call, int priority) {
    auto position = call.position();
    position.priority = priority;
    call.jump(std::move(position));
    return AppResult::proceed;
}

AppResult unmatched(Call& call, std::string_view what) {
    call.report(log::Level::error, fmt::format("{} without its other half", what));
    return AppResult::hangup;
}

// Past a step: to the next one there is, or off the end.
AppResult jump_past(Call& call, const Step* step, std::string_view what) {
    return step ? jump_to(call, step->priority + 1) : unmatched(call, what);
}

AppResult while_loop(Call& call, std::string_view condition) {
    if (is_true_condition(condition)) return AppResult::proceed;
    return jump_past(call, Here(call).after("While", "EndWhile", {"EndWhile"}), "While");
}

AppResult end_while(Call& call, std::string_view) {
    const auto* start = Here(call).before("While", "EndWhile");
    return start ? jump_to(call, start->priority) : unmatched(call, "EndWhile");
}

AppResult continue_while(Call& call, std::string_view) {
    const auto* start = Here(call).before("While", "EndWhile");
    return start ? jump_to(call, start->priority) : unmatched(call, "ContinueWhile");
}

AppResult exit_while(Call& call, std::string_view) {
    return jump_past(call, Here(call).after("While", "EndWhile", {"EndWhile"}), "ExitWhile");
}

AppResult if_block(Call& call, std::string_view condition) {
    if (is_true_condition(condition)) return AppResult::proceed;
    const Here here(call);
    const Step* clause = nullptr;
    for (;;) {
        clause = here.after("If", "EndIf", {"ElseIf", "Else", "EndIf"}, clause);
        if (!clause || !iequals(clause->application, "ElseIf") ||
            is_true_condition(substitute(call, clause->arguments)))
            return jump_past(call, clause, "If");
    }
}

// Reached only from a branch that was taken: the rest of the block is not for this call.
AppResult leave_if(Call& call, std::string_view) {
    return jump_past(call, Here(call).after("If", "EndIf", {"EndIf"}), "If");
}

}  // namespace

void add_branch_applications(Applications& a) {
    a.add_quick("Goto", "goes on elsewhere", go_to);
    a.add_quick("GotoIf", "goes to one of two places", go_to_if);
    a.add_quick("GotoIfTime", "goes to one of two places, by the clock", go_to_if_time);
    a.add_quick("While", "runs a block as long as", while_loop);
    a.add_quick("EndWhile", "ends a While's block", end_while);
    a.add_quick("ContinueWhile", "tries the While's condition again", continue_while);
    a.add_quick("ExitWhile", "leaves the While's block", exit_while);
    a.add_quick("If", "runs a block if", if_block);
    a.add_quick("ElseIf", "or else if", leave_if);
    a.add_quick("Else", "or else", leave_if);
    a.add_quick("ExitIf", "leaves the If's block", leave_if);
    a.add_quick("EndIf", "ends an If's block",
                [](Call&, std::string_view) { return AppResult::proceed; });
}

}  // namespace strowger::dialplan
