#pragma once

#include <optional>

#include "pbx/channel.hpp"
#include "pbx/dialplan/applications.hpp"

namespace strowger::pbx {

/// When the call's record begins: with the channel, or the last ResetCDR.
Time record_start(const Channel& channel);
/// When its call was answered, which is not before it begins; nothing when it was not.
std::optional<Time> record_answer(const Channel& channel);

/// ResetCDR.
void add_cdr_applications(dialplan::Applications& applications);

}  // namespace strowger::pbx
