#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace strowger::pbx::config {

/// Milliseconds; no codec packs more into one packet.
constexpr unsigned max_packet_time = 300;

/// Applies one `allow` or `disallow` line to a codec list: names in order, `all`, `!name`,
/// `name:ms`; an `allow` that begins with `!all` starts afresh. Unknown names are an Error.
Result<> apply_codecs(std::vector<std::string>& codecs, std::string_view value, bool allow);

/// Every codec name there is, audio in Asterisk's order of preference, then video and text.
const std::vector<std::string_view>& known_codecs();

}  // namespace strowger::pbx::config
