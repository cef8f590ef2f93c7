#include "pbx/dialplan/lint.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "pbx/dialplan/arguments.hpp"
#include "pbx/dialplan/invocations.hpp"

namespace strowger::dialplan {

namespace {

bool is_name_character(char c) {
    return is_digit(c) || c == '_' || (lower(c) >= 'a' && lower(c) <= 'z');
}

// Shows what stands in each `${...}` that calls a function by a name that is written out.
template <typename Show>
void for_each_function(std::string_view text, Show&& show) {
    for (auto at = text.find("${"); at != std::string_view::npos; at = text.find("${", at + 2)) {
        const auto inside = text.substr(at + 2);
        std::size_t end = 0;
        while (end < inside.size() && is_name_character(inside[end])) ++end;
        if (end > 0 && end < inside.size() && inside[end] == '(') show(inside.substr(0, end));
    }
}

class Lint {
public:
    Lint(const Dialplan& plan, const Applications& applications, const Functions& functions,
         ini::Diagnostics& diagnostics)
        : plan_(plan),
          applications_(applications),
          functions_(functions),
          diagnostics_(diagnostics) {
        for (const auto& context : plan.contexts())
            for (const auto& include : context->includes)
                if (const auto* included = plan.context(include.context))
                    includers_[included].push_back(context.get());
    }

    void look_at(const Invoked& invoked) {
        check_application(invoked);
        // What an inner application is given stands in the arguments of the outer one as well.
        if (invoked.application.data() == invoked.step.application.data())
            for_each_function(invoked.arguments,
                              [&](std::string_view name) { check_read(invoked, name); });
        check_assignments(invoked);
        check_places(invoked);
    }

private:
    using Scope = std::vector<const Context*>;

    void warn(const Invoked& at, std::string text, std::string suggestion = {}) {
        const auto& file = plan_.files().at(at.step.file);
        if (said_.emplace(file, at.step.line, text).second)
            diagnostics_.warn(file, at.step.line, std::move(text), std::move(suggestion));
    }
    std::string suggest(std::string_view word, const std::vector<std::string_view>& known) const {
        if (!diagnostics_.wants_suggestions()) return {};
        return std::string(nearest(word, known).value_or(""));
    }

    void check_application(const Invoked& invoked) {
        if (applications_.find(invoked.application)) return;
        warn(invoked,
             fmt::format("there is no application '{}'; a call that comes here ends",
                         invoked.application),
             suggest(invoked.application, applications_.names()));
    }

    void check_read(const Invoked& invoked, std::string_view name) {
        const auto* function = functions_.find(name);
        if (!function)
            warn(invoked, fmt::format("there is no function '{}'", name),
                 suggest(name, functions_.names()));
        else if (!function->read)
            warn(invoked, fmt::format("the function '{}' can only be set", name));
    }

    // Set(FUNCTION(args)=value)
    void check_assignments(const Invoked& invoked) {
        std::vector<std::string_view> assignments;
        if (iequals(invoked.application, "Set"))
            assignments.push_back(invoked.arguments);
        else if (iequals(invoked.application, "MSet"))
            assignments = split_raw(invoked.arguments);
        for (const auto assignment : assignments) {
            const auto target = trim(split_once(assignment, '=').first);
            const auto open = target.find('(');
            const auto name = target.substr(0, open);
            if (open == std::string_view::npos || is_computed(name)) continue;
            const auto* function = functions_.find(name);
            if (!function)
                warn(invoked, fmt::format("there is no function '{}'", name),
                     suggest(name, functions_.names()));
            else if (!function->write)
                warn(invoked, fmt::format("the function '{}' cannot be set", name));
            else if (name == "CHANNEL" && target.find("hangup_handler_push") != target.npos)
                check_place(invoked, split_once(assignment, '=').second, true);
        }
    }

    void check_places(const Invoked& invoked) {
        const auto name = to_lower(invoked.application);
        if (name == "goto") {
            check_place(invoked, invoked.arguments, false);
        } else if (name == "gosub") {
            check_place(invoked, invoked.arguments, true);
        } else if (name == "gotoif" || name == "gosubif") {
            const auto [yes, no] = branches_of(invoked.arguments);
            check_place(invoked, yes, name == "gosubif");
            check_place(invoked, no, name == "gosubif");
        } else if (name == "gotoiftime") {
            // The times come first and have colons of their own.
            const auto sides = split_once(invoked.arguments, '?').second;
            const auto [yes, no] = split_once(sides, ':');
            check_place(invoked, trim(yes), false);
            check_place(invoked, trim(no), false);
        }
    }

    // Without the arguments of a subroutine: up to the bracket that belongs to no variable.
    static std::string_view without_arguments(std::string_view text) {
        int braces = 0;
        for (std::size_t i = 0; i < text.size(); ++i) {
            if (text[i] == '{' || text[i] == '[') ++braces;
            if ((text[i] == '}' || text[i] == ']') && braces > 0) --braces;
            if (text[i] == '(' && braces == 0) return text.substr(0, i);
        }
        return text;
    }

