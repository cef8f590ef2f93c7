#include "wire/rtp/telephone_event.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace strowger::rtp {

namespace {

constexpr std::string_view keys = "0123456789*#ABCD!";  // event 0 to 16 (RFC 4733 section 3.2)
constexpr std::uint32_t longest_segment = 0xffff;       // section 2.5.1.3
constexpr unsigned end_repeats = 2;                     // section 2.5.1.4: three in total
constexpr std::uint32_t stale_seconds =
    5;  // an event this far back is a new timestamp base, not late
constexpr Duration wait = std::chrono::milliseconds{500};  // 'w'

}  // namespace

std::optional<TelephoneEvent> TelephoneEvent::parse(Bytes payload) {
    if (payload.size() < size) return std::nullopt;
    return TelephoneEvent{.event = payload[0],
                          .end = (payload[1] & 0x80) != 0,
                          .volume = static_cast<std::uint8_t>(payload[1] & 0x3f),
                          .duration = load16(payload, 2)};
}

std::array<std::uint8_t, TelephoneEvent::size> TelephoneEvent::bytes() const {
    return {event, static_cast<std::uint8_t>((end ? 0x80 : 0) | std::min<int>(volume, 63)),
            static_cast<std::uint8_t>(duration >> 8), static_cast<std::uint8_t>(duration)};
}

char digit_of(std::uint8_t event) { return event < keys.size() ? keys[event] : '\0'; }

std::optional<std::uint8_t> event_of(char digit) {
    if (digit >= 'a' && digit <= 'd') digit = static_cast<char>(digit - 32);
    const auto at = digit == '\0' ? std::string_view::npos : keys.find(digit);
    if (at == std::string_view::npos) return std::nullopt;
    return static_cast<std::uint8_t>(at);
}

void EventReceiver::receive(const Header& header, Bytes payload, Time now) {
    const auto event = TelephoneEvent::parse(payload);
    if (!event || digit_of(event->event) == '\0') return;
    const bool same_source = any_ && header.ssrc == ssrc_;
    const std::uint32_t ahead = header.timestamp - start_;

    if (same_source && event->event == event_ && ahead == 0) {
        if (!active_) return;  // the end, told again
        duration_ = std::max(duration_, event->duration);
    } else if (same_source && active_ && event->event == event_ && !header.marker &&
               ahead == longest_segment) {
        before_ += longest_segment;
        start_ = header.timestamp;
        duration_ = event->duration;
    } else if (same_source && !newer(header.timestamp, start_) && ahead != 0 &&
               0U - ahead < stale_seconds * config_.clock_rate) {
        return;  // of an event before this one, late
    } else {
        if (active_) finish();  // its end was lost
        any_ = active_ = true;
        ssrc_ = header.ssrc;
        start_ = header.timestamp;
        event_ = event->event;
        volume_ = event->volume;
        before_ = 0;
        duration_ = event->duration;
        push({.digit = digit_of(event_), .volume = volume_});
    }
    last_ = now;
    if (event->end) finish();
}

void EventReceiver::tick(Time now) {
    if (active_ && now >= deadline()) finish();
}

Time EventReceiver::deadline() const { return active_ ? last_ + config_.timeout : Time::max(); }

bool EventReceiver::poll(KeyEvent& event) {
    if (queued_ == 0) return false;
    event = queue_[head_];
    head_ = (head_ + 1) % max_queued;
    --queued_;
    return true;
}

