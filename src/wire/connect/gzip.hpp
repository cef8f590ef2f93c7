#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace strowger::connect {

/// Bodies with Content-Encoding gzip (RFC 1952). `limit` bounds what may come out: a small body
/// can unpack to a thousand times its size.
Result<std::string> gunzip(std::string_view packed, std::size_t limit);
std::string gzip(std::string_view bytes);

}  // namespace strowger::connect
