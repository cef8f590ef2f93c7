#pragma once

#include <string>

#include "io/http.hpp"

namespace strowger::broker {

/// Bytes of the largest file that a page may consist of.
inline constexpr std::size_t max_static_file = 32 << 20;

/// A file below `directory` for GET and HEAD, "/" being index.html; else 404. Names that begin with
/// a dot, and so all ways out of the directory, do not exist.
io::HttpResponse static_file(const std::string& directory, const io::HttpRequest& request);

}  // namespace strowger::broker
