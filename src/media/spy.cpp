#include "media/spy.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "media/leg.hpp"
#include "media/mix.hpp"
#include "media/shard.hpp"

namespace strowger::media {

Spy::Spy(Shard& shard, Leg& listener, Leg& target, const SpySettings& settings)
    : shard_(shard),
      listener_(listener),
      target_(target),
      settings_(settings),
      timer_([this](Time now) { tick(now); }) {
    target_.add_spy(*this);
    change(settings);
    shard_.timers().arm(timer_, shard_.now());
}

Spy::~Spy() {
    target_.remove_spy(*this);
    target_.remove_whisper(whisper_);
    if (peer_) peer_->remove_whisper(barge_);
}

void Spy::change(const SpySettings& settings) {
    settings_ = settings;
    target_.remove_whisper(whisper_);
    if (settings.whispers || settings.barges) target_.add_whisper(whisper_);
    if (!settings.hears_target) from_target_.clear();
    if (!settings.hears_others) to_target_.clear();
    barge_.clear();
    peer_changed();
}

void Spy::hear(bool target_speaks, std::uint32_t timestamp, std::span<const Sample> samples) {
    if (target_speaks ? settings_.hears_target : settings_.hears_others)
        (target_speaks ? from_target_ : to_target_).put(timestamp, samples);
}

void Spy::say(std::uint32_t timestamp, std::span<const Sample> samples) {
    if (settings_.whispers || settings_.barges) whisper_.put(timestamp, samples);
    if (settings_.barges && (peer_ || target_.in_mix())) barge_.put(timestamp, samples);
}

void Spy::peer_changed() {
    Leg* const peer = settings_.barges ? target_.peer() : nullptr;
    if (peer == peer_) return;
    if (peer_) peer_->remove_whisper(barge_);
    peer_ = peer;
    barge_.clear();
    if (peer_) peer_->add_whisper(barge_);
}

bool Spy::add_barging(std::span<Sample> frame) {
    if (!settings_.barges || peer_) return false;
    std::array<Sample, Mix::frame_samples> said;
    const auto part = std::span(said).first(std::min(frame.size(), said.size()));
    if (!barge_.take(part)) return false;
    for (std::size_t i = 0; i < part.size(); ++i)
        frame[i] = static_cast<Sample>(std::clamp(frame[i] + part[i], -32768, 32767));
    return true;
}

void Spy::tick(Time now) {
    shard_.timers().arm(timer_, std::max(timer_.deadline() + Mix::frame_time, now));
    if (settings_.whispers || settings_.barges) target_.whisper_alone(now);
    if (peer_) peer_->whisper_alone(now);
    std::array<Sample, Mix::frame_samples> said, heard;
    from_target_.take(said);
    to_target_.take(heard);
    if (!settings_.hears_target && !settings_.hears_others) return;
    const auto factor = static_cast<std::int32_t>(std::lround(settings_.gain * 256));
    for (std::size_t i = 0; i < said.size(); ++i)
        said[i] =
            static_cast<Sample>(std::clamp((said[i] + heard[i]) * factor / 256, -32768, 32767));
    if (!listener_.occupied()) listener_.speak(said, now);
}

}  // namespace strowger::media
