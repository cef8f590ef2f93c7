#include "pbx/dialplan/regex.hpp"

#include <regex.h>

#include "base/regex_bound.hpp"

namespace strowger::dialplan {

namespace {

constexpr std::size_t longest_pattern = 256;
constexpr std::size_t longest_text = 4096;

}  // namespace

Result<Matched> search(std::string_view pattern, std::string_view text) {
    if (pattern.size() > longest_pattern || text.size() > longest_text || regex_explodes(pattern))
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
