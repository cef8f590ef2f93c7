#include "wire/sip/syntax.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace strowger::sip::syntax {

bool is_token(std::string_view text) {
    return !text.empty() &&
           std::all_of(text.begin(), text.end(), [](char c) { return is_token(c); });
}

std::string_view trim_lws(std::string_view text) {
    while (!text.empty() && is_lws(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_lws(text.back())) text.remove_suffix(1);
    return text;
}

std::size_t skip_quoted(std::string_view text, std::size_t at) {
    for (++at; at < text.size(); ++at) {
        if (text[at] == '\\')
            ++at;
        else if (text[at] == '"')
            return at + 1;
    }
    return npos;
}

std::size_t value_end(std::string_view list, std::size_t at) {
    bool in_brackets = false;
    while (at < list.size()) {
        switch (list[at]) {
            case '"':
                // Within <> a quote is only a stray character of a bad URI.
                if (!in_brackets) {
                    at = skip_quoted(list, at);
                    if (at == npos) return list.size();
                    continue;
                }
                break;
            case '<': in_brackets = true; break;
            case '>': in_brackets = false; break;
            case ',':
                if (!in_brackets) return at;
                break;
            default: break;
        }
        ++at;
    }
    return list.size();
}

std::optional<std::string_view> take_value(std::string_view& list) {
    if (trim_lws(list).empty()) return std::nullopt;
    const auto end = value_end(list);
    const auto value = trim_lws(list.substr(0, end));
    list.remove_prefix(std::min(end + 1, list.size()));
    return value;
}

namespace {

constexpr bool ends_parameter_word(char c) {
    return static_cast<unsigned char>(c) <= ' ' || c == '\\' || c == ';' || c == '=' || c == ',' ||
           c == '"' || c == '<' || c == '>';
}

}  // namespace

namespace {

/// "name[=value]" from `at` on; the index behind it and its white space, or npos when malformed.
std::size_t read_parameter(std::string_view text, std::size_t at, Parameter& parameter) {
    const auto start = at;
    while (at < text.size() && !ends_parameter_word(text[at])) ++at;
    if (at == start) return npos;
    parameter.name = text.substr(start, at - start);
    at = skip_lws(text, at);
    if (at == text.size() || text[at] != '=') return at;
    at = skip_lws(text, at + 1);
    if (at < text.size() && text[at] == '"') {
        const auto end = skip_quoted(text, at);
        if (end == npos) return npos;
        parameter.value = text.substr(at + 1, end - at - 2);
        parameter.quoted = true;
        return skip_lws(text, end);
    }
    const auto begin = at;
    // "=" may stand within a value (base64 does so); only a name may not hold one.
    while (at < text.size() && (text[at] == '=' || !ends_parameter_word(text[at]))) ++at;
    parameter.value = text.substr(begin, at - begin);
    return skip_lws(text, at);
}

}  // namespace

std::optional<Parameter> take_parameter(std::string_view& parameters) {
    const auto at = skip_lws(parameters, 0);
    if (at == parameters.size() || parameters[at] != ';') return std::nullopt;
    Parameter parameter;
    const auto end = read_parameter(parameters, skip_lws(parameters, at + 1), parameter);
    if (end == npos || (end < parameters.size() && parameters[end] != ';')) return std::nullopt;
    parameters.remove_prefix(end);
    return parameter;
}

std::optional<Parameter> take_auth_parameter(std::string_view& list) {
    auto at = skip_lws(list, 0);
    if (at < list.size() && list[at] == ',') at = skip_lws(list, at + 1);
    Parameter parameter;
    const auto end = read_parameter(list, at, parameter);
    if (end == npos || (end < list.size() && list[end] != ',')) return std::nullopt;
    list.remove_prefix(end);
    return parameter;
}

std::optional<std::uint32_t> delta_seconds(std::string_view text) {
    constexpr std::uint32_t largest = 0xffffffff;
    if (text.empty() || !std::all_of(text.begin(), text.end(), is_digit)) return std::nullopt;
    return parse_number<std::uint32_t>(text).value_or(largest);
}

bool are_parameters(std::string_view text) {
    while (take_parameter(text)) {}
    return trim_lws(text).empty();
}

std::size_t host_length(std::string_view text) {
    if (text.starts_with('[')) {
        std::size_t at = 1;
        while (at < text.size() && ipv6_characters[static_cast<unsigned char>(text[at])]) ++at;
        return at > 2 && at < text.size() && text[at] == ']' ? at + 1 : 0;
    }
    std::size_t at = 0;
    while (at < text.size() && host_characters[static_cast<unsigned char>(text[at])]) ++at;
    return at;
}

}  // namespace strowger::sip::syntax
