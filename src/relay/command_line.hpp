#pragma once

#include <string>
#include <string_view>

#include "relay/relay.hpp"

namespace strowger::relay {

/// One command of the relay's command line (docs/relay.md): what `rtpengine-ctl` sends. The answer
/// is text, mistakes included.
std::string run_command(Relay& relay, std::string_view line);

}  // namespace strowger::relay
