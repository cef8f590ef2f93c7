#pragma once

#include <string_view>
#include <vector>

#include "pbx/config/settings.hpp"

namespace strowger::pbx {

/// The dialplan applications that modules.conf switches off: `noload => app_queue.so`, or
/// `autoload = no` without a `load` of theirs. Strowger has no modules; their names stand for what
/// they bring. Applications that belong to no module of that table are always there.
std::vector<std::string_view> switched_off_applications(const config::Modules& modules);

}  // namespace strowger::pbx
