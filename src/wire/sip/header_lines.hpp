#pragma once

#include <optional>
#include <string_view>

#include "wire/sip/message.hpp"

namespace strowger::sip {

/// Walks the header lines of a text that may be no valid message: for what must be done before
/// parsing, and for answering what cannot be parsed.
class RawHeaderLines {
public:
    explicit RawHeaderLines(std::string_view bytes);

    std::string_view start_line() const { return start_line_; }
    /// The next line, folds included and trimmed; nothing at the empty line or the first line that
    /// has no colon.
    std::optional<Header> next();

private:
    std::string_view start_line_, rest_;
};

}  // namespace strowger::sip
