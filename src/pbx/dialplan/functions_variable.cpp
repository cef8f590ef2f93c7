#include "pbx/dialplan/builtin.hpp"

namespace strowger::dialplan {

namespace {

using Value = Result<std::string>;

/// What dialplans that test for a version expect to find: the release whose language this is.
constexpr std::string_view compatible_version = "20.15.0";
constexpr std::string_view compatible_version_number = "201500";

std::string flag(bool value) { return value ? "1" : "0"; }

Value set_function(Call& call, std::string_view args) {
    const auto equals = args.find('=');
    if (equals == std::string_view::npos) return fail("wants name=value, got '{}'", args);
    const auto value = args.substr(equals + 1);
    if (auto set = call.assign(trim(args.substr(0, equals)), value); !set)
        return std::unexpected(set.error());
    return std::string(value);
}

// STACK_PEEK(n,c|e|p|l[,suppress]): where the n-th newest Gosub came from.
Value stack_peek(Call& call, std::string_view args) {
    const Args arg(args);
    const auto n = parse_number<std::size_t>(trim(arg[0])).value_or(0);
    const auto& frames = call.variables().frames();
    if (n == 0 || n > frames.size()) {
        if (is_true(trim(arg[2]))) return std::string{};
        return fail("there is no frame {}", arg[0]);
    }
    auto from = frames[frames.size() - n].return_to;
    --from.priority;  // a Gosub returns to the step after it
    switch (lower(arg[1].empty() ? 'l' : arg[1].front())) {
        case 'c': return from.context;
        case 'e': return from.exten;
        case 'p': return std::to_string(from.priority);
        case 'l': return from.text();
        default: return fail("'{}' is not one of c, e, p, l", arg[1]);
    }
}

// LOCAL_PEEK(n,name): 0 is the frame that runs, 1 the one below it.
Value local_peek(Call& call, std::string_view args) {
    const Args arg(args);
    const auto n = parse_number<std::size_t>(trim(arg[0])).value_or(0);
    const auto& frames = call.variables().frames();
    if (n >= frames.size()) return std::string{};
    const auto& locals = frames[frames.size() - 1 - n].locals;
    const auto found = locals.find(arg[1]);
    return found == locals.end() ? std::string{} : found->second;
}

// DIALPLAN_EXISTS(context[,exten[,priority or label]])
Value dialplan_exists(Call& call, std::string_view args) {
    const Args arg(args);
    const auto plan = call.dialplan();
    if (arg.size() < 2 || arg[1].empty()) return flag(plan->context(arg[0]) != nullptr);
    if (arg.size() < 3 || arg[2].empty()) return flag(plan->exists(arg[0], arg[1], call.query()));
    if (const auto priority = parse_number<int>(arg[2]))
        return flag(plan->find(arg[0], arg[1], *priority, call.query()).has_value());
    return flag(plan->find_label(arg[0], arg[1], arg[2], call.query()).has_value());
}

// HINT(exten[@context][,name])
Value hint(Call& call, std::string_view args) {
    const Args arg(args);
    const auto [exten, context] = split_once(arg[0], '@');
    const auto plan = call.dialplan();
    const auto found = plan->find_hint(
        context.empty() ? std::string_view(call.position().context) : context, exten, call.query());
    if (!found) return std::string{};
    const auto& is = *found->extension->hint;
    return arg[1].empty() ? is.devices : is.name;
}

Value exception(Call& call, std::string_view args) {
    const auto field = trim(args);
    const auto& at = call.exception_position();
    if (iequals(field, "reason")) return call.exception_reason();
    if (iequals(field, "context")) return at.context;
    if (iequals(field, "exten")) return at.exten;
    if (iequals(field, "priority")) return std::to_string(at.priority);
    return fail("'{}' is not one of reason, context, exten, priority", args);
}

}  // namespace

void add_variable_functions(Functions& f) {
    f.add("SET", "sets a variable and gives its value", set_function);
    f.add(
        "GLOBAL", "a global variable",
        [](Call& call, std::string_view name) -> Value {
            return call.environment().globals.get(name).value_or("");
        },
        [](Call& call, std::string_view name, std::string_view value) -> Result<> {
            if (name.empty()) return fail("wants a name");
            call.environment().globals.set(name, std::string(value));
            return {};
        });
    f.add(
        "LOCAL", "a variable of the running subroutine",
        [](Call& call, std::string_view name) -> Value {
            return std::string(call.variables().get(name).value_or(""));
        },
        [](Call& call, std::string_view name, std::string_view value) {
            return call.variables().set_local(name, std::string(value));
        });
    f.add("STACK_PEEK", "where a subroutine was called from", stack_peek);
    f.add("LOCAL_PEEK", "a variable of an outer subroutine", local_peek);
    f.add("VARIABLE_EXISTS", "1 when a channel variable is set",
          [](Call& call, std::string_view name) -> Value {
              return flag(call.variables().get(name).has_value() ||
                          call.environment().globals.get(name).has_value());
          });
    f.add("GLOBAL_EXISTS", "1 when a global variable is set",
          [](Call& call, std::string_view name) -> Value {
              return flag(call.environment().globals.get(name).has_value());
          });
    f.add("DIALPLAN_EXISTS", "1 when a place exists", dialplan_exists);
    f.add("HINT", "the devices of an extension's hint", hint);
    f.add("EXCEPTION", "why and where the call came to e", exception);
    f.add("ENV", "a variable of the process", [](Call& call, std::string_view name) -> Value {
        const auto& environment = call.environment().environment;
        return environment ? environment(name) : std::string{};
    });
    f.add("VERSION", "the version whose dialplan language this is",
          [](Call&, std::string_view field) -> Value {
              return std::string(iequals(field, "ASTERISK_VERSION_NUM") ? compatible_version_number
                                                                        : compatible_version);
          });
}

}  // namespace strowger::dialplan
