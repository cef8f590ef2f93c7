#pragma once

#include <cstddef>
#include <string_view>

namespace strowger {

/// The size of the UTF-8 character at the front (RFC 3629 section 4), 0 when there is none.
std::size_t utf8_size(std::string_view text);

bool is_utf8(std::string_view text);

}  // namespace strowger
