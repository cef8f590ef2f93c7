#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace strowger::sip {

/// Date (RFC 3261 section 20.17): "Sat, 13 Nov 2010 23:29:00 GMT", and no other zone.
std::optional<std::chrono::sys_seconds> parse_date(std::string_view text);
std::string date_text(std::chrono::sys_seconds time);

}  // namespace strowger::sip
