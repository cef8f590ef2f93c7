#pragma once

#include <string_view>

namespace strowger {

/// Would the C library's regcomp need very much memory for this POSIX extended expression? It
/// writes out repetitions: each {n} of what repeats already multiplies, and each + after a group or
/// after another repetition doubles. True also for some that would do no harm. To be asked before
/// an expression from outside is compiled.
bool regex_explodes(std::string_view regex);

}  // namespace strowger
