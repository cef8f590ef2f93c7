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
        while (!text.empty()) {
            const auto at = next_reference(text);
            append(out, text.substr(0, at));
            if (at == std::string_view::npos) return;
            text.remove_prefix(at);
            const bool is_variable = text[1] == '{';
            const auto inside = text.substr(2);
            const auto close =
                is_variable ? find_close(inside, '{', '}') : find_close(inside, '[', ']');
            if (close == std::string_view::npos) {
                call_.report(log::Level::warning,
                             fmt::format("'{}' has no closing bracket", text.substr(0, 80)));
                append(out, text);
                return;
            }
            if (depth >= max_substitution_depth)
                call_.report(log::Level::warning,
                             fmt::format("variables nest deeper than {}", max_substitution_depth));
            else if (is_variable)
                append_variable(inside.substr(0, close), out, depth);
            else
                append_expression(inside.substr(0, close), out, depth);
            text = inside.substr(close + 1);
        }
    }

private:
    static std::size_t next_reference(std::string_view text) {
        for (auto at = text.find('$'); at != std::string_view::npos; at = text.find('$', at + 1))
            if (at + 1 < text.size() && (text[at + 1] == '{' || text[at + 1] == '[')) return at;
        return std::string_view::npos;
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

    // The inside with its own references replaced; most have none and are used as they stand.
    std::string_view resolved(std::string_view inside, std::string& buffer, unsigned depth) {
        if (next_reference(inside) == std::string_view::npos) return inside;
        run(inside, buffer, depth + 1);
        return buffer;
    }

    void append_variable(std::string_view inside, std::string& out, unsigned depth) {
        std::string buffer;
        const auto reference = parse_reference(resolved(inside, buffer, depth));
        std::string value;
        if (reference.is_function) {
            auto result = call_.environment().functions.read(call_, reference.name);
            if (result)
                value = std::move(*result);
            else
                call_.report(log::Level::warning, result.error().text());
        } else if (auto found = call_.variable(reference.name)) {
            value = std::move(*found);
        }
        append(out, reference.has_substring ? substring(value, reference.offset, reference.length)
                                            : std::string_view(value));
    }

    void append_expression(std::string_view inside, std::string& out, unsigned depth) {
        std::string buffer;
        const auto expression = resolved(inside, buffer, depth);
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

}  // namespace strowger::dialplan
