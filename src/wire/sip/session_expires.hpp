#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace strowger::sip {

/// Session-Expires (RFC 4028 section 4): "1800;refresher=uac".
struct SessionExpires {
    enum class Refresher : std::uint8_t { unset, uac, uas };

    static Result<SessionExpires> parse(std::string_view value);

    std::uint32_t interval = 0;  ///< seconds
    Refresher refresher = Refresher::unset;

    std::string text() const;
};

}  // namespace strowger::sip
