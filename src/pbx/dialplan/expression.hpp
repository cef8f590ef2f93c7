#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace strowger::dialplan {

/// Calls a function that the expression language does not have itself: "NAME", "args".
using ExpressionFunction = std::function<Result<std::string>(std::string_view, std::string_view)>;

/// The value of `$[ ... ]` (without the brackets, variables already substituted).
///
/// From loosest to tightest: `,` | `? ::` | `|` | `&` | `= == != < > <= >=` | `+ -` | `* / %` |
/// `!`, unary `-` | `:` `=~` `~~`. Quoted tokens are strings and keep their quotes.
Result<std::string> evaluate(std::string_view expression, const ExpressionFunction& function = {});

/// Whether a condition (`GotoIf(...?`) counts as true: not empty and not zero.
bool is_true_condition(std::string_view value);

/// As expressions print numbers: no trailing zeros.
std::string number_text(long double number);

inline constexpr unsigned max_expression_depth = 128;     ///< of parentheses and operators
inline constexpr std::size_t max_expression = 32u << 10;  ///< bytes

}  // namespace strowger::dialplan
