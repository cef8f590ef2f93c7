#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace strowger::dialplan {

/// Splits on commas outside of (), [], {} and "..."; quotes and backslashes are taken away. ""
/// gives no arguments. At most `max_arguments`; the last keeps the rest.
std::vector<std::string> split_arguments(std::string_view text, char separator = ',');

/// The same places, but quotes and backslashes stay: for Gosub, Set and their like.
std::vector<std::string_view> split_raw(std::string_view text, char separator = ',');

/// The first separator outside of brackets and quotes, or npos.
std::size_t find_outside(std::string_view text, char separator);

/// "App(args)" or "App,args" taken apart; `arguments` is empty without any.
struct Invocation {
    std::string_view name;
    std::string_view arguments;
};
Invocation split_invocation(std::string_view text);

inline constexpr std::size_t max_arguments = 1024;

}  // namespace strowger::dialplan
