#include "pbx/conference.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "io/clock.hpp"
#include "io/file.hpp"
#include "io/process.hpp"
#include "pbx/prompt.hpp"
#include "pbx/recordings.hpp"
#include "pbx/spoken.hpp"

namespace strowger::pbx {

using What = events::ConferenceChanged::What;

float ConferenceMember::gain(int volume) {
    return std::pow(10.0F, static_cast<float>(volume) * 3.0F / 20.0F);
}

Result<std::shared_ptr<Conference>> Conference::open(Core& core, const std::string& name,
                                                     const config::ConferenceBridge& profile) {
    if (auto known = core.conferences.find(name)) return known;
    if (name.empty() || name.size() > max_name)
        return fail("a conference's name has 1 to {} characters, not {}", max_name, name.size());
    if (core.conferences.all().size() >= max_conferences)
        return fail("there are {} conferences already", max_conferences);
    auto made = std::make_shared<Conference>(core, name, profile);
    core.conferences.add(name, made);
    made->report(What::started);
    if (profile.record_conference) {
        std::string file = profile.record_file;
        if (!file.empty() && profile.record_file_timestamp)
            file = fmt::format("{}-{}", without_format(file),
                               std::chrono::system_clock::to_time_t(io::wall_now()));
        if (const auto begun = made->start_recording(std::move(file)); !begun)
            LOG_WARNING((log::About{"pbx"}), "conference {}: {}", name, begun.error().text());
    }
    return made;
}

// record_command: the shell runs it with the file's name in MIXMONITOR_FILENAME, and as "$1".
Task<> run_after_recording(Core& core, Recordings::Done done, std::string command,
                           std::string path) {
    static constexpr Duration command_limit = std::chrono::hours{1};
    (void)co_await done;
    io::Process::Options options;
    options.arguments = {"sh", "-c", "export MIXMONITOR_FILENAME=\"$1\"; " + command, "sh", path};
    std::string input;
    const auto result =
        co_await io::run_process(core.loop, std::move(options), std::move(input), command_limit);
    if (!result)
        LOG_WARNING((log::About{"pbx"}), "record_command: {}", result.error().text());
    else if (!result->status.success())
        LOG_WARNING((log::About{"pbx"}), "record_command ended with {}", result->status.code);
}

Conference::Conference(Core& core, std::string name, config::ConferenceBridge profile)
    : core_(core), name_(std::move(name)), profile_(std::move(profile)) {}

std::size_t Conference::marked() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(members_, [](const auto& m) { return m->user.marked; }));
}

std::size_t Conference::admins() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(members_, [](const auto& m) { return m->user.admin; }));
}

Conference::MemberPtr Conference::find(std::string_view channel) const {
    for (const auto& member : members_)
        if (iequals(member->channel->name(), channel)) return member;
    return nullptr;
}

Conference::MemberPtr Conference::find(const Channel& channel) const {
    for (const auto& member : members_)
        if (member->channel.get() == &channel) return member;
    return nullptr;
}

Result<Conference::MemberPtr> Conference::admit(ChannelPtr channel, config::ConferenceUser user,
                                                std::string menu) {
    const bool full = profile_.max_members > 0 && members_.size() >= profile_.max_members;
    if (!user.admin && (locked_ || full))
        return fail("conference {} is {}", name_, locked_ ? "locked" : "full");
    auto member = std::make_shared<ConferenceMember>();
    member->channel = std::move(channel);
    member->user = std::move(user);
    member->menu = std::move(menu);
    member->muted = member->user.startmuted || (participants_muted_ && !member->user.admin);
    member->holds = member->user.wait_marked && !member->user.marked && marked() == 0;
    members_.push_back(member);
    report(What::joined, member.get());
    if (member->user.marked && marked() == 1) marks_changed(false);
    wake_all();
    return member;
}

