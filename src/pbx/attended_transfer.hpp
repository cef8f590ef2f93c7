#pragma once

#include "base/task.hpp"
#include "pbx/bridge.hpp"

namespace strowger::pbx {

/// A party asks by digits to consult somebody before it sends the other one there (features.conf
/// atxfer).
///
/// The other party waits with music. `by` dials a number, and talks to whom answers; then
/// atxferswap goes back and forth between the two, atxferabort returns to the first, and
/// atxfercomplete, or hanging up, joins those two, and atxferthreeway all three. Who hangs up while
/// it still rings leaves the other one to wait for the answer; when nobody answers, `by` is called
/// back.
///
/// With a `target` nobody is asked for the number.
Task<> attended_transfer(Core& core, Bridge::Starter starter, std::shared_ptr<Bridge> bridge,
                         ChannelPtr by, std::optional<dialplan::Position> target = {});

}  // namespace strowger::pbx
