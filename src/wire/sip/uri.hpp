#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace strowger::sip {

/// A SIP, SIPS or tel URI over borrowed text (RFC 3261 section 19.1, RFC 3966).
struct Uri {
    /// Comparing two URIs looks at every pair of parameters, and of headers; nobody needs so many.
    static constexpr std::size_t max_parameters = 64;

    static Result<Uri> parse(std::string_view text);

    std::string_view scheme;  ///< as spelled: "sip", "sips", "tel"
    std::string_view user;    ///< still escaped; for tel the number
    std::string_view password;
    std::string_view host;  ///< IPv6 references keep their brackets; empty for tel
    std::optional<std::uint16_t> port;
    std::string_view parameters;  ///< ";transport=tcp;lr" with the leading semicolon, or empty
    std::string_view headers;     ///< "Replaces=..." without the question mark, or empty

    bool is_secure() const;                                                  ///< sips
    std::optional<std::string_view> parameter(std::string_view name) const;  ///< "" when valueless
    std::string text() const;
};

/// Equality by RFC 3261 section 19.1.4.
bool equivalent(const Uri& a, const Uri& b);

/// %HH escapes of user parts and URI headers (section 19.1.2).
std::string unescape(std::string_view text);
std::string escape_user(std::string_view text);

/// name-addr or addr-spec with header parameters (section 20.10): From, To, Contact, Route,
/// Refer-To.
struct NameAddress {
    static Result<NameAddress> parse(std::string_view text);

    std::string_view display_name;  ///< quotes removed, escapes kept; see `display_text`
    std::string_view uri;           ///< between < and >, or the bare addr-spec
    std::string_view parameters;    ///< header parameters, ";tag=x;expires=60", or empty

    std::optional<std::string_view> parameter(std::string_view name) const;
    std::string display_text() const;  ///< display name with backslash escapes resolved
};

/// The value of `;name=value` in a parameter string: names case-insensitive, quotes removed,
/// "" when valueless, nothing when absent.
std::optional<std::string_view> find_parameter(std::string_view parameters, std::string_view name);

}  // namespace strowger::sip
