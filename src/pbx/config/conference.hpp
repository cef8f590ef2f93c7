#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/ini.hpp"
#include "base/result.hpp"
#include "base/text.hpp"

namespace strowger::pbx::config {

// confbridge.conf: the three kinds of profiles that ConfBridge() names.

/// `type = bridge`: a conference.
struct ConferenceBridge {
    std::string name;
    ini::Place place;
    unsigned max_members = 0;  ///< 0: as many as a mix takes; admins always get in
    bool record_conference = false;
    std::string record_file;  ///< empty: confbridge-NAME-EPOCH
    bool record_file_append = true;
    bool record_file_timestamp = true;  ///< the time is added to `record_file`
    std::string record_command;         ///< run by the shell when a recording has ended
    std::string language = "en";        ///< of what is played to all
    /// sound_*: those that were set. See `sound`.
    std::unordered_map<std::string, std::string, TextHash, std::equal_to<>> sounds;

    /// The sound of "join", "leave", "get_pin" and so on: the one set, or the default.
    std::string_view sound(std::string_view which) const;
};

/// `type = user`: somebody in it.
struct ConferenceUser {
    std::string name;
    ini::Place place;
    bool admin = false;
    bool marked = false;
    bool startmuted = false;
    bool quiet = false;
    bool hear_own_join_sound = true;
    bool announce_user_count = false;
    /// Say to all how many there are: 0 never, 1 always, n from n+1 on.
    unsigned announce_user_count_all = 0;
    bool announce_only_user = true;
    bool announce_join_leave = false;
    bool wait_marked = false;
    bool end_marked = false;
    bool end_marked_any = false;
    bool music_on_hold_when_empty = false;
    std::string music_on_hold_class;
    std::string announcement;
    std::string pin;
    bool talk_detection_events = false;
    bool dsp_drop_silence = false;
    unsigned dsp_talking_threshold = 160;
    unsigned dsp_silence_threshold = 2500;  ///< milliseconds
    bool dtmf_passthrough = false;
    unsigned timeout = 0;  ///< seconds; 0: none
    /// Not an option: what BridgeWait has played instead of music.
    bool rings = false;

    static constexpr std::size_t max_pin = 80;  ///< what anybody would dial
};

/// `type = menu`: what keys do.
struct ConferenceMenu {
    enum class Action : std::uint8_t {
        playback,
        playback_and_continue,
        toggle_mute,
        no_op,
        increase_listening_volume,
        decrease_listening_volume,
        reset_listening_volume,
        increase_talking_volume,
        decrease_talking_volume,
        reset_talking_volume,
        dialplan_exec,
        leave_conference,
        admin_kick_last,
        admin_toggle_conference_lock,
        admin_toggle_mute_participants,
        participant_count
    };
    struct Step {
        Action action;
        std::string argument;  ///< of playback and dialplan_exec
    };
    struct Entry {
        std::string digits;
        std::vector<Step> steps;
    };
    std::string name;
    ini::Place place;
    std::vector<Entry> entries;

    static constexpr std::size_t max_entries = 128;
    static constexpr std::size_t max_digits = 12;
    static constexpr std::size_t max_steps = 16;
};

// One option as CONFBRIDGE() sets it. Fails for keys that there are not, and for wrong values.
Result<> set_option(ConferenceBridge& bridge, std::string_view key, std::string_view value);
Result<> set_option(ConferenceUser& user, std::string_view key, std::string_view value);
Result<> set_option(ConferenceMenu& menu, std::string_view digits, std::string_view actions);

}  // namespace strowger::pbx::config