    // [[context,]exten,]priority
    void check_place(const Invoked& invoked, std::string_view text, bool is_subroutine) {
        if (is_subroutine) text = without_arguments(text);
        const auto parts = split_raw(trim(text));
        if (parts.empty() || parts.size() > 3) return;
        const auto part = [&](std::size_t from_end) {
            return from_end < parts.size() ? trim(parts[parts.size() - 1 - from_end])
                                           : std::string_view{};
        };
        const auto context = part(2), exten = part(1), priority = part(0);
        if (is_computed(context) || is_there(invoked, context, exten, priority)) return;
        Scope scope;
        if (context.empty()) {
            scope = where_it_may_run(invoked.context);
        } else if (const auto* named = plan_.context(context)) {
            scope = with_includes({named});
        } else {
            std::vector<std::string_view> names;
            for (const auto& known : plan_.contexts()) names.push_back(known->name);
            return warn(invoked, fmt::format("there is no context '{}'", context),
                        suggest(context, names));
        }
        check_place_in(invoked, scope, exten, priority, context);
    }

    // The common case, found through the dialplan's own index.
    bool is_there(const Invoked& invoked, std::string_view context, std::string_view exten,
                  std::string_view priority) const {
        const auto number = parse_number<int>(priority);
        if (context.empty() && exten.empty())
            return number ? invoked.extension.step(*number) != nullptr
                          : invoked.extension.labelled(priority) != nullptr;
        if (is_computed(exten)) return false;
        if (context.empty()) context = invoked.context.name;
        return number ? plan_.find(context, exten, *number, {}).has_value()
                      : plan_.find_label(context, exten, priority, {}).has_value();
    }

    void check_place_in(const Invoked& invoked, const Scope& scope, std::string_view exten,
                        std::string_view priority, std::string_view context) {
        const bool exten_known = !exten.empty() && !is_computed(exten);
        std::vector<const Extension*> candidates;
        for (const auto* place : scope)
            for (const auto& extension : place->extensions())
                if (!extension.steps.empty() &&
                    (!exten_known || extension.pattern.match(exten) == Pattern::Match::full))
                    candidates.push_back(&extension);
        const auto shown = context.empty() ? invoked.context.name : std::string(context);
        if (candidates.empty()) {
            if (exten_known && !has_extension(scope, "i"))
                warn(invoked, fmt::format("there is no extension '{}' in '{}'", exten, shown),
                     suggest(exten, names_in(scope)));
            return;
        }
        if (priority.empty() || is_computed(priority) || priority.front() == '+' ||
            priority.front() == '-')
            return;
        const auto number = parse_number<int>(priority);
        const auto has_it = [&](const Extension* extension) {
            return number ? extension->step(*number) != nullptr
                          : extension->labelled(priority) != nullptr;
        };
        if (std::any_of(candidates.begin(), candidates.end(), has_it)) return;
        const auto place = exten_known                        ? std::string(exten)
                           : exten.empty() && context.empty() ? invoked.extension.pattern.text()
                                                              : std::string("any extension");
        if (number)
            return warn(invoked, fmt::format("there is no priority {} in {} of '{}'", *number,
                                             place, shown));
        std::vector<std::string_view> labels;
        for (const auto* extension : candidates)
            for (const auto& step : extension->steps)
                if (!step.label.empty()) labels.push_back(step.label);
        warn(invoked, fmt::format("there is no label '{}' in {} of '{}'", priority, place, shown),
             suggest(priority, labels));
    }

    static bool has_extension(const Scope& scope, std::string_view exten) {
        for (const auto* context : scope)
            for (const auto& extension : context->extensions())
                if (!extension.steps.empty() && extension.pattern.text() == exten) return true;
        return false;
    }
    static std::vector<std::string_view> names_in(const Scope& scope) {
        std::vector<std::string_view> names;
        for (const auto* context : scope)
            for (const auto& extension : context->extensions())
                if (extension.pattern.is_literal()) names.push_back(extension.pattern.text());
        return names;
    }

    // Contexts from which a call may have come to this step, and everything that they reach.
    const Scope& where_it_may_run(const Context& context) {
        const auto [known, is_new] = scopes_.try_emplace(&context);
        if (is_new)
            known->second = with_includes(closure({&context}, [&](const Context* of) {
                const auto found = includers_.find(of);
                return found == includers_.end() ? Scope{} : found->second;
            }));
        return known->second;
    }
    Scope with_includes(Scope from) const {
        return closure(std::move(from), [&](const Context* of) {
            Scope included;
            for (const auto& include : of->includes)
                if (const auto* context = plan_.context(include.context))
                    included.push_back(context);
            return included;
        });
    }
    template <typename Next>
    static Scope closure(Scope found, Next&& next) {
        std::set<const Context*> seen(found.begin(), found.end());
        for (std::size_t i = 0; i < found.size(); ++i)
            for (const auto* context : next(found[i]))
                if (seen.insert(context).second) found.push_back(context);
        return found;
    }

    const Dialplan& plan_;
    const Applications& applications_;
    const Functions& functions_;
    ini::Diagnostics& diagnostics_;
    std::map<const Context*, Scope> includers_, scopes_;
    std::set<std::tuple<std::string, unsigned, std::string>> said_;
};

}  // namespace

void lint(const Dialplan& plan, const Applications& applications, const Functions& functions,
          ini::Diagnostics& diagnostics) {
    Lint look(plan, applications, functions, diagnostics);
    for_each_invocation(plan, [&](const Invoked& invoked) { look.look_at(invoked); });
}

}  // namespace strowger::dialplan
