#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"

namespace strowger {

enum class Padding : std::uint8_t { omitted, written };

/// Base64 with the alphabet of RFC 4648 section 4.
std::string to_base64(Bytes bytes, Padding padding);

/// With its padding or without. Nothing on any other character and on bits that belong to no byte.
std::optional<std::vector<std::uint8_t>> from_base64(std::string_view text);

}  // namespace strowger
