#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/task.hpp"
#include "pbx/bridge.hpp"
#include "pbx/conference.hpp"

namespace strowger::pbx {

/// Whom a member of a conference sends there in its own place (REFER without Replaces), and what
/// is to be known for that when the member has gone: the conference may have ended with it.
struct ConferenceGuest {
    Bridge::Starter starter;
    std::string conference;
    config::ConferenceBridge profile;  ///< to open it again
    dialplan::Position target;
    PartyId caller;  ///< whom the target's phone shows
    std::string linkedid;
    std::vector<media::CodecSpec> codecs;
    std::vector<std::pair<std::string, std::string>> variables;  ///< of the dialplan that runs
    /// 180 when it rings; last 200 when it is in the conference, or why not.
    std::function<void(int status)> report;

    /// As long as an INVITE may ring (RFC 3261 section 16.6, timer C): what the extension's own
    /// Dial does not end ends then.
    static constexpr Duration patience = std::chrono::minutes{3};
};

/// Calls the extension through a Local channel, and stays until the guest has left. Who is brought
/// in has the profile `default_user` and is not asked for its PIN, but a lock or a limit holds.
Task<> bring_into_conference(Core& core, ConferenceGuest guest);

}  // namespace strowger::pbx
