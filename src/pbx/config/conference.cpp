#include "pbx/config/conference.hpp"

#include <array>

#include "pbx/config/option.hpp"
#include "pbx/config/sections.hpp"

namespace strowger::pbx::config {

namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 23> default_sounds{{
    {"begin", "confbridge-conf-begin"},
    {"get_pin", "conf-getpin"},
    {"has_joined", "conf-hasjoin"},
    {"has_left", "conf-hasleft"},
    {"invalid_pin", "conf-invalidpin"},
    {"join", "confbridge-join"},
    {"kicked", "conf-kicked"},
    {"leader_has_left", "conf-leaderhasleft"},
    {"leave", "confbridge-leave"},
    {"locked", "conf-locked"},
    {"locked_now", "conf-lockednow"},
    {"muted", "conf-muted"},
    {"only_one", "conf-onlyone"},
    {"only_person", "conf-onlyperson"},
    {"other_in_party", "conf-otherinparty"},
    {"participants_muted", "conf-now-muted"},
    {"participants_unmuted", "conf-now-unmuted"},
    {"place_into_conference", "conf-placeintoconf"},
    {"there_are", "conf-thereare"},
    {"unlocked_now", "conf-unlockednow"},
    {"unmuted", "conf-unmuted"},
    {"wait_for_leader", "conf-waitforleader"},
    {"error_menu", "conf-errormenu"},
}};

using Bridge = ConferenceBridge;
using User = ConferenceUser;
using Menu = ConferenceMenu;
using Action = Menu::Action;

constexpr std::array<std::pair<std::string_view, Action>, 20> actions{{
    {"playback", Action::playback},
    {"playback_and_continue", Action::playback_and_continue},
    {"toggle_mute", Action::toggle_mute},
    {"no_op", Action::no_op},
    {"increase_listening_volume", Action::increase_listening_volume},
    {"decrease_listening_volume", Action::decrease_listening_volume},
    {"reset_listening_volume", Action::reset_listening_volume},
    {"increase_talking_volume", Action::increase_talking_volume},
    {"decrease_talking_volume", Action::decrease_talking_volume},
    {"reset_talking_volume", Action::reset_talking_volume},
    {"dialplan_exec", Action::dialplan_exec},
    {"leave_conference", Action::leave_conference},
    {"admin_kick_last", Action::admin_kick_last},
    {"admin_toggle_conference_lock", Action::admin_toggle_conference_lock},
    {"admin_toggle_mute_participants", Action::admin_toggle_mute_participants},
    {"participant_count", Action::participant_count},
    // There is neither video nor sound of two channels.
    {"set_as_single_video_src", Action::no_op},
    {"release_as_single_video_src", Action::no_op},
    {"toggle_binaural", Action::no_op},
    {"noop", Action::no_op},
}};

const Schema<Bridge>& bridge_schema() {
    static const auto schema = [] {
        Schema<Bridge> made;
        made.number("max_members", &Bridge::max_members, 0u, 100000u)
            .boolean("record_conference", &Bridge::record_conference)
            .text("record_file", &Bridge::record_file)
            .boolean("record_file_append", &Bridge::record_file_append)
            .boolean("record_file_timestamp", &Bridge::record_file_timestamp)
            .text("record_command", &Bridge::record_command)
            .text("language", &Bridge::language)
            .ignore({"mixing_interval", "internal_sample_rate", "maximum_sample_rate",
                     "binaural_active", "record_options", "regcontext", "video_mode",
                     "video_update_discard", "remb_behavior", "remb_send_interval",
                     "remb_estimated_bitrate", "enable_events", "sound_binaural_on",
                     "sound_binaural_off"});
        for (const auto& [which, sound] : default_sounds)
            made.on("sound_" + std::string(which),
                    [which = which](Bridge& bridge, std::string_view value) -> Result<> {
                        bridge.sounds.insert_or_assign(std::string(which), std::string(value));
                        return {};
                    });
        return made;
    }();
    return schema;
}

const Schema<User>& user_schema() {
    static const auto schema =
        Schema<User>()
            .boolean("admin", &User::admin)
            .boolean("marked", &User::marked)
            .boolean("startmuted", &User::startmuted)
            .boolean("quiet", &User::quiet)
            .boolean("hear_own_join_sound", &User::hear_own_join_sound)
            .boolean("announce_user_count", &User::announce_user_count)
            .on("announce_user_count_all",
                [](User& user, std::string_view value) -> Result<> {
                    const auto number = parse_number<unsigned>(value);
                    user.announce_user_count_all = number ? *number : is_true(value) ? 1 : 0;
                    return {};
                })
            .boolean("announce_only_user", &User::announce_only_user)
            .boolean("announce_join_leave", &User::announce_join_leave)
            .boolean("announce_join_leave_review", &User::announce_join_leave)
            .boolean("wait_marked", &User::wait_marked)
            .boolean("end_marked", &User::end_marked)
            .boolean("end_marked_any", &User::end_marked_any)
            .boolean("music_on_hold_when_empty", &User::music_on_hold_when_empty)
            .text("music_on_hold_class", &User::music_on_hold_class)
            .text("announcement", &User::announcement)
            .on("pin",
                [](User& user, std::string_view value) -> Result<> {
                    if (value.size() > User::max_pin ||
                        value.find_first_not_of("0123456789*#") != std::string_view::npos)
                        return fail("expected at most {} digits", User::max_pin);
                    user.pin = value;
                    return {};
                })
            .boolean("talk_detection_events", &User::talk_detection_events)
            .boolean("dsp_drop_silence", &User::dsp_drop_silence)
            .number("dsp_talking_threshold", &User::dsp_talking_threshold, 0u, 32767u)
            .number("dsp_silence_threshold", &User::dsp_silence_threshold, 0u, 3600000u)
            .boolean("dtmf_passthrough", &User::dtmf_passthrough)
            .number("timeout", &User::timeout, 0u, 31536000u)
            .ignore({"send_events", "echo_events", "denoise", "jitterbuffer", "text_messaging"});
    return schema;
}

// "playback(a&b)": commas within brackets belong to the argument.
Result<Menu::Step> step_of(std::string_view text) {
    const auto bracket = text.find('(');
    const auto name = trim(text.substr(0, bracket));
    Menu::Step step{};
    if (bracket != std::string_view::npos) {
        if (text.back() != ')') return fail("expected ')' at the end of '{}'", text);
        step.argument = text.substr(bracket + 1, text.size() - bracket - 2);
    }
    std::vector<std::string_view> known;
    for (const auto& [word, action] : actions) {
        known.push_back(word);
        if (!iequals(word, name)) continue;
        step.action = action;
        const bool needs = action == Action::playback || action == Action::playback_and_continue ||
                           action == Action::dialplan_exec;
        if (needs && trim(step.argument).empty())
            return fail("'{}' needs an argument in brackets", name);
        return step;
    }
    const auto near = nearest(name, known);
    return fail("unknown action '{}'{}", name,
                near ? fmt::format(" (did you mean '{}'?)", *near) : "");
}

bool is_digits(std::string_view key) {
    return !key.empty() && key.size() <= Menu::max_digits &&
           key.find_first_not_of("0123456789*#ABCDabcd") == std::string_view::npos;
}

template <typename Object>
void read(const Schema<Object>& schema, const ini::Document& document, const ini::Section& section,
          Objects<Object>& into, ini::Diagnostics& diagnostics) {
    Object object;
    object.name = section.name;
    object.place = section.place;
    schema.apply(object, document, section, diagnostics);
    if (!into.add(std::move(object)))
        diagnostics.warn(document.file(section.place), section.place.line,
                         fmt::format("there is another '{}' of that type; ignored", section.name));
}

void read_menu(const ini::Document& document, const ini::Section& section,
               Configuration& configuration) {
    Menu menu;
    menu.name = section.name;
    menu.place = section.place;
    for (const auto& entry : section.entries) {
        if (iequals(entry.key, "type")) continue;
        if (const auto set = set_option(menu, entry.key, entry.value); !set)
            configuration.diagnostics.error(document.file(entry.place), entry.place.line,
                                            set.error().text());
    }
    (void)configuration.conference_menus.add(std::move(menu));
}

template <typename Object>
void ensure(Objects<Object>& objects, std::string name) {
    if (objects.find(name)) return;
    Object object;
    object.name = std::move(name);
    objects.add(std::move(object));
}

}  // namespace

