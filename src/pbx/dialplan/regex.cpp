#include "pbx/dialplan/regex.hpp"

#include <regex.h>

#include <algorithm>

#include "base/text.hpp"

namespace strowger::dialplan {

namespace {

// Nested intervals like (a{200}){200} multiply into the compiled automaton; keep the product small.
bool repeats_too_much(std::string_view regex) {
    static constexpr unsigned most = 1000;
    unsigned product = 1;
    for (auto at = regex.find('{'); at != std::string_view::npos; at = regex.find('{', at + 1)) {
        unsigned highest = 1;
        unsigned number = 0;
        for (auto i = at + 1; i < regex.size() && (is_digit(regex[i]) || regex[i] == ','); ++i) {
            number = regex[i] == ','
                         ? 0
                         : std::min(most, number * 10 + static_cast<unsigned>(regex[i] - '0'));
            highest = std::max(highest, number);
        }
        product = std::min(product * highest, most + 1);
    }
    return product > most;
}

constexpr std::size_t longest_pattern = 256;
constexpr std::size_t longest_text = 4096;

}  // namespace

Result<Matched> search(std::string_view pattern, std::string_view text) {
    if (pattern.size() > longest_pattern || text.size() > longest_text || repeats_too_much(pattern))
        return fail("a regular expression too large to be tried ({} bytes on {})", pattern.size(),
                    text.size());
    // The library takes C strings: what follows a zero byte would silently not count.
    if (pattern.find('\0') != std::string_view::npos || text.find('\0') != std::string_view::npos)
        return fail("a regular expression on binary data");
    const std::string subject(text);
    regex_t compiled;
    if (regcomp(&compiled, std::string(pattern).c_str(), REG_EXTENDED) != 0)
        return fail("'{}' is not a regular expression", pattern);
    regmatch_t groups[2];
    Matched result;
    result.has_group = compiled.re_nsub > 0;
    result.matched = regexec(&compiled, subject.c_str(), 2, groups, 0) == 0;
    regfree(&compiled);
    if (!result.matched) return result;
    result.start = static_cast<std::size_t>(groups[0].rm_so);
    result.length = static_cast<std::size_t>(groups[0].rm_eo - groups[0].rm_so);
    if (result.has_group && groups[1].rm_so >= 0)
        result.group = subject.substr(static_cast<std::size_t>(groups[1].rm_so),
                                      static_cast<std::size_t>(groups[1].rm_eo - groups[1].rm_so));
    return result;
}

}  // namespace strowger::dialplan