void EventReceiver::finish() {
    active_ = false;
    const std::uint64_t units = std::uint64_t{before_} + duration_;
    push({.digit = digit_of(event_),
          .end = true,
          .duration = Duration(units * 1'000'000'000ULL / std::max(1U, config_.clock_rate)),
          .volume = volume_});
}

void EventReceiver::push(const KeyEvent& event) {
    if (queued_ == max_queued) return;
    queue_[(head_ + queued_++) % max_queued] = event;
}

Result<> EventSender::send(std::string_view digits, Duration duration, Duration pause) {
    if (queue_.size() + digits.size() > max_digits) {
        return fail("DTMF: {} digits to send with {} waiting; {} are the limit", digits.size(),
                    queue_.size(), max_digits);
    }
    for (const char digit : digits) {
        if (!event_of(digit) && digit != 'w' && digit != 'W') {
            return fail("DTMF '{}': expected 0-9, *, #, A-D, ! or w, got '{}'", digits, digit);
        }
    }
    for (const char digit : digits) {
        const auto event = event_of(digit);
        queue_.push_back({.event = event.value_or(0),
                          .silence = !event,
                          .duration = event ? std::clamp(duration, shortest, longest) : wait,
                          .pause = std::clamp(pause, Duration{}, longest)});
    }
    if (state_ == State::idle && !queue_.empty()) {
        state_ = State::waiting;
        due_ = Time::min();
    }
    return {};
}

void EventSender::stop() {
    queue_.clear();
    if (state_ == State::waiting) state_ = State::idle;
    if (state_ == State::down) current_.duration = elapsed_ + config_.interval;
}

auto EventSender::next(Time now, std::uint32_t media_timestamp) -> std::optional<Out> {
    while (state_ == State::waiting && now >= due_) start_next(now, media_timestamp);
    if (!sounding() || now < due_) return std::nullopt;
    return state_ == State::down ? update() : repeat_end();
}

Time EventSender::deadline() const { return state_ == State::idle ? Time::max() : due_; }

void EventSender::start_next(Time now, std::uint32_t media_timestamp) {
    if (queue_.empty()) {
        state_ = State::idle;
        return;
    }
    current_ = queue_.front();
    queue_.pop_front();
    if (current_.silence) {
        due_ = (due_ == Time::min() ? now : due_) + current_.duration;
        return;
    }
    state_ = State::down;
    segment_start_ = media_timestamp;
    segment_base_ = 0;
    elapsed_ = {};
    started_ = due_ = now;
    first_ = true;
}

auto EventSender::update() -> Out {
    const auto elapsed = std::min(elapsed_ + config_.interval, current_.duration);
    const auto in_segment = units(elapsed) - segment_base_;
    const bool full = in_segment > longest_segment;
    const bool end = !full && elapsed == current_.duration;
    Out out{.marker = std::exchange(first_, false),
            .timestamp = segment_start_,
            .payload = TelephoneEvent{.event = current_.event,
                                      .end = end,
                                      .volume = config_.volume,
                                      .duration = static_cast<std::uint16_t>(full ? longest_segment
                                                                                  : in_segment)}
                           .bytes(),
            .last = false};
    if (full) {  // the rest of the time goes out at once in the first packet of the next segment
        segment_start_ += longest_segment;
        segment_base_ += longest_segment;
        return out;
    }
    elapsed_ = elapsed;
    due_ += config_.interval;
    if (end) {
        state_ = State::ending;
        ends_left_ = end_repeats;
    }
    return out;
}

auto EventSender::repeat_end() -> Out {
    --ends_left_;
    const Out out{.marker = false,
                  .timestamp = segment_start_,
                  .payload = TelephoneEvent{.event = current_.event,
                                            .end = true,
                                            .volume = config_.volume,
                                            .duration = static_cast<std::uint16_t>(units(elapsed_) -
                                                                                   segment_base_)}
                                 .bytes(),
                  .last = ends_left_ == 0 && queue_.empty()};
    due_ += config_.interval;
    if (ends_left_ == 0) {
        state_ = State::waiting;
        due_ = std::max(due_, started_ + current_.duration + current_.pause);
    }
    return out;
}

std::uint32_t EventSender::units(Duration duration) const {
    return static_cast<std::uint32_t>(static_cast<std::uint64_t>(duration.count()) *
                                      config_.clock_rate / 1'000'000'000U);
}

}  // namespace strowger::rtp
