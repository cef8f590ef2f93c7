#include "pbx/dialplan/expression.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "pbx/dialplan/regex.hpp"

namespace strowger::dialplan {

std::string number_text(long double number) {
    if (!std::isfinite(number)) return fmt::format("{}", static_cast<double>(number));
    if (number == 0) return "0";  // and not "-0"
    if (std::fabs(number) < 1e18L && number == std::trunc(number))
        return std::to_string(static_cast<long long>(number));
    char text[64];
    std::snprintf(text, sizeof text, "%.16Lg", number);
    return text;
}

namespace {

// A whole text as a decimal number: sign, digits, fraction. Hexadecimal and infinities are words.
std::optional<long double> to_number(std::string_view text) {
    text = trim(text);
    static constexpr std::size_t longest = 64;
    if (text.empty() || text.size() > longest) return std::nullopt;
    bool digits = false;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const char c = text[at];
        if (is_digit(c)) digits = true;
        const bool sign = (c == '-' || c == '+') && (at == 0 || lower(text[at - 1]) == 'e');
        const bool exponent = lower(c) == 'e' && digits && at + 1 < text.size();
        if (!is_digit(c) && c != '.' && !sign && !exponent) return std::nullopt;
    }
    if (!digits) return std::nullopt;
    const std::string copy(text);
    char* end = nullptr;
    const auto value = std::strtold(copy.c_str(), &end);
    if (end != copy.c_str() + copy.size()) return std::nullopt;
    return value;
}

std::string_view without_quotes(std::string_view text) {
    if (text.size() >= 2 && text.front() == '"' && text.back() == '"')
        return text.substr(1, text.size() - 2);
    return text;
}

bool counts_as_true(std::string_view text) {
    if (without_quotes(text).empty()) return false;
    const auto number = to_number(text);
    return !number || *number != 0;
}

enum class Kind {
    end,
    word,
    string,
    open,
    close,
    comma,
    question,
    branch,
    either,
    both,
    equal,
    unequal,
    less,
    greater,
    less_equal,
    greater_equal,
    plus,
    minus,
    times,
    over,
    modulo,
    negate,
    match_start,
    match_any,
    join
};

struct Token {
    Kind kind = Kind::end;
    std::string_view text;
    std::size_t at = 0;
};

class Lexer {
public:
    explicit Lexer(std::string_view text) : text_(text) {}

    Result<Token> next() {
        while (at_ < text_.size() && is_space(text_[at_])) ++at_;
        const auto start = at_;
        if (at_ == text_.size()) return Token{Kind::end, {}, start};
        const auto rest = text_.substr(at_);
        static constexpr std::pair<std::string_view, Kind> operators[] = {
            {"::", Kind::branch},        {"||", Kind::either},    {"&&", Kind::both},
            {"==", Kind::equal},         {"!=", Kind::unequal},   {"<=", Kind::less_equal},
            {">=", Kind::greater_equal}, {"=~", Kind::match_any}, {"~~", Kind::join},
            {"(", Kind::open},           {")", Kind::close},      {",", Kind::comma},
            {"?", Kind::question},       {"|", Kind::either},     {"&", Kind::both},
            {"=", Kind::equal},          {"<", Kind::less},       {">", Kind::greater},
            {"+", Kind::plus},           {"-", Kind::minus},      {"*", Kind::times},
            {"/", Kind::over},           {"%", Kind::modulo},     {"!", Kind::negate},
            {":", Kind::match_start}};
        for (const auto& [text, kind] : operators)
            if (rest.starts_with(text)) {
                at_ += text.size();
                return Token{kind, text, start};
            }
        if (rest.front() == '"') return string_token(start);
        while (at_ < text_.size() && is_word(text_[at_])) ++at_;
        if (at_ == start) return fail("'{}' at {} must be in double quotes", rest.front(), start);
        return Token{Kind::word, text_.substr(start, at_ - start), start};
    }

    void go_to(std::size_t at) { at_ = at; }

private:
    static bool is_word(char c) {
        return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z') || (c & 0x80) ||
               std::strchr(".';\\_^$#@", c) != nullptr;
    }

    Result<Token> string_token(std::size_t start) {
        for (++at_; at_ < text_.size(); ++at_) {
            if (text_[at_] == '\\' && at_ + 1 < text_.size()) {
                ++at_;
            } else if (text_[at_] == '"') {
                ++at_;
                return Token{Kind::string, text_.substr(start, at_ - start), start};
            }
        }
        return fail("a string that begins at {} has no closing quote", start);
    }

