// What a leg does in other codecs than G.711, or between that and them: its own decoders and
// encoder stand at its edge, and behind them all sound is linear.

#include <algorithm>
#include <array>

#include "media/dtmf_detector.hpp"
#include "media/leg.hpp"
#include "media/recorder.hpp"
#include "media/shard.hpp"
#include "media/spy.hpp"

namespace strowger::media {
namespace {

// What one packet and the loss before it may hold at 8000 samples a second: 180 ms.
constexpr std::size_t max_said = 1440 + 8;

constexpr std::array<Sample, codec::max_packet_samples * 3 / 2> silence{};

// After a pause of our own making, the line of what is overheard goes on by the time that passed.
constexpr Duration max_pause = std::chrono::milliseconds{100};

}  // namespace

Unpacker* Leg::unpack(const rtp::Packet& packet, std::optional<Sound>& sound) {
    const std::uint8_t type = packet.payload_type();
    auto ear = std::ranges::find(ears_, type, &Ear::type);
    if (ear == ears_.end()) {
        const auto payload = std::ranges::find_if(terms_.payloads, [&](const auto& agreed) {
            return (agreed.receive_type & 0x7f) == type;
        });
        if (payload == terms_.payloads.end()) return nullptr;
        // No more than the other side can hear.
        const Leg* const to = echo_ ? this : peer_;
        const auto* spoken = to ? to->spoken_payload() : nullptr;
        const std::uint32_t rate = spoken ? codec::native_rate(spoken->codec) : 8000;
        auto unpacker = Unpacker::make(payload->codec, rate);
        if (!unpacker) return nullptr;
        ears_.push_back({type, std::move(unpacker)});
        ear = ears_.end() - 1;
    }
    sound = ear->unpacker->put(packet.header().ssrc, packet.header().sequence, packet.timestamp(),
                               packet.payload());
    return ear->unpacker.get();
}

void Leg::take_coded(const rtp::Packet& packet, MutableBytes datagram, Route route, Time now) {
    Leg* const to = route.way == Way::drop ? nullptr : echo_ ? this : peer_;
    const bool listened = receives() && is_listened_to();
    const auto* as = to ? to->spoken_payload() : nullptr;
    // What is whispered can be added to samples only.
    const bool whispered = as && !to->whispers_.empty();
    const bool recoded = as && (route.way == Way::recode || whispered);
    if (!listened && !recoded && !(to && to->overhears())) {
        if (to) to->relay(datagram, packet.payload(), route, now);
        return;
    }
    std::optional<Sound> sound;
    Unpacker* const ear = unpack(packet, sound);
    std::optional<Sound> narrow;
    if (ear && sound) narrow = ear->narrow();
    if (listened && narrow) hear(narrow->position, narrow->samples, now);
    if (!to) return;
    // As with `mute_key`: the tone that becomes an event must not be heard as well.
    const bool muted = detector_ && detector_->sounding() && peer_takes_events();
    if (!recoded) {
        if (narrow) to->overhear(narrow->position, narrow->samples, now);
        if (!muted) to->relay(datagram, packet.payload(), route, now);
        return;
    }
    if (!sound || !narrow) return;
    if (muted) {
        sound->samples = std::span(silence).first(sound->samples.size());
        narrow->samples = std::span(silence).first(narrow->samples.size());
    }
    to->say(*sound, *narrow, *as, now);
}

Packer* Leg::packer(const sdp::AgreedPayload& payload, std::uint32_t rate) {
    // An encoder that can take more than is needed now stays: what is made anew begins anew.
    if (packer_ && packed_type_ == payload.send_type && packed_rate_ >= rate) return packer_.get();
    packer_ = Packer::make(payload.codec, rate, terms_.ptime_ms);
    packed_type_ = payload.send_type;
    packed_rate_ = rate;
    return packer_.get();
}

void Leg::overhear(std::uint32_t timestamp, std::span<const Sample> samples, Time now) {
    for (auto& recorder : recorders_)
        recorder->hear(Recorder::Voice::others, timestamp, samples, now);
    for (Spy* const spy : spies_) spy->hear(false, timestamp, samples);
}

void Leg::say(const Sound& sound, const Sound& narrow, const sdp::AgreedPayload& as, Time now) {
    if (!sends() || occupied()) return;
    Sound said = sound;
    std::array<Sample, max_said> with_whispers;
    if (!whispers_.empty()) {
        const auto count = std::min(narrow.samples.size(), with_whispers.size());
        std::copy_n(narrow.samples.begin(), count, with_whispers.begin());
        add_whispers(std::span(with_whispers).first(count));
        said = {narrow.rate, narrow.position, std::span(with_whispers).first(count)};
    }
    overhear(narrow.position, narrow.samples, now);
    Packer* const packer = this->packer(as, said.rate);
    if (!packer) return;
    if (std::exchange(packs_own_, false)) packer->restart();
    packer->put(said.rate, said.position, said.samples);
    spoke_ = now;
    while (const auto made = packer->poll()) {
        // To the rewriter each line is a source of its own.
        const auto header = sender_.forward({.marker = made->marker,
                                             .payload_type = as.send_type,
                                             .sequence = made->sequence,
                                             .timestamp = made->timestamp,
                                             .ssrc = sender_.ssrc() + packer->line()},
                                            now);
        if (!header) continue;
        const MutableBytes packet =
            shard_->second_buffer().first(rtp::header_size + made->payload.size());
        std::ranges::copy(made->payload, packet.begin() + rtp::header_size);
        rtp::write_header(*header, packet);
        send(packet, made->payload, no_law, now);
    }
}

void Leg::speak_coded(std::span<const Sample> samples, const sdp::AgreedPayload& as, Time now) {
    if (!sends()) return;
    std::array<Sample, max_said> with_whispers;
    if (!whispers_.empty()) {
        std::ranges::copy(samples, with_whispers.begin());
        samples = std::span(with_whispers).first(samples.size());
        add_whispers(std::span(with_whispers).first(samples.size()));
    }
    if (now - spoke_ > max_pause)
        own_position_ +=
            static_cast<std::uint32_t>((now - spoke_) / std::chrono::microseconds{125});
    overhear(own_position_, samples, now);
    own_position_ += static_cast<std::uint32_t>(samples.size());
    Packer* const packer = this->packer(as, 8000);
    if (!packer) return;
    if (!std::exchange(packs_own_, true)) packer->restart();
    packer->append(8000, samples);
    spoke_ = now;
    while (const auto made = packer->poll()) {
        const MutableBytes packet =
            shard_->second_buffer().first(rtp::header_size + made->payload.size());
        std::ranges::copy(made->payload, packet.begin() + rtp::header_size);
        rtp::write_header(sender_.generate(as.send_type, made->duration, now), packet);
        send(packet, made->payload, no_law, now);
    }
}

}  // namespace strowger::media
