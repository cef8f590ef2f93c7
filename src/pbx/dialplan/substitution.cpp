#include "pbx/dialplan/substitution.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "pbx/dialplan/expression.hpp"
#include "pbx/dialplan/functions.hpp"

namespace strowger::dialplan {

std::string_view substring(std::string_view text, long offset, std::optional<long> length) {
    const auto size = static_cast<long>(text.size());
    if (offset > size) return {};
    if (offset < 0) offset = std::max(0L, size + std::max(offset, -size));
    long end = size;
    if (length)
        end = *length >= 0 ? offset + std::min(*length, size - offset)
                           : size + std::max(*length, -size);
    if (end <= offset) return {};
    return text.substr(static_cast<std::size_t>(offset), static_cast<std::size_t>(end - offset));
}

namespace {

// The inside of `${...}` or `$[...]`: up to the bracket that closes it, others counted.
std::size_t find_close(std::string_view text, char open, char close) {
    int depth = 1;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] == open) ++depth;
        if (text[at] == close && --depth == 0) return at;
    }
    return std::string_view::npos;
}

// "name:offset:length" or "FUNC(args):offset:length"; colons within parentheses are the function's.
struct Reference {
    std::string_view name;
    bool has_substring = false;
    long offset = 0;
    std::optional<long> length;
    bool is_function = false;
};

long bounded_number(std::string_view text) {
    static constexpr long bound = 1L << 30;
    text = trim(text);
    bool negative = false;
    if (text.starts_with('-') || text.starts_with('+')) {
        negative = text.front() == '-';
        text.remove_prefix(1);
    }
    long value = 0;
    for (const char c : text) {
        if (!is_digit(c)) break;
        value = std::min(bound, value * 10 + (c - '0'));
    }
    return negative ? -value : value;
}

Reference parse_reference(std::string_view text) {
    Reference reference;
    int depth = 0;
    std::size_t colon = std::string_view::npos;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] == '(') {
            ++depth;
            reference.is_function = true;
        } else if (text[at] == ')') {
            if (depth > 0) --depth;
        } else if (text[at] == ':' && depth == 0) {
            colon = at;
            break;
        }
    }
    reference.name = text.substr(0, colon);
    if (colon == std::string_view::npos) return reference;
    reference.has_substring = true;
    const auto [offset, length] = split_once(text.substr(colon + 1), ':');
    reference.offset = bounded_number(offset);
    if (text.find(':', colon + 1) != std::string_view::npos)
        reference.length = bounded_number(length);
    return reference;
}

class Substitution {
public:
    explicit Substitution(Call& call) : call_(call) {}

    void run(std::string_view text, std::string& out, unsigned depth) {
        while (const auto reference = next(text, out, depth)) {
            std::string buffer;
            std::string_view inside = reference->inside;
            if (next_reference(inside) != std::string_view::npos) {
                run(inside, buffer, depth + 1);
                inside = buffer;
            }
            if (!reference->is_variable) {
                append_expression(inside, out);
                continue;
            }
            const auto wanted = parse_reference(inside);
            append_value(wanted, value_of(wanted), out);
        }
    }

    // As `run`, where functions may wait.
    Task<> run_waiting(std::string_view text, std::string& out, unsigned depth) {
        while (const auto reference = next(text, out, depth)) {
            std::string buffer;
            std::string_view inside = reference->inside;
            if (next_reference(inside) != std::string_view::npos) {
                co_await run_waiting(inside, buffer, depth + 1);
                inside = buffer;
            }
            if (!reference->is_variable) {
                append_expression(inside, out);
                continue;
            }
            const auto wanted = parse_reference(inside);
            std::string value;
            if (wanted.is_function) {
                std::string expression(wanted.name);
                auto result =
                    co_await call_.environment().functions.await(call_, std::move(expression));
                value = reported(std::move(result));
            } else {
                value = value_of(wanted);
            }
            append_value(wanted, std::move(value), out);
        }
    }

private:
    static std::size_t next_reference(std::string_view text) {
        for (auto at = text.find('$'); at != std::string_view::npos; at = text.find('$', at + 1))
            if (at + 1 < text.size() && (text[at + 1] == '{' || text[at + 1] == '[')) return at;
        return std::string_view::npos;
    }

    struct Piece {
        bool is_variable;
        std::string_view inside;
    };

    // The next `${...}` or `$[...]` of what is left of the text; what stands before it is appended.
    std::optional<Piece> next(std::string_view& text, std::string& out, unsigned depth) {
        while (!text.empty()) {
            const auto at = next_reference(text);
            append(out, text.substr(0, at));
            if (at == std::string_view::npos) break;
            text.remove_prefix(at);
            const bool is_variable = text[1] == '{';
            const auto inside = text.substr(2);
            const auto close =
                is_variable ? find_close(inside, '{', '}') : find_close(inside, '[', ']');
            if (close == std::string_view::npos) {
                call_.report(log::Level::warning,
                             fmt::format("'{}' has no closing bracket", text.substr(0, 80)));
                append(out, text);
                break;
            }
            text = inside.substr(close + 1);
            if (depth < max_substitution_depth) return Piece{is_variable, inside.substr(0, close)};
            call_.report(log::Level::warning,
                         fmt::format("variables nest deeper than {}", max_substitution_depth));
        }
        return std::nullopt;
    }

    void append(std::string& out, std::string_view text) {
        const auto room = max_substituted - std::min(max_substituted, out.size());
        if (text.size() > room && !complained_) {
            complained_ = true;
            call_.report(log::Level::warning,
                         fmt::format("a text grew beyond {} bytes and is cut", max_substituted));
        }
        out.append(text.substr(0, room));
    }

    std::string reported(Result<std::string> result) {
        if (result) return std::move(*result);
        call_.report(log::Level::warning, result.error().text());
        return {};
    }

    std::string value_of(const Reference& reference) {
        if (reference.is_function)
            return reported(call_.environment().functions.read(call_, reference.name));
        return call_.variable(reference.name).value_or("");
    }

    void append_value(const Reference& reference, const std::string& value, std::string& out) {
        append(out, reference.has_substring ? substring(value, reference.offset, reference.length)
                                            : std::string_view(value));
    }

    void append_expression(std::string_view expression, std::string& out) {
        const auto result = evaluate(expression, [&](std::string_view name, std::string_view args) {
            return call_.environment().functions.read(call_, fmt::format("{}({})", name, args));
        });
        if (result)
            append(out, *result);
        else
            call_.report(log::Level::warning,
                         fmt::format("$[{}]: {}", expression, result.error().text()));
    }

    Call& call_;
    bool complained_ = false;
};

}  // namespace

std::string substitute(Call& call, std::string_view text) {
    std::string out;
    if (text.find('$') == std::string_view::npos) {
        out = text.substr(0, max_substituted);
        return out;
    }
    const Call::Nested nested(call);
    if (!nested) {
        call.report(log::Level::warning, "functions call each other too deep");
        return out;
    }
    Substitution(call).run(text, out, 0);
    return out;
}

Task<std::string> substitute_waiting(Call& call, std::string text) {
    std::string out;
    const Call::Nested nested(call);
    if (!nested) {
        call.report(log::Level::warning, "functions call each other too deep");
        co_return out;
    }
    Substitution substitution(call);
    co_await substitution.run_waiting(text, out, 0);
    co_return out;
}

}  // namespace strowger::dialplan
