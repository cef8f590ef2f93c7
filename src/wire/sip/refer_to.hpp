#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "wire/sip/uri.hpp"

namespace strowger::sip {

/// Refer-To (RFC 3515): where the receiver of a REFER is to turn.
struct ReferTo {
    static Result<ReferTo> parse(std::string_view value);

    NameAddress address;
    Uri uri;  ///< a SIP or tel URI; others are refused with 416

    /// The method= parameter of the URI; "INVITE" when there is none.
    std::string_view method() const;
    /// The Replaces header that the URI carries for an attended transfer, unescaped.
    std::optional<std::string> replaces() const;
    /// The URI without its headers and method: what the new request is sent to.
    std::string target() const;
};

/// One header of a URI's "?name=value&..." part, unescaped; names are case-insensitive.
std::optional<std::string> uri_header(const Uri& uri, std::string_view name);

}  // namespace strowger::sip
