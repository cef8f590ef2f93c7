#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace strowger::sip {

// E.164 numbers to URIs (RFC 6116), as far as it needs no name server.

/// "4.3.2.1.5.5.5.6.1.4.e164.arpa" of "+46555 1234": the digits from the last to the first, under
/// the zone. Empty without digits.
std::string enum_domain(std::string_view number, std::string_view zone);

/// Whether a NAPTR's service field ("E2U+sip", "E2U+pstn:tel+msg:sms") offers that kind; any when
/// `type` is empty. The reversed "sip+E2U" of RFC 2916 is still met.
bool is_enum_service(std::string_view service, std::string_view type);

/// Applies a NAPTR's rule ("!^(.*)$!sip:\\1@example.com!", RFC 3402 section 3.2) to the number with
/// its '+'. Nothing when it is malformed or does not match.
std::optional<std::string> apply_naptr_rule(std::string_view rule, std::string_view number);

inline constexpr std::size_t max_enum_digits = 32;    ///< E.164 has 15; private trees a few more
inline constexpr std::size_t max_naptr_rule = 255;    ///< a character-string (RFC 1035 3.3)
inline constexpr std::size_t max_enum_result = 1024;  ///< of the URI that comes out

}  // namespace strowger::sip
