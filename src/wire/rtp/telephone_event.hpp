#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "wire/rtp/packet.hpp"

namespace strowger::rtp {

/// The payload of a named telephone event (RFC 4733 section 2.3).
struct TelephoneEvent {
    static constexpr std::size_t size = 4;
    static std::optional<TelephoneEvent> parse(
        Bytes payload);  ///< the first, where several are packed
    std::array<std::uint8_t, size> bytes() const;

    std::uint8_t event = 0;
    bool end = false;
    std::uint8_t volume = 10;    ///< -dBm0, 0 to 63
    std::uint16_t duration = 0;  ///< timestamp units

    bool operator==(const TelephoneEvent&) const = default;
};

/// Events 0 to 15 are 0-9 * # A-D, and 16 is flash, written '!'. 0 (NUL) and nothing for any other.
char digit_of(std::uint8_t event);
std::optional<std::uint8_t> event_of(char digit);

/// A key of the other end going down or coming up again.
struct KeyEvent {
    char digit = 0;
    bool end = false;
    Duration duration{};  ///< so far; final when `end`
    std::uint8_t volume = 0;
};

/// Makes key presses of telephone-event packets: one start and one end a press, however often
/// packets are repeated, lost, late or split over segments (RFC 4733 section 2.5.2).
///
///     receiver.receive(packet.header(), packet.payload(), now);
///     while (receiver.poll(event)) ...
///
/// An end that never comes is made up by the next press, or by `tick` after `Config::timeout`.
class EventReceiver {
public:
    struct Config {
        std::uint32_t clock_rate = 8000;
        Duration timeout = std::chrono::milliseconds{200};  ///< ten missed updates
    };
    static constexpr std::size_t max_queued =
        16;  ///< events unread; the owner polls after each packet

    EventReceiver() : EventReceiver(Config{}) {}
    explicit EventReceiver(Config config) : config_(config) {}

    void receive(const Header& header, Bytes payload, Time now);
    void tick(Time now);
    Time deadline() const;
    bool poll(KeyEvent& event);
    bool pressed() const { return active_; }

private:
    void finish();
    void push(const KeyEvent& event);

    Config config_;
    bool active_ = false;
    bool any_ = false;  // an event was seen: `start_` means something
    std::uint32_t ssrc_ = 0;
    std::uint32_t start_ = 0;  // timestamp of the current or last event (its last segment)
    std::uint8_t event_ = 0, volume_ = 0;
    std::uint32_t before_ = 0;    // duration of segments gone by
    std::uint16_t duration_ = 0;  // of the current segment
    Time last_{};
    std::array<KeyEvent, max_queued> queue_{};
    std::size_t head_ = 0, queued_ = 0;
};

/// Sends digits as telephone-event packets (RFC 4733 section 2.5.1): the first with the marker,
/// then an update every interval, and the last one three times; a pause, then the next digit.
///
///     sender.send("42#", 100ms, 60ms);
///     while (auto packet = sender.next(now, media_timestamp)) ... write it with its own timestamp
///     ... wake me at sender.deadline()
class EventSender {
public:
    struct Config {
        std::uint32_t clock_rate = 8000;
        Duration interval = std::chrono::milliseconds{20};
        std::uint8_t volume = 10;
    };
    struct Out {
        bool marker;
        std::uint32_t timestamp;  ///< of the event's (or segment's) start
        std::array<std::uint8_t, TelephoneEvent::size> payload;
        bool last;  ///< nothing more is queued after it
    };
    static constexpr std::size_t max_digits = 256;  ///< queued; more than any dial string
    static constexpr Duration shortest =
        std::chrono::milliseconds{40};  ///< Q.24: surely recognised
    static constexpr Duration longest = std::chrono::seconds{60};

    EventSender() : EventSender(Config{}) {}
    explicit EventSender(Config config) : config_(config) {}

    /// Queues digits (0-9 * # A-D a-d, ! for flash, w for half a second of pause). `duration` is
    /// kept between `shortest` and `longest`.
    Result<> send(std::string_view digits, Duration duration, Duration pause);
    void stop();  ///< ends the current digit at once and drops the rest

    /// The packet due at `now`; `media_timestamp` is what an audio packet sent now would carry.
    /// Call until empty.
    std::optional<Out> next(Time now, std::uint32_t media_timestamp);
    Time deadline() const;  ///< Time::max() when idle
    bool busy() const { return state_ != State::idle; }
    /// A key is down: the audio of that time is to be left out (section 2.6).
    bool sounding() const { return state_ == State::down || state_ == State::ending; }

private:
    enum class State : std::uint8_t { idle, waiting, down, ending };
    struct Digit {
        std::uint8_t event;
        bool silence;
        Duration duration, pause;
    };

    void start_next(Time now, std::uint32_t media_timestamp);
    Out update();
    Out repeat_end();
    std::uint32_t units(Duration duration) const;

    Config config_;
    State state_ = State::idle;
    std::deque<Digit> queue_;
    Digit current_{};
    std::uint32_t segment_start_ = 0;  // timestamp
    std::uint32_t segment_base_ = 0;   // units of the digit before this segment
    Duration elapsed_{};               // of the digit, as told in the last packet
    Time started_{}, due_{};
    unsigned ends_left_ = 0;
    bool first_ = false;
};

}  // namespace strowger::rtp
