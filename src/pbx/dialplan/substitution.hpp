#pragma once

#include <string>
#include <string_view>

#include "base/task.hpp"
#include "pbx/dialplan/call.hpp"

namespace strowger::dialplan {

/// Replaces `${...}` and `$[...]` in one pass; the result is not scanned again. What cannot be
/// evaluated is empty and reported to the call. Results are cut at `max_substituted`.
std::string substitute(Call& call, std::string_view text);

/// The same where functions that wait (CURL, SHELL, ...) may be called: within `${}`, not within
/// the arguments that another function evaluates by itself. Worth its price only when
/// Functions::may_wait says so.
Task<std::string> substitute_waiting(Call& call, std::string text);

/// `${v:offset:length}` on any text.
std::string_view substring(std::string_view text, long offset, std::optional<long> length);

inline constexpr std::size_t max_substituted = 64u << 10;  ///< bytes; Asterisk's own is 4 or 8 KiB
inline constexpr unsigned max_substitution_depth = 32;     ///< of `${` within `${`

}  // namespace strowger::dialplan
