#pragma once

#include <string>
#include <utility>
#include <vector>

#include "pbx/bridge.hpp"
#include "pbx/channel.hpp"
#include "pbx/dial_target.hpp"
#include "pbx/run_call.hpp"

namespace strowger::pbx {

/// A call that the exchange makes by itself (Originate, `channel originate`): somebody is called,
/// and once he answers an application runs for him, or the dialplan.
struct Origination {
    DialTarget target;
    Duration timeout = std::chrono::seconds{30};
    PartyId caller;  ///< whom the phone shows, and CALLERID() of what runs then
    std::string accountcode;
    std::vector<std::pair<std::string, std::string>> variables =
        {};  ///< as Set has them: _x, FUNC()
    SingleApplication application = {};
    dialplan::Position position = {};  ///< without an application
};

struct Originated {
    std::string status =
        "FAILED";  ///< ORIGINATE_STATUS: SUCCESS, BUSY, CONGESTION, HANGUP, RINGING
    Cause cause = Cause::none;
    std::string error;   ///< why nobody could be called
    ChannelPtr channel;  ///< that answered, and runs already
};

/// Returns when it was answered or will not be.
Task<Originated> originate(Core& core, Bridge::Starter starter, Origination wanted);

/// Waits until what is played to a leg that has just been answered can be heard: a Local half is
/// answered a little before the far one is joined with whoever answered there.
Task<> until_heard(Channel& leg);

/// Originate.
void add_originate_application(dialplan::Applications& applications, Bridge::Starter starter);

}  // namespace strowger::pbx
