#pragma once

#include <string_view>

#include "io/http.hpp"

namespace strowger::broker {

/// The whole content (200) or the one range of it that a Range field asks for (206), or 416.
/// Several ranges at once, and what cannot be read, are answered with the whole (RFC 9110
/// section 14.2).
io::HttpResponse part_of(std::string_view content, std::string_view range_field);

}  // namespace strowger::broker
