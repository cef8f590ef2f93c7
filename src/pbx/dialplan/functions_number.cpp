#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "pbx/dialplan/builtin.hpp"
#include "pbx/dialplan/expression.hpp"

namespace strowger::dialplan {

namespace {

using Value = Result<std::string>;

double number_of(std::string_view text) {
    return std::strtod(std::string(trim(text)).c_str(), nullptr);
}

// Casting a double beyond the type's range is undefined; this is what the dialplan gets instead.
long long whole(double number) {
    static constexpr double bound = 9.2e18;
    return std::isnan(number) ? 0 : static_cast<long long>(std::clamp(number, -bound, bound));
}

struct Operator {
    std::string_view text;
    Value (*apply)(double, double, std::string_view type);
};

Value formatted(double value, std::string_view type) {
    if (type.empty() || istarts_with(type, "f")) return fmt::format("{:f}", value);
    if (istarts_with(type, "i")) return std::to_string(whole(value));
    if (istarts_with(type, "h"))
        return fmt::format("{:x}", static_cast<unsigned long long>(whole(value)));
    if (istarts_with(type, "c")) return std::string(1, static_cast<char>(whole(value) & 0xff));
    return fail("'{}' is not a type (int, hex, char or float)", type);
}

Value truth(bool value) { return std::string(value ? "TRUE" : "FALSE"); }

using Type = std::string_view;
// Longer operators stand before those that they begin with.
constexpr Operator operators[] = {
    {"**", [](double a, double b, Type t) { return formatted(std::pow(a, b), t); }},
    {"<<",
     [](double a, double b, Type t) {
         return formatted(static_cast<double>(static_cast<long long>(
                              static_cast<unsigned long long>(whole(a)) << (whole(b) & 63))),
                          t);
     }},
    {">>", [](double a, double b,
              Type t) { return formatted(static_cast<double>(whole(a) >> (whole(b) & 63)), t); }},
    {"<=", [](double a, double b, Type) { return truth(a <= b); }},
    {">=", [](double a, double b, Type) { return truth(a >= b); }},
    {"==", [](double a, double b, Type) { return truth(a == b); }},
    {"AND", [](double a, double b,
               Type t) { return formatted(static_cast<double>(whole(a) & whole(b)), t); }},
    {"XOR", [](double a, double b,
               Type t) { return formatted(static_cast<double>(whole(a) ^ whole(b)), t); }},
    {"OR", [](double a, double b,
              Type t) { return formatted(static_cast<double>(whole(a) | whole(b)), t); }},
    {"<", [](double a, double b, Type) { return truth(a < b); }},
    {">", [](double a, double b, Type) { return truth(a > b); }},
    {"+", [](double a, double b, Type t) { return formatted(a + b, t); }},
    {"-", [](double a, double b, Type t) { return formatted(a - b, t); }},
    {"*", [](double a, double b, Type t) { return formatted(a * b, t); }},
    {"/",
     [](double a, double b, Type t) -> Value {
         if (b == 0) return fail("division by zero");
         return formatted(a / b, t);
     }},
    {"%", [](double a, double b, Type t) -> Value {
         if (b == 0) return fail("division by zero");
         return formatted(std::fmod(a, b), t);
     }}};

// MATH(a op b[,type])
Value math(Call&, std::string_view args) {
    const Args arg(args);
    const std::string_view expression = arg[0];
    // The first character may be the sign of the first number.
    for (std::size_t at = 1; at < expression.size(); ++at)
        for (const auto& op : operators) {
            if (!expression.substr(at).starts_with(op.text)) continue;
            const auto a = trim(expression.substr(0, at));
            const auto b = trim(expression.substr(at + op.text.size()));
            if (a.empty() || b.empty()) return fail("'{}' wants a number on either side", args);
            return op.apply(number_of(a), number_of(b), trim(arg[1]));
        }
    return fail("'{}' has no operator", args);
}

// INC and DEC: only of what is a whole number already.
Value step(Call& call, std::string_view name, long long by) {
    const auto value = parse_number<long long>(trim(value_of(call, name)));
    if (!value) return fail("{} is not a number", name);
    long long sum = 0;
    if (__builtin_add_overflow(*value, by, &sum)) return fail("{} overflows", name);
    auto text = std::to_string(sum);
    if (auto set = call.assign(name, text); !set) return std::unexpected(set.error());
    return text;
}

Value extreme(std::string_view args, bool largest) {
    const Args arg(args);
    if (arg.size() == 0) return fail("wants numbers");
    auto best = number_of(arg[0]);
    for (const auto& text : arg) {
        const auto number = number_of(text);
        if (largest ? number > best : number < best) best = number;
    }
    return number_text(best);
}

// RAND(low,high), both included.
Value rand_function(Call& call, std::string_view args) {
    const Args arg(args);
    static constexpr long long highest = 2147483647;
    auto low = parse_number<long long>(trim(arg[0])).value_or(0);
    auto high = parse_number<long long>(trim(arg[1])).value_or(highest);
    low = std::clamp(low, -highest, highest);
    high = std::clamp(high, -highest, highest);
    if (high < low) std::swap(low, high);
    return std::to_string(low + static_cast<long long>(call.environment().random.below(
                                    static_cast<std::uint64_t>(high - low) + 1)));
}

std::string_view unquoted(std::string_view text) {
    text = trim(text);
    if (text.size() >= 2 && text.front() == '"' && text.back() == '"')
        text = text.substr(1, text.size() - 2);
    return text;
}

// "condition?a:b": the value of the side that holds.
Value choose(bool yes, std::string_view sides) {
    const auto colon = find_outside(sides, ':');
    if (yes) return std::string(unquoted(sides.substr(0, colon)));
    if (colon == std::string_view::npos) return std::string{};
    return std::string(unquoted(sides.substr(colon + 1)));
}

Value if_function(Call&, std::string_view args) {
    const auto mark = find_outside(args, '?');
    if (mark == std::string_view::npos) return fail("wants condition?true:false, got '{}'", args);
    return choose(is_true_condition(unquoted(args.substr(0, mark))), args.substr(mark + 1));
}

Value iftime_function(Call& call, std::string_view args) {
    const auto mark = args.find('?');
    if (mark == std::string_view::npos) return fail("wants times?true:false, got '{}'", args);
    const auto spec = TimeSpec::parse(args.substr(0, mark));
    if (!spec) return std::unexpected(spec.error());
    return choose(spec->contains(call.now(), call.time_zone()), args.substr(mark + 1));
}

}  // namespace

void add_number_functions(Functions& f) {
    f.add("MATH", "a operator b", math);
    f.add("INC", "adds one to a variable",
          [](Call& call, std::string_view name) { return step(call, name, 1); });
    f.add("DEC", "takes one from a variable",
          [](Call& call, std::string_view name) { return step(call, name, -1); });
    f.add("MIN", "the smallest", [](Call&, std::string_view args) { return extreme(args, false); });
    f.add("MAX", "the largest", [](Call&, std::string_view args) { return extreme(args, true); });
    f.add("ABS", "without sign", [](Call&, std::string_view args) -> Value {
        return number_text(std::fabs(number_of(args)));
    });
    f.add("RAND", "a random whole number", rand_function);
    f.add("IF", "one of two texts", if_function);
    f.add("IFTIME", "one of two texts, by the clock", iftime_function);
    f.add("ISNULL", "1 when empty", [](Call&, std::string_view args) -> Value {
        return std::string(args.empty() ? "1" : "0");
    });
    f.add("EXISTS", "1 when not empty", [](Call&, std::string_view args) -> Value {
        return std::string(args.empty() ? "0" : "1");
    });
}

}  // namespace strowger::dialplan
