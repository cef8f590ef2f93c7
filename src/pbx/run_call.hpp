#pragma once

#include <string>

#include "base/task.hpp"
#include "pbx/channel.hpp"

namespace strowger::pbx {

/// An application that runs instead of the dialplan.
struct SingleApplication {
    std::string name;  ///< empty: none
    std::string arguments = {};
};

/// All that a channel does by itself: agrees on media with a caller, runs the dialplan from the
/// channel's position (or only `application`, until it is sent elsewhere), hangs up with what that
/// came to, then runs `h` and the hangup handlers.
Task<> run_call(ChannelPtr channel, SingleApplication application = {});

}  // namespace strowger::pbx
