// Keys that the other side gets later than they were pressed, or something else in their place.
#include <utility>

#include "media/recoder.hpp"

namespace strowger::media {

Duration Recoder::holds_key(std::uint8_t type) const {
    const std::uint8_t index = way_of_[type & 0x7f];
    if (held_.empty() || index == 0) return {};
    const auto kind = plan_.ways[index - 1U].kind;
    const bool key = kind == Way::Kind::event || kind == Way::Kind::tone;
    return key ? plan_.keys.delay + std::chrono::seconds{1} : Duration{};
}

void Recoder::take_key(const KeyPacket& packet, const Way& way, Time now, Out& out) {
    if (held_.empty()) return play_key(packet, way, now, out);
    pressed_before_.receive(packet.header, packet.event.bytes(), now);
    rtp::KeyEvent unread;
    while (pressed_before_.poll(unread)) {}
    if (held_count_ == max_held) return;
    held_[(held_first_ + held_count_++) % max_held] = {now + plan_.keys.delay, packet, &way};
}

void Recoder::play_key(const KeyPacket& packet, const Way& way, Time now, Out& out) {
    if (way.kind == Way::Kind::event)
        convert_event(packet, way, now, out);
    else
        sound_event(packet, way, now, out);
}

void Recoder::play_held_keys(Time now, Out& out) {
    pressed_before_.tick(now);
    while (held_count_ > 0 && held_[held_first_].due <= now) {
        const Held held = held_[held_first_];
        held_first_ = (held_first_ + 1) % max_held;
        --held_count_;
        play_key(held.packet, *held.way, now, out);
    }
}

// A tone that was heard, as if the party had sent an event.
void Recoder::put_heard(bool end, Time now, Out& out) {
    const KeyPacket packet{.header = {.sequence = heard_sequence_++,
                                      .timestamp = heard_since_,
                                      .ssrc = rewriter_.ssrc()},
                           .event = {.event = rtp::event_of(heard_).value_or(0),
                                     .end = end,
                                     .duration = static_cast<std::uint16_t>(
                                         std::min<std::uint32_t>(heard_units_, 0xffff))}};
    take_key(packet, heard_way_, now, out);
}

// One of the ten digits, the key itself among them: were it left out, each press would tell of one
// that it is not.
void Recoder::draw_event() {
    constexpr std::uint32_t digits = 10;
    seed_ = seed_ * 1664525U + 1013904223U;
    random_event_ = static_cast<std::uint8_t>((std::uint64_t{seed_} * digits) >> 32);
}

std::uint8_t Recoder::told_event(std::uint8_t event) const {
    switch (plan_.keys.mode) {
        case Keys::Mode::random: return random_event_;
        case Keys::Mode::event: return plan_.keys.event;
        default: return event;
    }
}

}  // namespace strowger::media