std::string_view ConferenceBridge::sound(std::string_view which) const {
    if (const auto set = sounds.find(which); set != sounds.end()) return set->second;
    for (const auto& [name, sound] : default_sounds)
        if (name == which) return sound;
    return {};
}

Result<> set_option(ConferenceBridge& bridge, std::string_view key, std::string_view value) {
    return bridge_schema().set(bridge, key, value);
}

Result<> set_option(ConferenceUser& user, std::string_view key, std::string_view value) {
    return user_schema().set(user, key, value);
}

Result<> set_option(ConferenceMenu& menu, std::string_view digits, std::string_view text) {
    if (!is_digits(digits))
        return fail("expected 1 to {} digits, got '{}'", Menu::max_digits, digits);
    Menu::Entry entry{std::string(digits), {}};
    while (!trim(text).empty()) {
        std::size_t end = 0;
        for (int depth = 0; end < text.size() && (depth > 0 || text[end] != ','); ++end)
            depth += text[end] == '(' ? 1 : text[end] == ')' ? -1 : 0;
        auto step = step_of(trim(text.substr(0, end)));
        if (!step) return std::unexpected(step.error());
        if (entry.steps.size() >= Menu::max_steps)
            return fail("more than {} actions for '{}'", Menu::max_steps, digits);
        entry.steps.push_back(std::move(*step));
        text = end < text.size() ? text.substr(end + 1) : std::string_view();
    }
    std::erase_if(menu.entries, [&](const auto& other) { return other.digits == digits; });
    if (menu.entries.size() >= Menu::max_entries)
        return fail("more than {} entries", Menu::max_entries);
    menu.entries.push_back(std::move(entry));
    return {};
}

void read_conferences(const ini::Document& document, Configuration& configuration) {
    for (const auto* section : document.sections()) {
        if (iequals(section->name, "general")) continue;
        std::string_view type;
        for (const auto& entry : section->entries)
            if (iequals(entry.key, "type")) type = entry.value;
        auto& diagnostics = configuration.diagnostics;
        if (iequals(type, "bridge"))
            read(bridge_schema(), document, *section, configuration.conference_bridges,
                 diagnostics);
        else if (iequals(type, "user"))
            read(user_schema(), document, *section, configuration.conference_users, diagnostics);
        else if (iequals(type, "menu"))
            read_menu(document, *section, configuration);
        else
            diagnostics.error(document.file(section->place), section->place.line,
                              fmt::format("[{}]: expected type bridge, user or menu, got '{}'",
                                          section->name, type));
    }
}

void complete_conferences(Configuration& configuration) {
    ensure(configuration.conference_bridges, "default_bridge");
    ensure(configuration.conference_users, "default_user");
    ensure(configuration.conference_menus, "default_menu");
}

}  // namespace strowger::pbx::config
