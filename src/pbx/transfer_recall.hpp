#pragma once

#include "base/task.hpp"
#include "pbx/bridge.hpp"

namespace strowger::pbx {

/// The target of a transfer did not answer, and who transferred has hung up: its device is called
/// back, atxfercallbackretries times with atxferloopdelay between (its own, or features.conf's),
/// and talks again to the one who waits in `bridge`. False: nobody could be had, or the waiting one
/// has gone.
Task<bool> call_back(Core& core, Bridge::Starter starter, std::shared_ptr<Bridge> bridge,
                     ChannelPtr transferor);

}  // namespace strowger::pbx
