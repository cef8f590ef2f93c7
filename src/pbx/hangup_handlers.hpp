#pragma once

#include <string_view>

#include "base/result.hpp"
#include "base/task.hpp"
#include "pbx/channel.hpp"

namespace strowger::pbx {

/// CHANNEL(hangup_handler_push)="[[ctx,]exten,]prio[(args)]": a subroutine to be run when the
/// channel has ended.
Result<> push_hangup_handler(Channel& channel, std::string_view target);

/// Runs them, the newest first, each once. After the `h` extension.
Task<> run_hangup_handlers(ChannelPtr channel);

inline constexpr std::size_t max_hangup_handlers = 100;

}  // namespace strowger::pbx
