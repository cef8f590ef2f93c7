#pragma once

#include "pbx/bridge.hpp"
#include "pbx/dialplan/applications.hpp"

namespace strowger::pbx {

/// Dial and RetryDial: ring one or several destinations, and join the caller with the first to
/// answer. `starter` begins a dialplan on a leg that is transferred or sent on (options G, F).
void add_dial_application(dialplan::Applications& applications, Bridge::Starter starter);

}  // namespace strowger::pbx
