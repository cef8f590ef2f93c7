#pragma once

#include <memory>

#include "pbx/bridge.hpp"
#include "pbx/dialplan/applications.hpp"
#include "pbx/option_letters.hpp"

namespace strowger::pbx {

class CallCompletions;

/// Dial and RetryDial: ring one or several destinations, and join the caller with the first to
/// answer. `starter` begins a dialplan on a leg that is transferred or sent on (options G, F).
/// `completions` learns of calls that failed and may be completed later.
void add_dial_application(dialplan::Applications& applications, Bridge::Starter starter,
                          std::shared_ptr<CallCompletions> completions = nullptr);

/// What the options of Dial, Queue and FollowMe let a party do by digits: capital letters for the
/// caller (T H K W X), small ones for the called party.
DigitFeatures caller_features(const OptionLetters& options);
DigitFeatures callee_features(const OptionLetters& options);

}  // namespace strowger::pbx
