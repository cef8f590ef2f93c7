#pragma once

#include "pbx/dialplan/functions.hpp"

namespace strowger::pbx {

/// PERIODIC_HOOK: a dialplan that runs again and again beside a call.
void add_periodic_hook_function(dialplan::Functions& functions);

}  // namespace strowger::pbx
