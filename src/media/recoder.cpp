#include "media/recoder.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "media/g711.hpp"
#include "media/tones.hpp"

namespace strowger::media {
namespace {

using Kind = Recoder::Way::Kind;

// Of a tone that is made at once: 20 ms at the highest rate.
constexpr std::size_t piece = codec::max_rate / 50;

// One packet tells of no more than this of a key that has not been heard before it: what lies
// further back was lost, and nobody misses it.
constexpr unsigned longest_catch_up_ms = 200;

// The group of higher tones is 2 dB above the other (Q.24), both together as loud as the event
// says.
constexpr double low_group = -4, high_group = -2;

constexpr std::uint64_t longest_segment = 0xffff;  // RFC 4733 section 2.5.1.3

}  // namespace

bool Recoder::Plan::makes_sound() const {
    return detects || std::ranges::any_of(ways, [](const Way& way) {
               return way.kind == Kind::recode || way.kind == Kind::tone;
           });
}

Recoder::Recoder(Plan plan, Random& random)
    : plan_(std::move(plan)),
      rewriter_(random, plan_.out.codec.clock_rate),
      seed_(random.next32()) {
    figures_.own = plan_.own;
    figures_.ssrc_out = rewriter_.ssrc();
    figures_.clock_out = plan_.out.codec.clock_rate;
    bool samples = false;
    wanted_rate_ = 8000;
    for (std::size_t i = 0; i < plan_.ways.size(); ++i) {
        const Way& way = plan_.ways[i];
        way_of_[way.in.type & 0x7f] = static_cast<std::uint8_t>(i + 1);
        if (way.kind == Kind::event || way.kind == Kind::tone)
            keys_ = pressed_before_ = rtp::EventReceiver({.clock_rate = way.in.codec.clock_rate});
        if (way.kind == Kind::tone) samples = true;
        if (way.kind == Kind::noise) noise_types_.set(way.in.type & 0x7f);
        if (way.kind != Kind::recode) continue;
        speech_types_.set(way.in.type & 0x7f);
        samples = true;
        wanted_rate_ = std::max(wanted_rate_, codec::native_rate(way.in.codec));
    }
    if (samples) {
        const std::uint32_t rate = std::min(wanted_rate_, codec::native_rate(plan_.out.codec));
        packer_ = Packer::make(plan_.out.codec, rate, plan_.packet_ms);
        if (packer_ && plan_.noise) packer_->detect_silence(plan_.pauses.silent_below);
    }
    if (plan_.detects) {
        detector_ = std::make_unique<DtmfDetector>();
        const bool told = plan_.event && !plan_.keys.heard();
        const std::uint32_t clock = plan_.event ? plan_.event->codec.clock_rate : 8000;
        heard_way_ = {.in = {0, {"telephone-event", clock, 1, {}}},
                      .kind = told ? Kind::event : Kind::tone};
    }
    if (plan_.keys.delay > Duration{}) held_.resize(max_held);
    // The first is what is spoken; others are made when they are met.
    for (const Way& way : plan_.ways)
        if (way.kind == Kind::recode) {
            (void)ear(way.in.type);
            break;
        }
}

Recoder::~Recoder() = default;

Unpacker* Recoder::ear(std::uint8_t type) {
    const auto known = std::ranges::find(ears_, type, &Ear::type);
    if (known != ears_.end()) return known->unpacker.get();
    const Way& way = plan_.ways[way_of_[type] - 1U];
    // No more than the other side can hear.
    ears_.push_back({type, Unpacker::make(way.in.codec, codec::native_rate(plan_.out.codec))});
    return ears_.back().unpacker.get();
}

void Recoder::take(Bytes bytes, Time now, Out& out) {
    const auto packet = rtp::Packet::parse(bytes);
    if (!packet) return;
    const std::uint8_t index = way_of_[packet->payload_type()];
    if (index == 0) return;
    const Way& way = plan_.ways[index - 1U];
    figures_.ssrc_in = packet->ssrc();
    figures_.sequence_in = packet->sequence();
    keys_.tick(now);
    play_held_keys(now, out);
    switch (way.kind) {
        case Kind::drop: return;
        case Kind::pass:
        case Kind::translate: return pass(*packet, way, now, out);
        case Kind::event:
        case Kind::tone:
            if (const auto event = rtp::TelephoneEvent::parse(packet->payload()))
                take_key({packet->header(), *event}, way, now, out);
            return;
        case Kind::noise: return hear_noise(*packet, now, out);
        case Kind::recode: break;
    }
    figures_.stamp_in = packet->timestamp();
    figures_.clock_in = way.in.codec.clock_rate;
    // A party that goes on speaking while it presses a key is not heard meanwhile: the other side
    // has the key in its place.
    if (!detector_ && key_pressed()) return;
    recode(*packet, now, out);
}

void Recoder::pass(const rtp::Packet& packet, const Way& way, Time now, Out& out) {
    if (plan_.keys.any() && key_pressed() && !sdp::is_auxiliary(way.in.codec.name)) return;
    const Bytes bytes = packet.bytes();
    const MutableBytes room = out.room();
    if (bytes.size() > room.size()) return;
    std::ranges::copy(bytes, room.begin());
    heard_until_ = {};
    rtp::Header header = packet.header();
    header.payload_type = way.out_type;
    if (plan_.own) {
        const auto rewritten = rewriter_.forward(header, now);
        if (!rewritten) return;
        header = *rewritten;
        ++figures_.packets;
        figures_.octets += static_cast<std::uint32_t>(packet.payload().size());
        figures_.sequence_out = header.sequence;
        if (!sdp::is_auxiliary(way.in.codec.name)) {
            figures_.stamp_in = packet.timestamp();
            figures_.stamp_out = header.timestamp;
            figures_.clock_in = way.in.codec.clock_rate;
        }
    }
    rtp::rewrite_header(header, room);
    if (way.kind == Kind::translate) {
        const Bytes codes = packet.payload();
        const auto at = static_cast<std::size_t>(codes.data() - bytes.data());
        g711::transcode(*g711::law_of(way.in.codec), codes, room.subspan(at, codes.size()));
    }
    out.put(bytes.size());
}

void Recoder::recode(const rtp::Packet& packet, Time now, Out& out) {
    Unpacker* const unpacker = ear(packet.payload_type());
    if (!unpacker || !packer_) return;
    auto sound =
        unpacker->put(packet.ssrc(), packet.sequence(), packet.timestamp(), packet.payload());
    if (!sound) return;
    // The tone that becomes an event must not be heard as well (RFC 4733 section 2.6).
    if (detector_ && (hear_keys(unpacker->narrow(), now, out) || key_pressed())) return;
    sound_rate_ = sound->rate;
    if (pausing_ || std::exchange(resumes_, false)) end_pause(*sound);
    heard_until_ = now + std::chrono::nanoseconds(std::uint64_t{1'000'000'000} *
                                                  sound->samples.size() / sound->rate);
    packer_->put(sound->rate, sound->position, sound->samples);
    flush(now, out);
}

void Recoder::flush(Time now, Out& out) {
    while (const auto made = packer_->poll()) {
        // To the rewriter each line is a source of its own.
        const bool after_silence = silent_ && !made->silent;
        if (made->silent && !tells_silence(*made)) continue;
        silent_ = made->silent;
        const auto header =
            rewriter_.forward({.marker = made->marker || after_silence,
                               .payload_type = silent_ ? plan_.noise->type : plan_.out.type,
                               .sequence = made_++,
                               .timestamp = made->timestamp,
                               .ssrc = rewriter_.ssrc() + 1 + packer_->line()},
                              now);
        if (!header) continue;
        figures_.stamp_out = header->timestamp;
        put(*header, silent_ ? told_noise() : made->payload, out);
    }
}

void Recoder::put(const rtp::Header& header, Bytes payload, Out& out) {
    const std::size_t size = rtp::write(header, payload, out.room());
    if (size == 0) return;
    ++figures_.packets;
    figures_.octets += static_cast<std::uint32_t>(payload.size());
    figures_.sequence_out = header.sequence;
    out.put(size);
}

// True: a key sounds, and has been told.
bool Recoder::hear_keys(const Unpacker::Sound& narrow, Time now, Out& out) {
    detector_->process(narrow.samples);
    const auto units = static_cast<std::uint32_t>(std::uint64_t{narrow.samples.size()} *
                                                  heard_way_.in.codec.clock_rate / 8000);
    bool told = false;
    DtmfDetector::Key key;
    while (detector_->poll(key)) {
        told = true;
        const auto event = rtp::event_of(key.digit);
        if (!event) continue;
        if (!key.end) {
            heard_ = key.digit;
            heard_since_ = rewriter_.timestamp_at(now);
            heard_units_ = units;
            if (plan_.keys.any()) {
                put_heard(false, now, out);
                continue;
            }
            put_event(heard_since_,
                      {.event = *event, .duration = static_cast<std::uint16_t>(units)}, true, now,
                      out);
            continue;
        }
        constexpr int ends = 3;  // section 2.5.1.4
        if (plan_.keys.any()) {
            for (int i = 0; i < ends; ++i) put_heard(true, now, out);
            heard_ = 0;
            continue;
        }
        heard_ = 0;
        for (int i = 0; i < ends; ++i)
            put_event(heard_since_,
                      {.event = *event,
                       .end = true,
                       .duration = static_cast<std::uint16_t>(
                           std::min<std::uint64_t>(heard_units_, longest_segment))},
                      false, now, out);
    }
    if (heard_ == 0 || told) return told || detector_->sounding();
    heard_units_ += units;
    if (heard_units_ > longest_segment) {
        heard_since_ += static_cast<std::uint32_t>(longest_segment);
        heard_units_ -= static_cast<std::uint32_t>(longest_segment);
    }
    if (plan_.keys.any()) {
        put_heard(false, now, out);
        return true;
    }
    put_event(
        heard_since_,
        {.event = *rtp::event_of(heard_), .duration = static_cast<std::uint16_t>(heard_units_)},
        false, now, out);
    return true;
}

void Recoder::put_event(std::uint32_t timestamp, const rtp::TelephoneEvent& event, bool marker,
                        Time now, Out& out) {
    const auto payload = event.bytes();
    put(rewriter_.generate_at(plan_.event->type, timestamp, now, marker), payload, out);
}

// Nothing when it tells of a key that is over.
std::optional<Recoder::Followed> Recoder::follow_event(const KeyPacket& packet, Time now) {
    const std::uint32_t timestamp = packet.header.timestamp;
    if (any_event_ && rtp::newer(event_in_, timestamp)) return std::nullopt;
    keys_.receive(packet.header, packet.event.bytes(), now);
    rtp::KeyEvent unread;
    while (keys_.poll(unread)) {}
    bool begins = false;
    if (!any_event_ || timestamp != event_in_) {
        begins = !any_event_ || event_ended_;
        if (begins) {
            event_base_ = 0;
            draw_event();
        } else {  // another segment of the same key
            event_base_ += timestamp - event_in_;
        }
        event_in_ = timestamp;
    }
    any_event_ = true;
    event_ended_ = packet.event.end;
    return Followed{packet.event, begins};
}

void Recoder::convert_event(const KeyPacket& packet, const Way& way, Time now, Out& out) {
    const auto followed = follow_event(packet, now);
    if (!followed) return;
    const auto& [event, begins] = *followed;
    const auto scaled = [&](std::uint64_t units) {
        return units * plan_.event->codec.clock_rate / way.in.codec.clock_rate;
    };
    if (begins) {
        event_out_ = rewriter_.timestamp_at(now);
        event_told_ = 0;
    }
    bool marker = begins;
    auto told = event;
    told.event = told_event(event.event);
    const std::uint64_t total = scaled(event_base_ + event.duration);
    // What is too long for one segment here goes on in another (section 2.5.1.3). The count is of
    // what a segment can hold there: 65535 of 8000 are six of 48000.
    while (total > event_told_ + longest_segment) {
        told.duration = static_cast<std::uint16_t>(longest_segment);
        told.end = false;
        put_event(event_out_, told, marker, now, out);
        marker = false;
        event_told_ += longest_segment;
        event_out_ += static_cast<std::uint32_t>(longest_segment);
    }
    told.end = event.end;
    told.duration = static_cast<std::uint16_t>(total > event_told_ ? total - event_told_ : 0);
    put_event(event_out_, told, marker, now, out);
}

void Recoder::sound_event(const KeyPacket& packet, const Way& way, Time now, Out& out) {
    if (!packer_) return;
    const auto followed = follow_event(packet, now);
    if (!followed) return;
    const auto& [event, begins] = *followed;
    if (begins) tone_made_ = 0;
    const std::uint32_t rate = sound_rate_ ? sound_rate_ : packer_->rate();
    const std::uint64_t until = (event_base_ + event.duration) * rate / way.in.codec.clock_rate;
    if (until <= tone_made_) return;
    resumes_ = true;
    const std::uint64_t most = std::uint64_t{rate} / 1000 * longest_catch_up_ms;
    if (until - tone_made_ > most) tone_made_ = until - most;
    while (tone_made_ < until) {
        std::array<Sample, piece> samples;
        const auto part = std::span(samples).first(static_cast<std::size_t>(std::min<std::uint64_t>(
            until - tone_made_, std::min<std::uint64_t>(piece, rate / 50))));
        make_tone(event, tone_made_, part, rate);
        packer_->append(rate, part);
        tone_made_ += part.size();
        flush(now, out);
    }
}

void Recoder::make_tone(const rtp::TelephoneEvent& event, std::uint64_t from,
                        std::span<Sample> samples, std::uint32_t rate) const {
    const auto& keys = plan_.keys;
    auto pair = dtmf_pair(rtp::digit_of(told_event(event.event)));
    if (keys.mode == Keys::Mode::tone) pair = {static_cast<int>(keys.frequency), 0};
    // Flash is not heard, either.
    if (pair.low == 0 || keys.mode == Keys::Mode::silence) {
        std::ranges::fill(samples, Sample{0});
        return;
    }
    const bool one = pair.high == 0;
    const double level = -static_cast<double>(one ? keys.volume : event.volume);
    const double low = amplitude_of(one ? level : level + low_group),
                 high = one ? 0 : amplitude_of(level + high_group);
    const double turn = 2 * std::numbers::pi / rate;
    for (std::size_t i = 0; i < samples.size(); ++i) {
        const auto at = static_cast<double>(from + i) * turn;
        const double value = low * std::sin(at * pair.low) + high * std::sin(at * pair.high);
        samples[i] = static_cast<Sample>(std::clamp(std::lround(value), -32768L, 32767L));
    }
}

}  // namespace strowger::media
