#include "wire/rtp/telephone_event.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace strowger::rtp {
namespace {

using namespace std::chrono_literals;

struct Receiver {
    EventReceiver events;
    Time now{};

    void packet(std::uint8_t event, bool end, std::uint16_t duration, std::uint32_t timestamp,
                bool marker = false) {
        now += 20ms;
        const auto payload = TelephoneEvent{event, end, 10, duration}.bytes();
        events.receive({.marker = marker, .timestamp = timestamp, .ssrc = 1}, payload, now);
    }
    std::string take() {  // "1" a key going down, "1^200" up after so many milliseconds
        std::string text;
        for (KeyEvent key; events.poll(key);) {
            text += key.digit;
            if (key.end) text += "^" + std::to_string(key.duration / 1ms);
            text += ' ';
        }
        return text;
    }
};

// RFC 4733 section 2.3: event, E R volume, duration.
TEST(TelephoneEvent, StandsInFourBytes) {
    const std::array<std::uint8_t, 4> bytes{11, 0x8a, 0x03, 0x20};
    const TelephoneEvent hash{11, true, 10, 800};
    EXPECT_EQ(TelephoneEvent::parse(bytes), hash);
    EXPECT_EQ(hash.bytes(), bytes);
    EXPECT_FALSE(TelephoneEvent::parse(Bytes(bytes).first(3)));
    EXPECT_EQ(digit_of(11), '#');
    EXPECT_EQ(event_of('d'), 15);
    EXPECT_FALSE(event_of('x'));
}

// The "911" of RFC 4733: 50 ms updates, each end sent three times.
TEST(EventReceiver, HearsNineOneOneOnce) {
    Receiver r;
    for (const std::uint32_t digit : {0U, 1U, 2U}) {
        const std::uint8_t event = digit == 0 ? 9 : 1;
        const std::uint32_t start = digit * 7040;
        for (std::uint16_t d = 400; d <= 1600; d += 400) r.packet(event, false, d, start, d == 400);
        for (int i = 0; i < 3; ++i) r.packet(event, true, 1600, start);
    }
    EXPECT_EQ(r.take(), "9 9^200 1 1^200 1 1^200 ");
}

TEST(EventReceiver, MakesUpAnEndThatWasLost) {
    Receiver r;
    r.packet(5, false, 160, 1000, true);
    r.packet(5, false, 320, 1000);
    r.packet(6, false, 160, 4000, true);
    EXPECT_EQ(r.take(), "5 5^40 6 ");
    EXPECT_EQ(r.events.deadline(), r.now + 200ms);
    r.events.tick(r.now + 199ms);
    EXPECT_EQ(r.take(), "");
    r.events.tick(r.now + 200ms);
    EXPECT_EQ(r.take(), "6^20 ");
    r.packet(6, true, 640, 4000);  // the end after all
    EXPECT_EQ(r.take(), "");
}

TEST(EventReceiver, HearsAKeyOfWhichOnlyTheEndCame) {
    Receiver r;
    r.packet(7, true, 800, 1000);
    EXPECT_EQ(r.take(), "7 7^100 ");
}

TEST(EventReceiver, IgnoresWhatComesLateFromTheKeyBefore) {
    Receiver r;
    r.packet(1, true, 800, 1000, true);
    r.packet(2, false, 160, 3000, true);
    r.packet(1, true, 800, 1000);
    r.packet(2, true, 800, 3000);
    EXPECT_EQ(r.take(), "1 1^100 2 2^100 ");
}

TEST(EventReceiver, JoinsTheSegmentsOfALongKey) {
    Receiver r;
    r.packet(3, false, 160, 1000, true);
    r.packet(3, false, 0xffff, 1000);
    r.packet(3, false, 160, 1000 + 0xffff);
    r.packet(3, true, 8001, 1000 + 0xffff);
    EXPECT_EQ(r.take(), "3 3^9192 ");  // (65535 + 8001) / 8
}

TEST(EventReceiver, TakesTheSameKeyAgainAndNoEventsThatAreNoKeys) {
    Receiver r;
    r.packet(4, true, 800, 1000, true);
    r.packet(4, true, 800, 2600, true);
    r.packet(36, true, 800, 9000, true);
    EXPECT_EQ(r.take(), "4 4^100 4 4^100 ");
}

TEST(EventSender, MarksTheFirstUpdatesEveryTwentyMillisecondsAndEndsThreeTimes) {
    EventSender sender;
    ASSERT_TRUE(sender.send("5", 60ms, 40ms));
    struct Expected {
        Duration at;
        bool marker, end;
        std::uint16_t duration;
    };
    const std::vector<Expected> expected{{0ms, true, false, 160},
                                         {20ms, false, false, 320},
                                         {40ms, false, true, 480},
                                         {60ms, false, true, 480},
                                         {80ms, false, true, 480}};
    for (const auto& e : expected) {
        const Time now = Time{} + e.at;
        EXPECT_TRUE(sender.deadline() <= now);
        const auto out = sender.next(now, 8000 + static_cast<std::uint32_t>(e.at / 1ms) * 8);
        ASSERT_TRUE(out);
        const auto event = TelephoneEvent::parse(out->payload);
        EXPECT_EQ(out->marker, e.marker);
        EXPECT_EQ(out->timestamp, 8000U);
        EXPECT_EQ(*event, (TelephoneEvent{5, e.end, 10, e.duration}));
        EXPECT_EQ(out->last, e.at == 80ms);
        EXPECT_FALSE(sender.next(now, 0));
    }
    EXPECT_FALSE(sender.next(Time{} + 100ms, 0));
    EXPECT_FALSE(sender.busy());
    EXPECT_EQ(sender.deadline(), Time::max());
}

std::string heard(std::string_view digits, Duration duration, Duration pause) {
    EventSender sender;
    EXPECT_TRUE(sender.send(digits, duration, pause));
    Receiver r;
    std::string text;
    for (Time now{}; sender.busy(); now = std::max(now, sender.deadline())) {
        const auto media = static_cast<std::uint32_t>((now - Time{}) / 125us);
        while (const auto out = sender.next(now, media)) {
            r.events.receive({.marker = out->marker, .timestamp = out->timestamp, .ssrc = 1},
                             out->payload, now);
            text += r.take();
        }
        if (now > Time{} + 10min) break;
    }
    return text;
}

TEST(EventSender, IsHeardAsItWasDialled) {
    EXPECT_EQ(heard("12w#!", 100ms, 60ms), "1 1^100 2 2^100 # #^100 ! !^100 ");
    EXPECT_EQ(heard("77", 1ms, 0ms), "7 7^40 7 7^40 ");
    EXPECT_EQ(heard("*", 20s, 0ms), "* *^20000 ");
}

TEST(EventSender, RefusesWhatIsNoKeyAndTooMuch) {
    EventSender sender;
    EXPECT_FALSE(sender.send("12x", 100ms, 0ms));
    EXPECT_FALSE(sender.busy());
    EXPECT_FALSE(sender.send(std::string(257, '1'), 100ms, 0ms));
}

TEST(EventSender, StopsWithAProperEnd) {
    EventSender sender;
    ASSERT_TRUE(sender.send("12", 10s, 0ms));
    (void)sender.next(Time{}, 0);
    sender.stop();
    const auto out = sender.next(Time{} + 20ms, 160);
    ASSERT_TRUE(out);
    EXPECT_TRUE(TelephoneEvent::parse(out->payload)->end);
}

}  // namespace
}  // namespace strowger::rtp
