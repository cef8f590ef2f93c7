#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/task.hpp"
#include "pbx/conference.hpp"

namespace strowger::pbx {

/// What a member's keys do: finds the entries of its menu in what it dials, as FeatureDigits does,
/// and carries them out.
class ConferenceMenuKeys {
public:
    using Entry = config::ConferenceMenu::Entry;

    explicit ConferenceMenuKeys(config::ConferenceMenu menu) : menu_(std::move(menu)) {}

    /// The entry that is complete with this digit, and can become no other.
    const Entry* press(char digit);
    /// No digit has come for a while: what was dialled counts as it is.
    const Entry* pause();
    bool waiting() const { return !digits_.empty(); }
    /// Goes on behind an entry whose prompt was interrupted by a digit.
    void resume(const Entry& entry) { digits_ = entry.digits; }

private:
    const Entry* exact() const;
    bool could_become_longer() const;

    config::ConferenceMenu menu_;
    std::string digits_;
};

/// Carries out the steps of an entry. A digit that interrupted its prompts, or 0.
Task<char> run_menu_entry(std::shared_ptr<Conference> conference, Conference::MemberPtr member,
                          ConferenceMenuKeys::Entry entry);

}  // namespace strowger::pbx
