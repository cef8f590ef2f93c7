#pragma once

#include <fmt/core.h>

#include <string>
#include <utility>

namespace strowger {

/// What went wrong and where, in words for the person who has to mend it.
///
/// The text says what was expected, what came and where. A code is carried only
/// where a caller branches on it (a SIP status, an errno); 0 otherwise.
class Error {
public:
    explicit Error(std::string text, int code = 0) : text_(std::move(text)), code_(code) {}

    const std::string& text() const { return text_; }
    int code() const { return code_; }

    /// The same error seen from one level up: "context: text".
    Error within(std::string_view context) const {
        return Error(fmt::format("{}: {}", context, text_), code_);
    }

private:
    std::string text_;
    int code_;
};

}  // namespace strowger
