#include "media/mix.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "media/leg.hpp"
#include "media/player.hpp"
#include "media/recorder.hpp"
#include "media/shard.hpp"

namespace strowger::media {
namespace {

// A tick that comes later than this begins the clock anew instead of sending a burst.
constexpr Duration max_catch_up = std::chrono::milliseconds{100};

Sample saturate(std::int32_t value) {
    return static_cast<Sample>(std::clamp(value, -32768, 32767));
}

void amplify(std::span<Sample> samples, float gain) {
    if (gain == 1) return;
    // In 1/256, which is finer than anybody hears and needs no floating point.
    const auto factor = static_cast<std::int32_t>(std::lround(gain * 256));
    for (Sample& sample : samples) sample = saturate(sample * factor / 256);
}

}  // namespace

Mix::Mix(std::uint64_t id, std::string name)
    : id_(id), name_(std::move(name)), timer_([this](Time now) { tick(now); }) {}

Mix::~Mix() {
    while (!members_.empty()) members_.back()->leg->part();
    if (!shard_) return;
    finish_play(false);
    stop_record(0, "ended");
}

void Mix::attach(Shard& shard) {
    shard_ = &shard;
    shard.timers().arm(timer_, shard.now());
}

Mix::Member* Mix::find(const Leg& leg) {
    for (const auto& member : members_)
        if (member->leg == &leg) return member.get();
    return nullptr;
}

void Mix::enter(Leg& leg, const MixSettings& settings) {
    Member* member = find(leg);
    if (!member) {
        members_.push_back(std::make_unique<Member>());
        member = members_.back().get();
        member->leg = &leg;
    }
    if (settings.muted && !member->settings.muted) member->lane.clear();
    member->settings = settings;
}

void Mix::leave(Leg& leg) {
    const auto found =
        std::ranges::find_if(members_, [&](const auto& member) { return member->leg == &leg; });
    if (found != members_.end()) members_.erase(found);
}

void Mix::play(std::unique_ptr<Player> player, std::uint64_t id) {
    finish_play(false);
    player_ = std::move(player);
    play_id_ = id;
}

void Mix::finish_play(bool completed) {
    if (!player_) return;
    const auto played = std::chrono::microseconds{player_->samples_read() * 125};
    player_.reset();
    shard_->tell(0, PlayFinished{.party = {name_, {}},
                                 .id = play_id_,
                                 .completed = completed,
                                 .error = {},
                                 .played = played});
}

void Mix::record(std::unique_ptr<Recorder> recorder) {
    recorder->start(shard_->now());
    recorders_.push_back(std::move(recorder));
}

void Mix::stop_record(std::uint64_t id, std::string_view reason) {
    std::erase_if(recorders_, [&](auto& recorder) {
        if (id != 0 && recorder->id() != id) return false;
        recorder->finish(shard_->now(), reason);
        return true;
    });
}

void Mix::hear(const Leg& leg, std::uint32_t timestamp, std::span<const Sample> samples) {
    Member* const member = find(leg);
    if (member && !member->settings.muted) member->lane.put(timestamp, samples);
}

void Mix::key(const Leg& leg, char digit, Duration duration) {
    const Member* const by = find(leg);
    if (!by || !by->settings.pass_keys || by->settings.muted) return;
    for (const auto& member : members_)
        if (member.get() != by && !member->settings.deaf)
            member->leg->send_digits(std::string(1, digit), duration, Mix::frame_time * 2);
}

void Mix::tick(Time now) {
    Sum sum{};
    for (const auto& member : members_) {
        listen(*member, now);
        if (!member->heard) continue;
        for (std::size_t i = 0; i < frame_samples; ++i) sum[i] += member->frame[i];
    }
    if (player_) {
        Frame played{};
        if (player_->read(played) == 0)
            finish_play(true);
        else
            for (std::size_t i = 0; i < frame_samples; ++i) sum[i] += played[i];
    }
    std::ranges::transform(sum, common_.begin(), saturate);
    coded_ = {};
    for (const auto& member : members_) speak(*member, sum, now);
    if (!recorders_.empty()) record_tick(sum, now);
    const bool late = now - timer_.deadline() > max_catch_up;
    shard_->timers().arm(timer_, (late ? now : timer_.deadline()) + frame_time);
}

void Mix::listen(Member& member, Time) {
    member.heard = member.lane.take(member.frame);
    member.heard |= member.leg->add_barging(member.frame);
    member.heard &= !member.settings.muted;
    if (member.settings.detects_talk || member.settings.drops_silence) detect_talk(member);
    if (member.settings.drops_silence) member.heard &= member.talking;
    if (member.heard) amplify(member.frame, member.settings.talking_gain);
}

void Mix::detect_talk(Member& member) {
    std::int64_t magnitude = 0;
    if (member.heard)
        for (const Sample sample : member.frame) magnitude += std::abs(int{sample});
    const bool loud = magnitude >= std::int64_t{member.settings.talking_threshold} *
                                       static_cast<std::int64_t>(frame_samples);
    if (member.talking) member.talked += frame_time;
    member.silent = loud ? Duration::zero() : member.silent + frame_time;
    const bool talks = loud || (member.talking && member.silent < member.settings.silence);
    if (talks == member.talking) return;
    member.talking = talks;
    if (member.settings.detects_talk)
        shard_->tell(member.leg->id(),
                     TalkingChanged{.party = {}, .talking = talks, .talked = member.talked});
    member.talked = {};
}

// To one member: the sum without its own voice.
void Mix::speak(Member& member, const Sum& sum, Time now) {
    Leg& leg = *member.leg;
    if (leg.occupied()) return;
    const auto law = leg.own_law();
    const bool plain =
        !member.heard && !member.settings.deaf && member.settings.listening_gain == 1;
    if (plain && law && !leg.is_tapped()) {
        const auto which = static_cast<std::size_t>(*law);
        if (!std::exchange(coded_[which], true)) g711::encode(*law, common_, codes_[which]);
        leg.speak_codes(codes_[which], now);
        return;
    }
    Frame frame = common_;
    if (member.heard)
        for (std::size_t i = 0; i < frame_samples; ++i)
            frame[i] = saturate(sum[i] - member.frame[i]);
    if (member.settings.deaf) frame = {};
    amplify(frame, member.settings.listening_gain);
    leg.speak(frame, now);
}

void Mix::record_tick(const Sum&, Time now) {
    recorded_ += frame_samples;
    for (auto& recorder : recorders_)
        recorder->hear(Recorder::Voice::party, recorded_, common_, now);
    // A tick of theirs now and then; see Recorder::interval.
    if (recorded_ % (frame_samples * static_cast<std::size_t>(Recorder::interval / frame_time)))
        return;
    std::erase_if(recorders_, [&](auto& recorder) {
        const auto reason = recorder->tick(now);
        if (reason) recorder->finish(now, *reason);
        return reason.has_value();
    });
}

}  // namespace strowger::media
