#include "pbx/dialplan/invocations.hpp"

#include "pbx/dialplan/arguments.hpp"

namespace strowger::dialplan {

namespace {

constexpr int max_nesting = 8;  // an ExecIf within an ExecIf within ...: nobody writes more

void show_with_inner(const Invoked& invoked, const std::function<void(const Invoked&)>& show,
                     int depth) {
    if (is_computed(invoked.application)) return;
    show(invoked);
    if (depth == max_nesting) return;
    const auto inner = [&](std::string_view text) {
        const auto [name, arguments] = split_invocation(text);
        if (!name.empty())
            show_with_inner({invoked.context, invoked.extension, invoked.step, name, arguments},
                            show, depth + 1);
    };
    if (iequals(invoked.application, "ExecIf")) {
        const auto [yes, no] = branches_of(invoked.arguments);
        inner(yes);
        inner(no);
    } else if (iequals(invoked.application, "ExecIfTime")) {
        inner(split_once(invoked.arguments, '?').second);
    } else if (iequals(invoked.application, "Exec")) {
        inner(invoked.arguments);
    }
}

}  // namespace

bool is_computed(std::string_view text) {
    return text.find("${") != std::string_view::npos || text.find("$[") != std::string_view::npos;
}

Branches branches_of(std::string_view arguments) {
    const auto mark = find_outside(arguments, '?');
    if (mark == std::string_view::npos) return {};
    const auto sides = arguments.substr(mark + 1);
    const auto colon = find_outside(sides, ':');
    if (colon == std::string_view::npos) return {trim(sides), {}};
    return {trim(sides.substr(0, colon)), trim(sides.substr(colon + 1))};
}

void for_each_invocation(const Dialplan& plan, const std::function<void(const Invoked&)>& show) {
    for (const auto& context : plan.contexts())
        for (const auto& extension : context->extensions())
            for (const auto& step : extension.steps)
                show_with_inner({*context, extension, step, step.application, step.arguments}, show,
                                0);
}

}  // namespace strowger::dialplan