    std::string_view text_;
    std::size_t at_ = 0;
};

long double wanted_number(std::string_view text) { return to_number(text).value_or(0); }

// The mathematics that expressions have of their own.
struct Unary {
    std::string_view name;
    long double (*apply)(long double);
};
constexpr Unary unary_functions[] = {{"COS", cosl},
                                     {"SIN", sinl},
                                     {"TAN", tanl},
                                     {"ACOS", acosl},
                                     {"ASIN", asinl},
                                     {"ATAN", atanl},
                                     {"SQRT", sqrtl},
                                     {"FLOOR", floorl},
                                     {"CEIL", ceill},
                                     {"ROUND", roundl},
                                     {"RINT", rintl},
                                     {"TRUNC", truncl},
                                     {"EXP", expl},
                                     {"EXP2", exp2l},
                                     {"LOG", logl},
                                     {"LOG2", log2l},
                                     {"LOG10", log10l},
                                     {"ABS", fabsl},
                                     {"EXP10", [](long double x) { return powl(10, x); }}};
struct Binary {
    std::string_view name;
    long double (*apply)(long double, long double);
};
constexpr Binary binary_functions[] = {{"POW", powl}, {"ATAN2", atan2l}, {"REMAINDER", remainderl}};

bool is_mathematics(std::string_view name) {
    const auto named = [&](const auto& function) { return iequals(name, function.name); };
    return std::any_of(std::begin(unary_functions), std::end(unary_functions), named) ||
           std::any_of(std::begin(binary_functions), std::end(binary_functions), named);
}

std::optional<long double> mathematics(std::string_view name, const std::vector<long double>& x) {
    for (const auto& function : unary_functions)
        if (iequals(name, function.name) && x.size() == 1) return function.apply(x[0]);
    for (const auto& function : binary_functions)
        if (iequals(name, function.name) && x.size() == 2) return function.apply(x[0], x[1]);
    return std::nullopt;
}

class Evaluation {
public:
    Evaluation(std::string_view text, const ExpressionFunction& function)
        : text_(text), lexer_(text), function_(function) {}

    Result<std::string> run() {
        if (auto moved = advance(); !moved) return std::unexpected(moved.error());
        if (token_.kind == Kind::end) return std::string{};
        auto value = sequence();
        if (value && token_.kind != Kind::end)
            return fail("'{}' at {} was not expected", token_.text, token_.at);
        return value;
    }

private:
    using Value = Result<std::string>;

    Result<> advance() {
        auto token = lexer_.next();
        if (!token) return std::unexpected(token.error());
        token_ = *token;
        return {};
    }

    // a , b: the last one counts.
    Value sequence() {
        auto value = conditional();
        while (value && token_.kind == Kind::comma) {
            if (auto moved = advance(); !moved) return std::unexpected(moved.error());
            value = conditional();
        }
        return value;
    }

    // c ? a :: b
    Value conditional() {
        if (++depth_ > max_expression_depth) return too_deep();
        auto condition = binary(0);
        if (condition && token_.kind == Kind::question) {
            if (auto moved = advance(); !moved) return std::unexpected(moved.error());
            auto yes = conditional();
            if (!yes) return yes;
            std::string no;
            if (token_.kind == Kind::branch) {
                if (auto moved = advance(); !moved) return std::unexpected(moved.error());
                auto other = conditional();
                if (!other) return other;
                no = std::move(*other);
            } else {
                return fail("'?' without '::' at {}", token_.at);
            }
            condition = counts_as_true(*condition) ? std::move(*yes) : std::move(no);
        }
        --depth_;
        return condition;
    }

    // Levels of left-associative operators, loosest first; below them the unary ones.
    static int level_of(Kind kind) {
        switch (kind) {
            case Kind::either: return 0;
            case Kind::both: return 1;
            case Kind::equal:
            case Kind::unequal:
            case Kind::less:
            case Kind::greater:
            case Kind::less_equal:
            case Kind::greater_equal: return 2;
            case Kind::plus:
            case Kind::minus: return 3;
            case Kind::times:
            case Kind::over:
            case Kind::modulo: return 4;
            default: return -1;
        }
    }

    Value binary(int level) {
        static constexpr int tightest = 4;
        if (level > tightest) return unary();
        auto left = binary(level + 1);
        while (left && level_of(token_.kind) == level) {
            const auto kind = token_.kind;
            if (auto moved = advance(); !moved) return std::unexpected(moved.error());
            auto right = binary(level + 1);
            if (!right) return right;
            left = apply(kind, *left, *right);
        }
        return left;
    }

    Value unary() {
        if (++depth_ > max_expression_depth) return too_deep();
        Value value;
        if (token_.kind == Kind::minus || token_.kind == Kind::negate) {
            const auto kind = token_.kind;
            if (auto moved = advance(); !moved) return std::unexpected(moved.error());
            value = unary();
            if (value && kind == Kind::negate)
                value = std::string(counts_as_true(*value) ? "0" : "1");
            else if (value)
                value = number_text(-wanted_number(*value));
        } else {
            value = matching();
        }
        --depth_;
        return value;
    }

    Value matching() {
        auto left = primary();
        while (left && (token_.kind == Kind::match_start || token_.kind == Kind::match_any ||
                        token_.kind == Kind::join)) {
            const auto kind = token_.kind;
            if (auto moved = advance(); !moved) return std::unexpected(moved.error());
            auto right = primary();
            if (!right) return right;
            left = kind == Kind::join
                       ? Value(fmt::format("{}{}", without_quotes(*left), without_quotes(*right)))
                       : match(*left, *right, kind == Kind::match_start);
        }
        return left;
    }