Task<bool> Conference::settle(MemberPtr member) {
    const auto self = shared_from_this();
    auto& channel = *member->channel;
    // Again, when what it is to be has changed while the engine was asked.
    while (!channel.hung_up()) {
        const auto party = channel.party();
        if (!party) co_return false;
        media::MixSettings wanted;
        wanted.muted = member->muted;
        wanted.talking_gain = ConferenceMember::gain(member->talking_volume);
        wanted.listening_gain = ConferenceMember::gain(member->listening_volume);
        wanted.detects_talk = member->user.talk_detection_events;
        wanted.talking_threshold = static_cast<int>(member->user.dsp_talking_threshold);
        wanted.silence = std::chrono::milliseconds{member->user.dsp_silence_threshold};
        wanted.drops_silence = member->user.dsp_drop_silence;
        wanted.pass_keys = member->user.dtmf_passthrough;
        const auto active = static_cast<std::size_t>(
            std::ranges::count_if(members_, [](const auto& m) { return !m->holds; }));
        const bool music = member->user.music_on_hold_when_empty && (member->holds || active == 1);
        if (member->holds && member->mixed) {
            member->mixed = false;
            // Without anybody there is no mix, and so no recording until they are back.
            if (recording_ != 0 &&
                std::ranges::none_of(members_, [](const auto& m) { return m->mixed; })) {
                recording_ = 0;
                record_wanted_ = record_path_;
            }
            media::LeaveMixRequest request{*party};
            (void)co_await core_.engine.leave_mix(std::move(request));
        } else if (!member->holds && (!member->mixed || member->applied != wanted)) {
            member->mixed = true;
            member->applied = wanted;
            media::MixRequest request{*party, mix_name(name_), wanted};
            const auto joined = co_await core_.engine.mix(std::move(request));
            if (!joined) {
                if (!channel.hung_up()) channel.report(log::Level::warning, joined.error().text());
                co_return false;
            }
            if (!record_wanted_.empty()) (void)start_recording(std::exchange(record_wanted_, {}));
        } else if (music && !member->music) {
            member->music = true;
            if (member->user.rings) {
                std::string tone = "ring";
                (void)co_await channel.play_tone(std::move(tone));
            } else {
                std::string music_class = member->user.music_on_hold_class;
                (void)co_await channel.start_music(std::move(music_class));
            }
        } else if (!music && member->music) {
            member->music = false;
            co_await channel.stop_playing();
        } else {
            co_return true;
        }
    }
    co_return false;
}

Task<> Conference::leave(MemberPtr member) {
    const auto self = shared_from_this();
    const auto found = std::ranges::find(members_, member);
    if (found == members_.end()) co_return;
    members_.erase(found);
    report(What::left, member.get());
    if (member->user.marked) marks_changed(true);
    wake_all();
    if (members_.empty()) {
        core_.conferences.remove(name_);
        report(What::ended);
        for (auto& waiting : std::exchange(announcements_, {})) waiting.done.resolve(false);
    }
    const auto party = member->channel->party();
    if (member->mixed && party && !member->channel->hung_up()) {
        media::LeaveMixRequest request{*party};
        (void)co_await core_.engine.leave_mix(std::move(request));
    }
    if (!member->channel->hung_up()) co_await member->channel->stop_playing();
}

// Those who wait for a marked member come in with the first, and go with the last or wait again.
void Conference::marks_changed(bool leader_left) {
    const bool leaderless = marked() == 0;
    if (!leader_left && !leaderless)
        if (const auto begin = profile_.sound("begin"); !begin.empty())
            announce(std::string(begin));
    for (const auto& member : members_) {
        if (member->user.marked) continue;
        const bool ends =
            leader_left && ((leaderless && member->user.end_marked) || member->user.end_marked_any);
        const bool holds = member->user.wait_marked && leaderless;
        const bool changed = holds != member->holds;
        member->holds = holds;
        if (ends && member->result.empty()) member->result = "ENDMARKED";
        if (member->user.quiet) continue;
        if (ends || (changed && holds))
            member->to_hear.emplace_back(profile_.sound("leader_has_left"));
        else if (changed)
            member->to_hear.emplace_back(profile_.sound("place_into_conference"));
    }
}

void Conference::mute(ConferenceMember& member, bool on) {
    if (member.muted == on) return;
    member.muted = on;
    report(on ? What::muted : What::unmuted, &member);
    wake(member);
}

void Conference::mute_participants(bool on) {
    participants_muted_ = on;
    for (const auto& member : members_)
        if (!member->user.admin) mute(*member, on);
}

void Conference::kick(ConferenceMember& member) {
    if (!member.result.empty()) return;
    member.result = "KICKED";
    member.to_hear.emplace_back(profile_.sound("kicked"));
    // Also out of what is being played to it.
    member.channel->raise(channel::Interrupted{});
}

void Conference::lock(bool on) {
    if (locked_ == on) return;
    locked_ = on;
    report(on ? What::locked : What::unlocked);
}

void Conference::set_volume(ConferenceMember& member, int talking, int listening) {
    const auto bounded = [](int volume) {
        return std::clamp(volume, -ConferenceMember::loudest, ConferenceMember::loudest);
    };
    member.talking_volume = bounded(talking);
    member.listening_volume = bounded(listening);
    wake(member);
}

void Conference::told_talking(const ConferenceMember& member, bool on) const {
    report(on ? What::talking : What::silent, &member);
}

void Conference::wake(ConferenceMember& member) const { member.channel->raise(channel::Woken{}); }

void Conference::wake_all() const {
    const auto members = members_;  // whoever is woken may leave at once
    for (const auto& member : members) wake(*member);
}

