#include "pbx/channel.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "io/clock.hpp"
#include "pbx/program_sound.hpp"

namespace strowger::pbx {

std::string_view Channel::state_text() const {
    return hung_up_ ? std::string_view("Down") : text_of(state_);
}

std::string_view text_of(ChannelState state) {
    switch (state) {
        case ChannelState::down: return "Down";
        case ChannelState::ring: return "Ring";
        case ChannelState::ringing: return "Ringing";
        case ChannelState::up: return "Up";
    }
    return "Unknown";
}

void Core::let_go_later(std::shared_ptr<const void> used) {
    // A task, and not a post to the loop, which would keep it beyond the exchange's own end.
    tasks.spawn([](io::Loop& rounds, std::shared_ptr<const void>) -> Task<> {
        co_await rounds.sleep(std::chrono::microseconds{1});
    }(loop, std::move(used)));
}

Channel::Channel(Core& core, std::string technology, std::string resource, std::string linkedid)
    : dialplan::Call(core.environment),
      core_(core),
      technology_(std::move(technology)),
      name_(core.channels.next_name(technology_, resource)),
      uniqueid_(core.channels.next_uniqueid(io::wall_now())),
      linkedid_(linkedid.empty() ? uniqueid_ : std::move(linkedid)),
      serial_(core.channels.created()),
      created_(core.now()),
      inbox_(core.loop) {
    language = core.config->asterisk.defaultlanguage;
}

Channel::~Channel() = default;

void Channel::send_digit(char digit, Duration duration) {
    const auto where = party();
    if (!where) return;
    core_.tasks.spawn([](ChannelPtr self, media::PlayDtmfRequest request) -> Task<> {
        auto sent = co_await self->core().engine.play_dtmf(std::move(request));
        if (!sent) LOG_VERBOSE(self->about(), "DTMF not sent: {}", sent.error().text());
    }(shared_from_this(), {*where, std::string(1, digit), duration}));
}

const std::string& Channel::call_id() const {
    static const std::string none;
    return none;
}

Task<Result<int>> Channel::transfer_away(std::string) {
    co_return fail("{} channels cannot be transferred", technology_);
}

Result<> Channel::send_text(std::string_view) {
    return fail("{} channels take no text", technology_);
}

Task<bool> Channel::play(std::vector<std::string> files, bool loop, Duration start) {
    const auto where = party();
    if (hung_up_ || !where) co_return false;
    playing_ = true;
    play_id_ = core_.channels.next_media_id(*this);
    media::PlayRequest request{*where, media::PlayFiles{std::move(files), loop, start}, play_id_};
    auto started = co_await core_.engine.play(std::move(request));
    if (!started) {
        playing_ = false;
        LOG_WARNING(about(), "cannot play: {}", started.error().text());
    }
    co_return started.has_value();
}

Task<bool> Channel::play_tone(std::string tone, bool loop) {
    const auto where = party();
    if (hung_up_ || !where) co_return false;
    const auto ep = endpoint();
    const auto& country = !tone_zone.empty() || !ep ? tone_zone : ep->tone_zone;
    const auto* zone = country.empty() ? nullptr : core_.config->indications.zone(country);
    if (!zone) zone = core_.config->indications.zone();
    auto known = zone ? zone->tone(tone) : std::string_view{};
    if (known.empty()) known = config::Indications::built_in().tone(tone);
    if (!known.empty()) tone = known;
    playing_ = true;
    play_id_ = core_.channels.next_media_id(*this);
    media::PlayRequest request{*where, media::PlayTone{std::move(tone), loop}, play_id_};
    auto started = co_await core_.engine.play(std::move(request));
    if (!started) {
        playing_ = false;
        LOG_WARNING(about(), "cannot play a tone: {}", started.error().text());
    }
    co_return started.has_value();
}

Task<> Channel::stop_playing() {
    if (!playing_) co_return;
    playing_ = false;
    play_id_ = 0;  // what still comes of the old one is not waited for
    const auto where = party();
    if (!where) co_return;
    media::StopPlayRequest request{*where};
    (void)co_await core_.engine.stop_play(std::move(request));
}

Task<Channel::Played> Channel::play_and_wait(std::vector<std::string> files,
                                             std::string interrupt) {
    if (co_await play(std::move(files))) co_return co_await wait_played(std::move(interrupt));
    Played result;
    result.error = "not started";
    co_return result;
}

Task<Channel::Played> Channel::wait_played(std::string interrupt) {
    Played result;
    const auto id = play_id_;
    while (!hung_up_) {
        const auto item = co_await inbox_.next(Time::max());
        if (!item) continue;
        if (const auto* done = std::get_if<channel::PlayDone>(&item->event);
            done && done->id == id) {
            playing_ = false;
            result.completed = done->completed;
            result.error = done->error;
            co_return result;
        }
        if (const auto* digit = std::get_if<channel::Digit>(&item->event)) {
            if (interrupt == "any" || interrupt.find(digit->digit) != std::string::npos) {
                result.digit = digit->digit;
                co_await stop_playing();
                co_return result;
            }
        }
        if (std::holds_alternative<channel::Interrupted>(item->event)) {
            co_await stop_playing();
            co_return result;
        }
    }
    co_return result;
}

Task<bool> Channel::start_music(std::string wanted) {
    if (wanted.empty()) wanted = music_class;
    if (auto program = core_.sounds.music_program(*core_.config, wanted))
        co_return co_await play_live(play_program(core_, std::move(*program)));
    auto files = core_.sounds.music(*core_.config, wanted);
    if (files.empty()) {
        LOG_WARNING(about(), "hold music class '{}' has no files that can be played", wanted);
        co_return false;
    }
    // The order is settled once; what has come or gone since then begins it anew.
    const bool same = music_.name == wanted && std::ranges::is_permutation(music_.files, files);
    if (!same) {
        core_.sounds.arrange(files, *core_.config, wanted, core_.random);
        music_ = {std::move(wanted), std::move(files), {}, 0};
    }
    auto order = music_.files;
    const bool plays = co_await play(std::move(order), true, music_.heard);
    music_.play_id = plays ? play_id_ : 0;
    co_return plays;
}

Task<bool> Channel::play_live(std::shared_ptr<media::LiveSound> sound) {
    const auto where = party();
    if (hung_up_ || !where) co_return false;
    playing_ = true;
    play_id_ = core_.channels.next_media_id(*this);
    media::PlayRequest request{*where, media::PlayStream{std::move(sound)}, play_id_};
    auto started = co_await core_.engine.play(std::move(request));
    if (!started) {
        playing_ = false;
        LOG_WARNING(about(), "cannot play: {}", started.error().text());
    }
    co_return started.has_value();
}

Task<bool> Channel::start_hearing(std::function<void(std::span<const std::int16_t>)> hear) {
    const auto where = party();
    if (hung_up_ || !where) co_return false;
    hear_ = std::move(hear);
    hear_id_ = core_.channels.next_media_id(*this);
    media::RecordRequest request;
    request.party = *where;
    request.id = hear_id_;
    request.live = true;
    auto started = co_await core_.engine.record(std::move(request));
    if (!started) {
        hear_ = {};
        LOG_WARNING(about(), "cannot be listened to: {}", started.error().text());
    }
    co_return started.has_value();
}

Task<> Channel::stop_hearing() {
    hear_ = {};
    const auto where = party();
    const auto id = std::exchange(hear_id_, 0);
    if (id == 0 || !where) co_return;
    media::StopRecordRequest request{*where, id};
    (void)co_await core_.engine.stop_record(std::move(request));
}

Task<std::uint64_t> Channel::add_ear(std::function<void(std::span<const std::int16_t>)> ear) {
    const auto where = party();
    if (hung_up_ || !where) co_return 0;
    const auto id = core_.channels.next_media_id(*this);
    ears_[id] =
        std::make_shared<std::function<void(std::span<const std::int16_t>)>>(std::move(ear));
    media::RecordRequest request;
    request.party = *where;
    request.id = id;
    request.live = true;
    const auto started = co_await core_.engine.record(std::move(request));
    if (started) co_return id;
    ears_.erase(id);
    LOG_WARNING(about(), "cannot be listened to: {}", started.error().text());
    co_return 0;
}

Task<> Channel::remove_ear(std::uint64_t id) {
    const auto where = party();
    if (ears_.erase(id) == 0 || !where) co_return;
    media::StopRecordRequest request{*where, id};
    (void)co_await core_.engine.stop_record(std::move(request));
}

Task<bool> Channel::shape_sound() {
    const auto where = party();
    if (hung_up_ || !where) co_return false;
    media::ShapeRequest request{*where, says, hears, jitter};
    const auto shaped = co_await core_.engine.shape(std::move(request));
    if (!shaped) LOG_WARNING(about(), "its sound stays as it is: {}", shaped.error().text());
    co_return shaped.has_value();
}

void Channel::inherit_to(Channel& leg) const {
    variables().inherit_to(leg.variables());
    if (!passes_features_on) return;
    leg.own_features = own_features;
    leg.passes_features_on = true;
}

std::shared_ptr<const config::Features> Channel::features() const {
    if (own_features) return own_features;
    return {core_.config, &core_.config->features};
}

Task<bool> Channel::wait(Duration duration) {
    const Time until = core_.now() + duration;
    while (!hung_up_) {
        const auto item = co_await inbox_.next(until);
        if (!item) co_return true;
        if (std::holds_alternative<channel::Interrupted>(item->event)) co_return !hung_up_;
    }
    co_return false;
}

Task<std::optional<char>> Channel::wait_digit(Duration timeout) {
    const Time until = timeout == Duration::max() ? Time::max() : core_.now() + timeout;
    while (!hung_up_) {
        const auto item = co_await inbox_.next(until);
        if (!item) co_return std::nullopt;
        if (const auto* digit = std::get_if<channel::Digit>(&item->event)) co_return digit->digit;
        if (std::holds_alternative<channel::Interrupted>(item->event)) co_return std::nullopt;
    }
    co_return std::nullopt;
}

Task<bool> Channel::wait_released(Time until) {
    bool late = false;
    io::Timer timer;
    if (until != Time::max())
        timer = core_.loop.at(until, [this, &late] {
            late = true;
            wake();
        });
    while (!hung_up_ && interrupted() == Interrupt::none && !late) {
        const io::Completion<bool> done;
        released_ = done;
        (void)co_await done;
    }
    co_return !late || hung_up_;
}

void Channel::wake() {
    if (const auto waiting = std::exchange(released_, std::nullopt)) waiting->resolve(true);
}

void Channel::send_on(dialplan::Position position) {
    const auto self = shared_from_this();
    redirect(std::move(position));
    raise(channel::Interrupted{});
    wake();
}

void Channel::report_transfer(std::function<void(int)> report) {
    transfer_came_to(487);  // sent on once more before anything came of it
    transfer_report_ = std::move(report);
}

void Channel::transfer_came_to(int status) {
    if (!transfer_report_) return;
    if (status < 200) {
        transfer_report_(status);
        return;
    }
    const auto last = std::exchange(transfer_report_, nullptr);
    last(status);
}

void Channel::listen(ChannelListener* listener) { listener_ = listener; }

void Channel::raise(ChannelEvent event) {
    const auto self = shared_from_this();  // what the listener does may let go of us
    (listener_ ? *listener_ : inbox_).channel_event(*this, event);
}

void Channel::ended(Cause why) {
    if (hung_up_) return;
    hung_up_ = true;
    hangup_cause_ = why;
    transfer_came_to(sip_status(cause != Cause::none ? cause : why));
    publish(events::ChannelChanged::What::hangup);
    raise(channel::HungUp{why});
    takes_digit = {};
    std::exchange(attached, {}).clear();
    wake();
}

void Channel::end(Cause why) {
    if (hung_up_) return;
    const auto self = shared_from_this();  // the registry's share may be the last
    ended(why);
    core_.channels.remove(*this);
    core_.let_go_later(self);
}

void Channel::set_state(ChannelState state) {
    if (state_ == state) return;
    state_ = state;
    if (state == ChannelState::up && !answered_at_) {
        answered_at_ = core_.now();
        core_.trace.leg_answered(linkedid_, core_.now());
    }
    publish(events::ChannelChanged::What::state);
}

void Channel::publish(events::ChannelChanged::What what) const {
    if (!core_.events.has_readers()) return;
    events::ChannelChanged event;
    event.what = what;
    event.channel = name_;
    event.uniqueid = uniqueid_;
    event.linkedid = linkedid_;
    event.call_id = call_id();
    event.state = text_of(state_);
    event.caller_number = caller.number;
    event.caller_name = caller.name;
    event.context = position().context;
    event.extension = position().exten;
    event.priority = std::to_string(position().priority);
    event.cause = static_cast<int>(hangup_cause_);
    core_.events.publish(event);
}

Task<> Channel::yield() { co_await core_.loop.sleep(std::chrono::microseconds{1}); }

std::optional<std::string> Channel::builtin(std::string_view variable) const {
    if (variable == "CHANNEL") return name_;
    if (variable == "UNIQUEID") return uniqueid_;
    if (variable == "LINKEDID") return linkedid_;
    if (variable == "HANGUPCAUSE")
        return std::to_string(
            static_cast<int>(hung_up_ && cause == Cause::none ? hangup_cause_ : cause));
    if (variable == "SYSTEMNAME") return core_.config->asterisk.systemname;
    if (variable == "ANSWEREDTIME") return std::nullopt;  // set by Dial
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 6> directories{{
        {"ASTETCDIR", "astetcdir"},
        {"ASTSPOOLDIR", "astspooldir"},
        {"ASTLOGDIR", "astlogdir"},
        {"ASTDATADIR", "astdatadir"},
        {"ASTVARLIBDIR", "astvarlibdir"},
        {"ASTAGIDIR", "astagidir"},
    }};
    for (const auto& [name, key] : directories) {
        if (variable != name) continue;
        const auto found = core_.config->asterisk.directories.find(key);
        if (found != core_.config->asterisk.directories.end()) return found->second;
        return core_.state_directory;
    }
    return std::nullopt;
}

void Channel::report(log::Level level, std::string_view text) {
    if (log::enabled(level)) log::write(level, about(), text);
    if (level >= log::Level::warning)
        core_.trace.step(linkedid_, name_, std::string(text), core_.now());
}

void Channel::stepping(const dialplan::Step& step, std::string_view arguments) {
    last_application = step.application;
    last_arguments = arguments;
    core_.trace.step(linkedid_, name_,
                     fmt::format("{} {}({})", position().text(), step.application, arguments),
                     core_.now());
    LOG_VERBOSE(about(), "{} {}({})", position().text(), step.application, arguments);
    if (!core_.events.has_readers()) return;
    events::ChannelChanged event;
    event.what = events::ChannelChanged::What::dialplan_step;
    event.channel = name_;
    event.uniqueid = uniqueid_;
    event.linkedid = linkedid_;
    event.call_id = call_id();
    event.state = text_of(state_);
    event.context = position().context;
    event.extension = position().exten;
    event.priority = std::to_string(position().priority);
    event.application = step.application;
    event.arguments = arguments;
    core_.events.publish(event);
}

void Channel::media_event(const media::Event& event) {
    if (const auto* digit = std::get_if<media::DtmfEvent>(&event)) {
        if (!digit->end) return;
        core_.events.publish(events::DtmfReceived{name_, uniqueid_, digit->digit, digit->duration});
        if (takes_digit && takes_digit(digit->digit)) return;
        raise(channel::Digit{digit->digit, digit->duration});
    } else if (const auto* play = std::get_if<media::PlayFinished>(&event)) {
        if (play->id == music_.play_id) music_.heard += play->played;
        if (play->id != play_id_) return;
        raise(channel::PlayDone{play->id, play->completed, play->error, play->played});
    } else if (const auto* heard = std::get_if<media::Heard>(&event)) {
        if (const auto ear = ears_.find(heard->id); ear != ears_.end()) {
            const auto call = ear->second;
            (*call)(heard->samples);
            return;
        }
        if (heard->id != hear_id_ || !hear_) return;
        auto hear = std::exchange(hear_, {});  // it may stop itself, or begin anew
        hear(heard->samples);
        if (heard->id == hear_id_ && !hear_) hear_ = std::move(hear);
    } else if (const auto* record = std::get_if<media::RecordFinished>(&event)) {
        if (record->path.empty()) return;  // a live one
        raise(channel::RecordDone{record->id, record->path, record->duration, record->reason});
    } else if (const auto* talking = std::get_if<media::TalkingChanged>(&event)) {
        raise(channel::Talking{talking->talking, talking->talked});
    } else if (const auto* timeout = std::get_if<media::MediaTimeout>(&event)) {
        LOG_NOTICE(about(), "no media for {:.0f} s; hanging up", seconds(timeout->silence));
        raise(channel::MediaLost{timeout->silence});
        hangup(Cause::requested_channel_unavailable);
    }
}

}  // namespace strowger::pbx
