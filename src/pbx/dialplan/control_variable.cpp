// Setting variables and saying things.

#include "pbx/dialplan/arguments.hpp"
#include "pbx/dialplan/control.hpp"

namespace strowger::dialplan {

namespace {

AppResult set_one(Call& call, std::string_view args) {
    const auto equals = args.find('=');
    if (equals == std::string_view::npos) {
        call.report(log::Level::warning, fmt::format("Set wants name=value, got '{}'", args));
        return AppResult::proceed;
    }
    if (auto set = call.assign(args.substr(0, equals), args.substr(equals + 1)); !set)
        call.report(log::Level::warning, set.error().within("Set").text());
    return AppResult::proceed;
}

AppResult set_many(Call& call, std::string_view args) {
    for (const auto& part : split_arguments(args)) {
        const auto [name, value] = split_once(part, '=');
        if (auto set = call.assign(trim(name), value); !set)
            call.report(log::Level::warning, set.error().within("MSet").text());
    }
    return AppResult::proceed;
}

// Verbose([level,]text)
AppResult verbose(Call& call, std::string_view args) {
    const auto [level, text] = split_once(args, ',');
    const bool has_level =
        parse_number<unsigned>(trim(level)).has_value() && args.find(',') != std::string_view::npos;
    call.report(log::Level::verbose, has_level ? text : args);
    return AppResult::proceed;
}

AppResult log_line(Call& call, std::string_view args) {
    const auto [level, text] = split_once(args, ',');
    call.report(log::level_by_name(to_lower(trim(level)), log::Level::notice), text);
    return AppResult::proceed;
}

AppResult clear_hash(Call& call, std::string_view name) {
    const auto prefix = fmt::format("~HASH~{}~", name);
    for (const auto& [variable, value] : call.variables().all())
        if (variable.starts_with(prefix)) call.variables().erase(variable);
    return AppResult::proceed;
}

AppResult raise_exception(Call& call, std::string_view reason) {
    call.raise(std::string(reason));
    return AppResult::proceed;
}

}  // namespace

void add_variable_applications(Applications& a) {
    a.add_quick("Set", "sets a variable or function", set_one);
    a.add_quick("MSet", "sets several variables", set_many);
    a.add_quick("NoOp", "does nothing, visibly",
                [](Call&, std::string_view) { return AppResult::proceed; });
    a.add_quick("Verbose", "says something in the log", verbose);
    a.add_quick("Log", "says something in the log, at a level", log_line);
    a.add_quick("ClearHash", "forgets a hash", clear_hash);
    a.add_quick("RaiseException", "goes to e", raise_exception);
}

void add_builtin_applications(Applications& applications) {
    add_branch_applications(applications);
    add_routine_applications(applications);
    add_variable_applications(applications);
}

}  // namespace strowger::dialplan
