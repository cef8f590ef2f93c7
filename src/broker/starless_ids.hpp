#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/random.hpp"

namespace strowger::broker {

/// How the older generation names its tasks: the UUID of the request that brought them (version 4,
/// RFC 9562 section 5.4), a slash, and the place within it in four digits or more.

std::string new_uuid(Random& random);
std::string starless_task_id(std::string_view uuid, std::size_t place);
/// `text` has the form of such a name.
bool is_starless_task_id(std::string_view text);

}  // namespace strowger::broker
