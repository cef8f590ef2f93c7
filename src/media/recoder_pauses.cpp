// Pauses of a party: CN (RFC 3389) that is to be heard, pauses that are filled, and silence that
// becomes CN.
#include <algorithm>
#include <utility>

#include "media/recoder.hpp"

namespace strowger::media {
namespace {

// Noise is made a packet at a time, and a little later than the party would have sent it: whose
// first packet after the pause comes in time finds its place free.
constexpr Duration frame = Recoder::tick_interval, later = std::chrono::milliseconds{10};
constexpr std::uint32_t frames_a_second = 50;

// No more is made at once of what a pause is behind.
constexpr std::uint32_t longest_catch_up_frames = 25;

}  // namespace

bool Recoder::fills(std::uint8_t type) const {
    return plan_.pauses.delay > Duration{} && packer_ && speech_types_[type & 0x7f];
}

Duration Recoder::tick_delay(std::uint8_t type) const {
    if (noise_types_[type & 0x7f]) return frame + later;
    return fills(type) ? frame + plan_.pauses.delay : Duration{};
}

void Recoder::hear_noise(const rtp::Packet& packet, Time now, Out& out) {
    if (!packer_) return;
    for (const Ear& ear : ears_)
        if (ear.unpacker && !ear.unpacker->pass_over(packet.ssrc(), packet.sequence())) return;
    noise_.describe(packet.payload());
    if (!pausing_) begin_pause(now, now);
    pause_until_ = now + plan_.pauses.longest;
    fill_pause(now, out);
}

void Recoder::tick(Time now, Out& out) {
    keys_.tick(now);
    play_held_keys(now, out);
    if (!packer_) return;
    if (!pausing_) {
        const bool due = plan_.pauses.delay > Duration{} && heard_until_ != Time{} &&
                         now - heard_until_ >= plan_.pauses.delay;
        if (!due || key_pressed()) return;
        noise_.describe(plan_.pauses.fill);
        begin_pause(heard_until_, now);
    }
    fill_pause(now, out);
}

void Recoder::begin_pause(Time began, Time now) {
    pausing_ = true;
    pause_began_ = began;
    pause_until_ = now + plan_.pauses.longest;
    // What earlier pauses got too many this one does without, so that the stream never runs ahead
    // of the time by more and more.
    pause_made_ = std::exchange(pause_ahead_, 0);
    if (const auto next = packer_->expected())
        packer_->follow(*next + static_cast<std::uint32_t>(pause_made_));
}

void Recoder::fill_pause(Time now, Out& out) {
    const Time until = std::min(now, pause_until_);
    if (until < pause_began_) return;
    const std::uint32_t rate = sound_rate_ ? sound_rate_ : packer_->rate();
    const auto frames = static_cast<std::uint64_t>((until - pause_began_) / frame) + 1;
    const std::uint64_t due = frames * (rate / frames_a_second);
    if (due <= pause_made_) return;
    const std::uint64_t most = std::uint64_t{longest_catch_up_frames} * (rate / frames_a_second);
    if (due - pause_made_ > most) pause_made_ = due - most;
    add_noise(due - pause_made_, rate);
    pause_made_ = due;
    flush(now, out);
}

void Recoder::add_noise(std::uint64_t samples, std::uint32_t rate) {
    std::array<Sample, codec::max_rate / frames_a_second> room;
    while (samples > 0) {
        const auto part = std::span(room).first(std::min<std::size_t>(samples, room.size()));
        noise_.generate(part);
        packer_->append(rate, part);
        samples -= part.size();
    }
}

// What is still missing before the sound is filled; where too much was made, it is remembered.
void Recoder::end_pause(const Unpacker::Sound& sound) {
    const bool noise = std::exchange(pausing_, false);
    const auto next = packer_->expected();
    if (!next || packer_->source_rate() != sound.rate) return;
    const auto gap = static_cast<std::int32_t>(sound.position - *next);
    const auto second = static_cast<std::int32_t>(sound.rate);
    if (gap > 0 && gap <= second / 5) {
        if (noise) add_noise(static_cast<std::uint64_t>(gap), sound.rate);
    } else if (gap < 0 && gap > -second) {
        pause_ahead_ = std::min(pause_ahead_ + static_cast<std::uint32_t>(-gap), sound.rate);
        packer_->follow(sound.position);
    }
}

Bytes Recoder::told_noise() const {
    const auto& noise = plan_.pauses.noise;
    return noise.empty() ? Bytes(Pauses::usual_noise) : Bytes(noise);
}

// RFC 3389 section 4: the first packet of a silence, and now and then one more, for who has missed
// it.
bool Recoder::tells_silence(const Packer::Packet& packet) {
    const auto repeat =
        static_cast<std::uint32_t>(seconds(Pauses::repeat) * plan_.out.codec.clock_rate);
    if (silent_ && silence_line_ == packer_->line() && packet.timestamp - silence_told_ < repeat)
        return false;
    silence_line_ = packer_->line();
    silence_told_ = packet.timestamp;
    return true;
}

}  // namespace strowger::media
