#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace strowger::sip {

/// Replaces (RFC 3891): the dialog that this INVITE takes the place of, as its receiver names it.
struct Replaces {
    static Result<Replaces> parse(std::string_view value);

    std::string_view call_id;
    std::string_view to_tag;    ///< the receiver's own tag
    std::string_view from_tag;  ///< its peer's tag
    bool early_only = false;

    std::string text() const;
};

}  // namespace strowger::sip
