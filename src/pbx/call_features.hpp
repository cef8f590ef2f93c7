#pragma once

#include <string>

#include "base/task.hpp"
#include "pbx/bridge.hpp"

namespace strowger::pbx {

// What parties of a call can have done by digits, other than transfers.

/// Starts to record the call, or ends that (automixmon). The file's name is made of the time and
/// the two numbers, or of TOUCH_MIXMONITOR; TOUCH_MIXMONITOR_OUTPUT says where it went.
Task<> toggle_recording(ChannelPtr by, ChannelPtr peer);

/// Parks whom `by` talks to; `by` hears the number of the space, and is let go of.
Task<> park_peer(Core& core, Bridge::Starter starter, std::shared_ptr<Bridge> bridge,
                 ChannelPtr by);

/// Starts to play a prompt, if there is one of that name.
Task<> say(ChannelPtr channel, std::string prompt);

/// Where the numbers are that a party may transfer to: TRANSFER_CONTEXT, or its own context.
std::string transfer_context(const Channel& channel);

}  // namespace strowger::pbx
