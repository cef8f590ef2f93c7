#include "pbx/conference_menu.hpp"

#include "pbx/dialplan/machine.hpp"

namespace strowger::pbx {

using Action = config::ConferenceMenu::Action;

const ConferenceMenuKeys::Entry* ConferenceMenuKeys::exact() const {
    for (const auto& entry : menu_.entries)
        if (iequals(entry.digits, digits_)) return &entry;
    return nullptr;
}

bool ConferenceMenuKeys::could_become_longer() const {
    for (const auto& entry : menu_.entries)
        if (entry.digits.size() > digits_.size() && istarts_with(entry.digits, digits_))
            return true;
    return false;
}

const ConferenceMenuKeys::Entry* ConferenceMenuKeys::press(char digit) {
    digits_ += digit;
    if (could_become_longer()) return nullptr;
    const auto* found = exact();
    if (!found && digits_.size() > 1) {
        // The last digit may begin something anew.
        digits_ = std::string(1, digit);
        if (could_become_longer()) return nullptr;
        found = exact();
    }
    digits_.clear();
    return found;
}

const ConferenceMenuKeys::Entry* ConferenceMenuKeys::pause() {
    const auto* found = exact();
    digits_.clear();
    return found;
}

namespace {

bool for_admins_only(Action action) {
    return action == Action::admin_kick_last || action == Action::admin_toggle_conference_lock ||
           action == Action::admin_toggle_mute_participants;
}

// Whoever came last, unless that is an admin.
ConferenceMember* last_participant(const Conference& conference) {
    if (conference.members().empty()) return nullptr;
    auto& last = *conference.members().back();
    return last.user.admin ? nullptr : &last;
}

// The name of the sound that answers the action; "" for none.
std::string act(Conference& conference, ConferenceMember& member, Action action) {
    const auto sound = [&](std::string_view which) {
        return std::string(conference.profile().sound(which));
    };
    const int talking = member.talking_volume, listening = member.listening_volume;
    switch (action) {
        case Action::toggle_mute:
            conference.mute(member, !member.muted);
            return sound(member.muted ? "muted" : "unmuted");
        case Action::increase_listening_volume:
            conference.set_volume(member, talking, listening + 1);
            return {};
        case Action::decrease_listening_volume:
            conference.set_volume(member, talking, listening - 1);
            return {};
        case Action::reset_listening_volume: conference.set_volume(member, talking, 0); return {};
        case Action::increase_talking_volume:
            conference.set_volume(member, talking + 1, listening);
            return {};
        case Action::decrease_talking_volume:
            conference.set_volume(member, talking - 1, listening);
            return {};
        case Action::reset_talking_volume: conference.set_volume(member, 0, listening); return {};
        case Action::leave_conference:
            if (member.result.empty()) member.result = "DTMF";
            return {};
        case Action::admin_kick_last:
            if (auto* last = last_participant(conference)) {
                conference.kick(*last);
                return {};
            }
            return sound("error_menu");
        case Action::admin_toggle_conference_lock:
            conference.lock(!conference.locked());
            return sound(conference.locked() ? "locked_now" : "unlocked_now");
        case Action::admin_toggle_mute_participants:
            conference.mute_participants(!conference.participants_muted());
            conference.announce(sound(conference.participants_muted() ? "participants_muted"
                                                                      : "participants_unmuted"));
            return {};
        case Action::participant_count:
            return conference.count_as_sounds(conference.members().size() - 1,
                                              member.channel->language);
        case Action::playback:
        case Action::playback_and_continue:
        case Action::dialplan_exec:
        case Action::no_op: return {};
    }
    return {};
}

}  // namespace

Task<char> run_menu_entry(std::shared_ptr<Conference> conference, Conference::MemberPtr member,
                          ConferenceMenuKeys::Entry entry) {
    for (const auto& step : entry.steps) {
        if (member->channel->hung_up() || !member->result.empty()) co_return 0;
        if (step.action == Action::dialplan_exec) {
            // It may play what it likes; the others are not heard then.
            member->music = false;
            std::string target = step.argument;
            (void)co_await dialplan::Machine::run_subroutine(*member->channel, std::move(target));
            co_await member->channel->stop_playing();
            continue;
        }
        std::string names = step.argument;
        if (for_admins_only(step.action) && !member->user.admin)
            names = conference->profile().sound("error_menu");
        else if (step.action != Action::playback && step.action != Action::playback_and_continue)
            names = act(*conference, *member, step.action);
        std::string interrupt = step.action == Action::playback_and_continue ? "any" : "";
        const char digit =
            co_await conference->tell(member, std::move(names), std::move(interrupt));
        if (digit) co_return digit;
    }
    co_return 0;
}

}  // namespace strowger::pbx
