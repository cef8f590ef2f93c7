#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/task.hpp"
#include "pbx/conference.hpp"

namespace strowger::pbx {

/// From a member's entry into a conference to its end: listens to its keys, follows what the
/// others and the command line do, and says what is to be said. The channel is answered, and its
/// inbox is ours for as long.
///
/// Returns CONFBRIDGE_RESULT: HANGUP, KICKED, ENDMARKED, DTMF, TIMEOUT, FAILED, or "" when it was
/// sent elsewhere.
Task<std::string> visit_conference(std::shared_ptr<Conference> conference,
                                   Conference::MemberPtr member,
                                   std::optional<config::ConferenceMenu> menu);

}  // namespace strowger::pbx
