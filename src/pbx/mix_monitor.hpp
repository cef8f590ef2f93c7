#pragma once

#include <cstdint>
#include <string>

#include "pbx/channel.hpp"
#include "pbx/dialplan/functions.hpp"

namespace strowger::pbx {

/// The file of a MixMonitor that runs on that channel, for MIXMONITOR(); `forget` when it was
/// stopped.
void remember_mix_monitor(Channel& channel, std::uint64_t id, std::string file);
void forget_mix_monitor(Channel& channel, std::uint64_t id);

/// MIXMONITOR.
void add_mix_monitor_functions(dialplan::Functions& functions);

}  // namespace strowger::pbx