void Conference::report(What what, const ConferenceMember* member) const {
    if (!core_.events.has_readers() || internal()) return;
    events::ConferenceChanged event{what, name_, {}, {}, false};
    if (member) {
        event.channel = member->channel->name();
        event.uniqueid = member->channel->uniqueid();
        event.admin = member->user.admin;
    }
    core_.events.publish(event);
}

io::Completion<bool> Conference::announce(std::string names) {
    io::Completion<bool> done;
    if (names.empty() || announcements_.size() >= max_announcements) {
        done.resolve(false);
        return done;
    }
    announcements_.push_back({std::move(names), done});
    if (!std::exchange(announcing_, true))
        core_.tasks.spawn([](std::shared_ptr<Conference> self) -> Task<> {
            co_await self->play_announcements();
            self->announcing_ = false;
        }(shared_from_this()));
    return done;
}

Task<> Conference::play_announcements() {
    while (!announcements_.empty()) {
        const auto next = std::move(announcements_.front());
        announcements_.pop_front();
        std::vector<std::string> paths;
        for (const auto part : split(next.names, '&')) {
            if (paths.size() >= max_prompts) break;
            if (part.starts_with('/') && io::file_exists(std::string(part)))
                paths.emplace_back(part);
            else if (auto path = core_.sounds.find(part, profile_.language))
                paths.push_back(std::move(*path));
            else
                LOG_WARNING((log::About{"pbx"}), "conference {}: there is no sound '{}'", name_,
                            part);
        }
        bool heard = !paths.empty();
        if (heard) {
            const auto id = core_.channels.next_media_id();
            const auto ended = core_.conferences.begin(id);
            media::PlayMixRequest request{mix_name(name_), {std::move(paths)}, id};
            // Before anybody is in the mix there is nobody to hear it.
            heard = (co_await core_.engine.play_mix(std::move(request))).has_value();
            if (!heard) core_.conferences.played(id);
            (void)co_await ended;
        }
        next.done.resolve(heard);
    }
}

Task<char> Conference::tell(MemberPtr member, std::string names, std::string interrupt) {
    if (names.empty() || member->channel->hung_up()) co_return 0;
    auto prompts = find_prompts(*member->channel, names);
    if (prompts.paths.empty()) co_return 0;
    member->music = false;  // it takes the place of that
    const auto played =
        co_await member->channel->play_and_wait(std::move(prompts.paths), std::move(interrupt));
    co_return played.digit;
}

std::string Conference::count_as_sounds(std::size_t others, const std::string& language) const {
    if (others == 0) return std::string(profile_.sound("only_person"));
    if (others == 1) return std::string(profile_.sound("only_one"));
    const auto number = Speech::of(language).number(static_cast<std::int64_t>(others));
    return fmt::format("{}&{}&{}", profile_.sound("there_are"), fmt::join(number, "&"),
                       profile_.sound("other_in_party"));
}

Result<std::string> Conference::start_recording(std::string file) {
    if (recording_ != 0) return fail("conference {} is being recorded already", name_);
    if (file.empty())
        file = fmt::format("confbridge-{}-{}", name_,
                           std::chrono::system_clock::to_time_t(io::wall_now()));
    auto path = recording_path(file, core_.recordings);
    if (!path) return path;
    if (const auto made = io::make_directories(std::filesystem::path(*path).parent_path()); !made)
        return std::unexpected(made.error());
    const bool any_mixed = std::ranges::any_of(members_, [](const auto& m) { return m->mixed; });
    if (!any_mixed) {
        record_wanted_ = *path;
        return *path;
    }
    record_path_ = *path;
    recording_ = core_.channels.next_media_id();
    if (!profile_.record_command.empty())
        core_.tasks.spawn(run_after_recording(core_, core_.running_recordings.begin(recording_),
                                              profile_.record_command, *path));
    core_.tasks.spawn([](std::shared_ptr<Conference> self, std::string where) -> Task<> {
        media::RecordMixRequest request{mix_name(self->name_), std::move(where),
                                        self->profile_.record_file_append, self->recording_};
        const auto begun = co_await self->core_.engine.record_mix(std::move(request));
        if (begun) co_return;
        self->recording_ = 0;
        LOG_WARNING((log::About{"pbx"}), "conference {}: {}", self->name_, begun.error().text());
    }(shared_from_this(), *path));
    report(What::record_started);
    return *path;
}

Result<> Conference::stop_recording() {
    record_wanted_.clear();
    if (recording_ == 0) return fail("conference {} is not being recorded", name_);
    core_.tasks.spawn([](std::shared_ptr<Conference> self, std::uint64_t id) -> Task<> {
        media::StopRecordMixRequest request{mix_name(self->name_), id};
        (void)co_await self->core_.engine.stop_record_mix(std::move(request));
    }(shared_from_this(), std::exchange(recording_, 0)));
    report(What::record_stopped);
    return {};
}

}  // namespace strowger::pbx
