#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/task.hpp"
#include "pbx/channel.hpp"
#include "pbx/option_letters.hpp"

namespace strowger::pbx {

/// Dial's options `p` and `P(x)` with `n` and `N`: the caller says its name, and whoever is called
/// hears that before the two are joined and decides. With `P` the decision about a caller's number
/// is kept in the database, family `privacy`, key `x/number`, where `x` is by default the extension
/// that was dialled: ALLOW, DENY, KILL or TORTURE.
class CallConsent {
public:
    /// Nothing when the options ask for no consent.
    static std::optional<CallConsent> wanted(Channel& caller, const OptionLetters& options);

    /// What was decided before: a DIALSTATUS that ends the call before anybody is rung, else
    /// nothing. Takes the caller's name when somebody will have to be asked.
    Task<std::optional<std::string>> prepare();
    /// Asks who has answered: nothing when it takes the call, else the DIALSTATUS.
    Task<std::optional<std::string>> ask(ChannelPtr called);
    /// The name is not needed any more. `answered`: somebody took the call, or refused to.
    void finish(bool answered);

private:
    CallConsent(Channel& caller, const OptionLetters& options);
    Task<> record_name();
    void keep(std::string_view decision);

    Channel* caller_;
    std::string family_;        ///< first part of the key; empty: nothing is kept
    std::string number_;        ///< of the caller; empty: nobody knows
    bool asks_ = true;          ///< whoever is called
    bool forgets_ = false;      ///< n: names are not kept,
    bool forgets_all_ = false;  ///< n(1): not even of callers who did not wait
    std::string name_file_;     ///< without its suffix
    bool is_kept_ = false;      ///< under the caller's number
};

}  // namespace strowger::pbx
