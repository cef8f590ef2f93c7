#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace strowger::sip {

/// One Reason value (RFC 3326): why a BYE or CANCEL was sent. `Q.850;cause=16;text="..."`.
struct Reason {
    static Result<Reason> parse(std::string_view value);

    std::string_view protocol;  ///< "SIP", "Q.850", or another
    std::optional<int> cause;   ///< a SIP status, or a Q.850 cause
    std::string_view text;      ///< escapes kept

    std::string header_text() const;
};

}  // namespace strowger::sip
