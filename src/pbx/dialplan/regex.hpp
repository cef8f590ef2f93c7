#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace strowger::dialplan {

/// The first match of a POSIX extended regular expression.
struct Matched {
    bool matched = false;
    bool has_group = false;  ///< the pattern has one, matched or not
    std::size_t start = 0;
    std::size_t length = 0;
    std::string group;  ///< of the first group
};

/// An Error for a pattern that cannot be compiled or is larger than what is safe to give to the C
/// library, whose automata grow and backtrack.
Result<Matched> search(std::string_view pattern, std::string_view text);

}  // namespace strowger::dialplan
