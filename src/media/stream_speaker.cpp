#include "media/stream_speaker.hpp"

#include <array>

#include "media/relay_stream.hpp"
#include "media/shard.hpp"

namespace strowger::media {
namespace {

constexpr std::size_t frame = 160;  // 20 ms
constexpr Duration frame_time = std::chrono::milliseconds{20};

// A player that fell behind by more starts its clock anew instead of sending a burst.
constexpr Duration max_catch_up = std::chrono::milliseconds{100};

}  // namespace

StreamSpeaker::StreamSpeaker(RelayStream& stream, Shard& shard)
    : stream_(stream),
      shard_(shard),
      play_timer_([this](Time now) { play_tick(now); }),
      key_timer_([this](Time now) { key_tick(now); }) {}

void StreamSpeaker::play(std::unique_ptr<Player> player, Voice voice) {
    player_ = std::move(player);
    voice_ = voice;
    stream_.outgoing().source_changed();
    play_due_ = shard_.now();
    shard_.timers().arm(play_timer_, play_due_);
}

void StreamSpeaker::stop() {
    player_.reset();
    shard_.timers().disarm(play_timer_);
    stream_.resume_source();
}

void StreamSpeaker::play_tick(Time now) {
    std::array<Sample, frame> samples{};
    if (player_->read(samples) == 0) return stop();
    std::array<std::uint8_t, frame> codes;
    g711::encode(voice_.law, samples, codes);
    send(stream_.outgoing().generate(voice_.payload_type, frame, now), codes);
    stream_.count_played(player_->samples_read());
    play_due_ = now - play_due_ > max_catch_up ? now + frame_time : play_due_ + frame_time;
    shard_.timers().arm(play_timer_, play_due_);
}

void StreamSpeaker::press(const Keys& keys) {
    if (!keys_.busy()) {
        keys_ = rtp::EventSender({.volume = keys.volume});
        key_type_ = keys.payload_type;
    }
    if (!keys_.send(keys.digits, keys.duration, keys.pause)) return;
    shard_.timers().arm(key_timer_, shard_.now());
}

void StreamSpeaker::key_tick(Time now) {
    while (const auto out = keys_.next(now, stream_.outgoing().timestamp_at(now)))
        send(stream_.outgoing().generate_at(key_type_, out->timestamp, now, out->marker),
             out->payload);
    if (keys_.busy())
        shard_.timers().arm(key_timer_, keys_.deadline());
    else
        stream_.resume_source();
}

void StreamSpeaker::send(const rtp::Header& header, Bytes payload) {
    const MutableBytes buffer = shard_.second_buffer();
    const std::size_t size = rtp::write(header, payload, buffer);
    stream_.put(buffer, size);
}

}  // namespace strowger::media
