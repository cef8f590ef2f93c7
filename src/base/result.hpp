#pragma once

#include <expected>
#include <utility>

#include "base/error.hpp"

namespace strowger {

/// A value, or the Error that kept it from being made.
template <typename T = void>
using Result = std::expected<T, Error>;

/// `return fail("{}:{}: unknown key '{}'", file, line, key);`
template <typename... Args>
[[nodiscard]] std::unexpected<Error> fail(fmt::format_string<Args...> format, Args&&... args) {
    return std::unexpected(Error(fmt::format(format, std::forward<Args>(args)...)));
}

/// As `fail`, with a code for callers that branch on it.
template <typename... Args>
[[nodiscard]] std::unexpected<Error> fail_with(int code, fmt::format_string<Args...> format,
                                               Args&&... args) {
    return std::unexpected(Error(fmt::format(format, std::forward<Args>(args)...), code));
}

}  // namespace strowger
