#include "wire/sip/enum_uri.hpp"

#include <regex.h>

#include <array>
#include <vector>

#include "base/regex_bound.hpp"
#include "base/text.hpp"

namespace strowger::sip {

std::string enum_domain(std::string_view number, std::string_view zone) {
    std::string name;
    std::size_t digits = 0;
    for (auto at = number.size(); at-- > 0 && digits < max_enum_digits;) {
        if (!is_digit(number[at])) continue;
        name += number[at];
        name += '.';
        ++digits;
    }
    return name.empty() ? name : name + std::string(zone);
}

bool is_enum_service(std::string_view service, std::string_view type) {
    bool is_enum = false, offered = type.empty();
    for (const auto part : split(service, '+')) {
        if (iequals(part, "E2U"))
            is_enum = true;
        else if (iequals(part, type) || iequals(split_once(part, ':').first, type) ||
                 iequals(split_once(part, ':').second, type))
            offered = true;
    }
    return is_enum && offered;
}

std::optional<std::string> apply_naptr_rule(std::string_view rule, std::string_view number) {
    if (rule.size() < 3 || rule.size() > max_naptr_rule) return std::nullopt;
    // The first character is the delimiter, escaped by a backslash where it is none.
    std::vector<std::string> parts(1);
    for (std::size_t at = 1; at < rule.size(); ++at) {
        if (rule[at] == '\\' && at + 1 < rule.size() && rule[at + 1] == rule.front())
            parts.back() += rule[++at];
        else if (rule[at] == rule.front())
            parts.emplace_back();
        else
            parts.back() += rule[at];
    }
    if (parts.size() != 3 || regex_explodes(parts[0])) return std::nullopt;
    regex_t compiled;
    const int flags = REG_EXTENDED | (parts[2].find('i') != std::string::npos ? REG_ICASE : 0);
    if (::regcomp(&compiled, parts[0].c_str(), flags) != 0) return std::nullopt;
    const std::string text = number.starts_with('+') ? std::string(number.substr(0, 64))
                                                     : "+" + std::string(number.substr(0, 64));
    std::array<regmatch_t, 10> groups{};
    const bool matched = ::regexec(&compiled, text.c_str(), groups.size(), groups.data(), 0) == 0;
    ::regfree(&compiled);
    if (!matched) return std::nullopt;
    std::string uri;
    for (std::size_t at = 0; at < parts[1].size() && uri.size() < max_enum_result; ++at) {
        const char c = parts[1][at];
        if (c != '\\' || at + 1 == parts[1].size()) {
            uri += c;
            continue;
        }
        const char next = parts[1][++at];
        if (!is_digit(next)) {
            uri += next;
            continue;
        }
        const auto& group = groups[static_cast<std::size_t>(next - '0')];
        if (group.rm_so >= 0)
            uri.append(text, static_cast<std::size_t>(group.rm_so),
                       static_cast<std::size_t>(group.rm_eo - group.rm_so));
    }
    return uri;
}

}  // namespace strowger::sip
