#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace strowger::broker {

inline constexpr std::size_t max_words = 4096;

/// Words as a POSIX shell splits them: blanks between, '...' and "..." around, backslash before. No
/// expansion of anything. An open quote is an error.
Result<std::vector<std::string>> shell_words(std::string_view text);

}  // namespace strowger::broker
