#include "pbx/dialplan/arguments.hpp"

#include "base/text.hpp"

namespace strowger::dialplan {

namespace {

// Follows brackets, quotes and backslashes through a text; says which separators count.
class Nesting {
public:
    /// True when `c` stands outside of everything.
    bool outside(char c) {
        if (escaped_) {
            escaped_ = false;
            return false;
        }
        if (c == '\\') {
            escaped_ = true;
            return false;
        }
        if (c == '"') quoted_ = !quoted_;
        if (quoted_) return false;
        if (c == '(' || c == '[' || c == '{') ++depth_;
        if ((c == ')' || c == ']' || c == '}') && depth_ > 0) --depth_;
        return depth_ == 0;
    }

private:
    int depth_ = 0;
    bool quoted_ = false;
    bool escaped_ = false;
};

std::string unquoted(std::string_view text) {
    std::string result;
    result.reserve(text.size());
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] == '"') continue;
        if (text[at] == '\\' && at + 1 < text.size()) ++at;
        result += text[at];
    }
    return result;
}

}  // namespace

std::size_t find_outside(std::string_view text, char separator) {
    Nesting nesting;
    for (std::size_t at = 0; at < text.size(); ++at)
        if (nesting.outside(text[at]) && text[at] == separator) return at;
    return std::string_view::npos;
}

std::vector<std::string_view> split_raw(std::string_view text, char separator) {
    std::vector<std::string_view> parts;
    if (text.empty()) return parts;
    Nesting nesting;
    std::size_t start = 0;
    for (std::size_t at = 0; at < text.size() && parts.size() + 1 < max_arguments; ++at)
        if (nesting.outside(text[at]) && text[at] == separator) {
            parts.push_back(text.substr(start, at - start));
            start = at + 1;
        }
    parts.push_back(text.substr(start));
    return parts;
}

std::vector<std::string> split_arguments(std::string_view text, char separator) {
    std::vector<std::string> arguments;
    for (const auto part : split_raw(text, separator)) arguments.push_back(unquoted(part));
    return arguments;
}

Invocation split_invocation(std::string_view text) {
    text = trim(text);
    const auto end = text.find_first_of("(,");
    if (end == std::string_view::npos) return {text, {}};
    const auto name = trim(text.substr(0, end));
    auto arguments = text.substr(end + 1);
    if (text[end] == '(') {
        // To the last bracket: what stands between may hold any others, balanced or not.
        if (const auto close = arguments.rfind(')'); close != std::string_view::npos)
            arguments = arguments.substr(0, close);
    }
    return {name, arguments};
}

}  // namespace strowger::dialplan