    Value primary() {
        const auto token = token_;
        if (token.kind == Kind::end) return fail("the expression ends where a value was expected");
        if (auto moved = advance(); !moved) return std::unexpected(moved.error());
        switch (token.kind) {
            case Kind::string: return std::string(token.text);
            case Kind::word:
                if (token_.kind == Kind::open && token_.at == token.at + token.text.size())
                    return function_call(token);
                return std::string(token.text);
            case Kind::open: {
                if (++depth_ > max_expression_depth) return too_deep();
                auto value = sequence();
                --depth_;
                if (!value) return value;
                if (token_.kind != Kind::close) return fail("')' was expected at {}", token_.at);
                if (auto moved = advance(); !moved) return std::unexpected(moved.error());
                return value;
            }
            default: return fail("'{}' at {} was not expected", token.text, token.at);
        }
    }

    // A dialplan function gets its arguments as they stand: they need not be expressions.
    Value dialplan_function(const Token& name) {
        const auto start = token_.at + 1;
        int depth = 1;
        auto end = start;
        for (; end < text_.size(); ++end) {
            if (text_[end] == '(') ++depth;
            if (text_[end] == ')' && --depth == 0) break;
        }
        if (depth != 0) return fail("'{}(' has no ')'", name.text);
        lexer_.go_to(end + 1);
        if (auto moved = advance(); !moved) return std::unexpected(moved.error());
        if (!function_) return fail("there is no function '{}'", name.text);
        return function_(name.text, text_.substr(start, end - start));
    }

    // NAME(a,b): its own mathematics, else the dialplan's function.
    Value function_call(const Token& name) {
        if (!is_mathematics(name.text)) return dialplan_function(name);
        if (++depth_ > max_expression_depth) return too_deep();
        if (auto moved = advance(); !moved) return std::unexpected(moved.error());
        std::vector<long double> numbers;
        while (token_.kind != Kind::close) {
            auto value = conditional();
            if (!value) return value;
            numbers.push_back(wanted_number(*value));
            if (token_.kind == Kind::comma) {
                if (auto moved = advance(); !moved) return std::unexpected(moved.error());
            } else if (token_.kind != Kind::close) {
                return fail("')' was expected at {}", token_.at);
            }
        }
        if (auto moved = advance(); !moved) return std::unexpected(moved.error());
        --depth_;
        if (const auto result = mathematics(name.text, numbers)) return number_text(*result);
        return fail("{} does not take {} numbers", name.text, numbers.size());
    }

    static Value apply(Kind kind, const std::string& a, const std::string& b) {
        if (kind == Kind::either) return counts_as_true(a) ? a : b;
        if (kind == Kind::both)
            return counts_as_true(a) && counts_as_true(b) ? a : std::string("0");
        if (level_of(kind) == 2) return std::string(compare(kind, a, b) ? "1" : "0");
        const auto x = wanted_number(a);
        const auto y = wanted_number(b);
        if (kind == Kind::plus) return number_text(x + y);
        if (kind == Kind::minus) return number_text(x - y);
        if (kind == Kind::times) return number_text(x * y);
        if (y == 0) return fail("division by zero");
        if (kind == Kind::over) return number_text(x / y);
        return number_text(std::fmod(x, y));
    }

    static bool compare(Kind kind, const std::string& a, const std::string& b) {
        const auto x = to_number(a);
        const auto y = to_number(b);
        int order = 0;
        if (x && y)
            order = *x < *y ? -1 : *x > *y ? 1 : 0;
        else
            order = a.compare(b);
        switch (kind) {
            case Kind::equal: return order == 0;
            case Kind::unequal: return order != 0;
            case Kind::less: return order < 0;
            case Kind::greater: return order > 0;
            case Kind::less_equal: return order <= 0;
            default: return order >= 0;
        }
    }

    static Value match(std::string_view text, std::string_view pattern, bool at_start) {
        const auto found = search(without_quotes(pattern), without_quotes(text));
        if (!found) return std::unexpected(found.error());
        if (!found->matched || (at_start && found->start != 0))
            return std::string(found->has_group ? "" : "0");
        return found->has_group ? found->group : std::to_string(found->length);
    }

    static std::unexpected<Error> too_deep() {
        return fail("the expression nests deeper than {}", max_expression_depth);
    }

    std::string_view text_;
    Lexer lexer_;
    const ExpressionFunction& function_;
    Token token_;
    unsigned depth_ = 0;
};

}  // namespace

Result<std::string> evaluate(std::string_view expression, const ExpressionFunction& function) {
    if (expression.size() > max_expression)
        return fail("an expression of {} bytes", expression.size());
    return Evaluation(expression, function).run();
}

bool is_true_condition(std::string_view value) {
    value = trim(value);
    if (value.empty()) return false;
    // As Asterisk: a number is true unless zero, any other text is true.
    const auto digits = value.starts_with('-') || value.starts_with('+') ? value.substr(1) : value;
    if (digits.empty() || !is_digit(digits.front())) return true;
    const auto number = to_number(value);
    return !number || *number != 0;
}

}  // namespace strowger::dialplan
