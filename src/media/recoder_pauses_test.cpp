#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "media/recoder.hpp"

namespace strowger::media {
namespace {

using namespace std::chrono_literals;
using Kind = Recoder::Way::Kind;

const sdp::Payload pcmu{0, {"PCMU", 8000, 1, {}}};
const sdp::Payload l16{96, {"L16", 8000, 1, {}}};
const sdp::Payload cn{13, {"CN", 8000, 1, {}}};
const sdp::Payload cn_out{99, {"CN", 8000, 1, {}}};
const std::vector<std::uint8_t> loud(160, 0x90), quiet(160, 0xff);

/// Keeps what comes out.
struct Sent final : Recoder::Out {
    MutableBytes room() override { return buffer; }
    void put(std::size_t size) override {
        packets.emplace_back(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(size));
    }
    rtp::Packet at(std::size_t i) const { return rtp::Packet::parse(packets.at(i)).value(); }
    std::array<std::uint8_t, 2048> buffer{};
    std::vector<std::vector<std::uint8_t>> packets;
};

/// A party that speaks in time to a recoder, and hears what comes out.
struct Talk {
    explicit Talk(Recoder::Plan plan) : recoder(std::move(plan), random) {}

    void say(std::uint8_t type, Bytes payload) {
        std::vector<std::uint8_t> bytes(rtp::header_size + payload.size());
        const rtp::Header header{.marker = false,
                                 .payload_type = type,
                                 .sequence = sequence++,
                                 .timestamp = stamp,
                                 .ssrc = 0x11223344};
        rtp::write(header, payload, bytes);
        recoder.take(bytes, now, sent);
    }
    /// Packets of 20 ms.
    void speak(int packets, Bytes payload = loud) {
        for (int i = 0; i < packets; ++i) {
            say(0, payload);
            pass(20ms);
        }
    }
    void pass(Duration time) {
        now += time;
        stamp += static_cast<std::uint32_t>(time / 125us);
    }
    /// A pause in which the clock of the thread goes on.
    void wait(std::uint8_t type, Duration time) {
        Time next = now + recoder.tick_delay(type) - 20ms;
        for (const Time until = now + time; next < until; next += Recoder::tick_interval)
            recoder.tick(next, sent);
        pass(time);
    }
    double level(std::size_t first, std::size_t last) const {
        double power = 0, count = 0;
        for (std::size_t i = first; i < last; ++i) {
            const auto payload = sent.at(i).payload();
            for (std::size_t at = 0; at + 1 < payload.size(); at += 2, ++count)
                power += std::pow(static_cast<std::int16_t>(load16(payload, at)), 2);
        }
        return 10 * std::log10(power / count / std::pow(32768.0, 2));
    }
    /// One stream in time: numbers one by one, timestamps by the length of a packet.
    void expect_whole(std::size_t packets) const {
        ASSERT_EQ(sent.packets.size(), packets);
        for (std::size_t i = 1; i < packets; ++i) {
            EXPECT_EQ(std::uint16_t(sent.at(i).sequence() - sent.at(i - 1).sequence()), 1) << i;
            EXPECT_EQ(sent.at(i).timestamp() - sent.at(i - 1).timestamp(), 160U) << i;
            EXPECT_FALSE(sent.at(i).header().marker) << i;
        }
    }

    Random random{1};
    Recoder recoder;
    Sent sent;
    std::uint16_t sequence = 65533;
    std::uint32_t stamp = 0xffffff00;
    Time now = Time{} + 1h;
};

const Recoder::Plan hears{
    .ways = {{pcmu, Kind::recode, 96}, {cn, Kind::noise, 0}}, .out = l16, .own = true};

TEST(RecoderPauses, ComfortNoiseIsHeardAtItsLevelUntilThePartySpeaksAgain) {
    Talk talk(hears);
    EXPECT_EQ(talk.recoder.tick_delay(13), 30ms);
    EXPECT_EQ(talk.recoder.tick_delay(0), Duration{});
    talk.speak(5);
    talk.say(13, std::vector<std::uint8_t>{40});
    talk.pass(20ms);
    talk.wait(13, 380ms);
    talk.speak(5);
    talk.expect_whole(5 + 20 + 5);
    EXPECT_NEAR(talk.level(5, 25), -40, 1);
    EXPECT_GT(talk.level(25, 30), -20);
}

TEST(RecoderPauses, FurtherNoisePacketsChangeTheLevel) {
    Talk talk(hears);
    talk.speak(2);
    for (const std::uint8_t level : {30, 50}) {
        talk.say(13, std::vector<std::uint8_t>{level});
        talk.pass(20ms);
        talk.wait(13, 180ms);
    }
    talk.expect_whole(2 + 20);
    EXPECT_NEAR(talk.level(2, 12), -30, 1);
    EXPECT_NEAR(talk.level(13, 22), -50, 1);
}

// Whose first packet is late has been heard as noise too long; the next pause is shorter by that.
TEST(RecoderPauses, WhatOnePauseGetsTooManyTheNextOneDoesWithout) {
    Talk talk(hears);
    talk.speak(2);
    for (int i = 0; i < 10; ++i) {
        talk.say(13, std::vector<std::uint8_t>{40});
        talk.pass(20ms);
        talk.wait(13, 180ms);
        // It has waited 60 ms on its way.
        for (int late = 0; late < 3; ++late)
            talk.recoder.tick(talk.now + 20ms * late + 10ms, talk.sent);
        talk.now += 60ms;
        talk.speak(1);
        talk.now -= 60ms;
    }
    const auto last = talk.sent.packets.size() - 1;
    talk.expect_whole(last + 1);
    // 2.2 s after the first, and no more than the last pause's 60 ms ahead.
    EXPECT_NEAR(double(last) * 20, 40 + 10 * 220 - 20, 80);
}

TEST(RecoderPauses, NoiseEndsByItself) {
    auto plan = hears;
    plan.pauses.longest = 1s;
    Talk talk(plan);
    talk.speak(2);
    talk.say(13, std::vector<std::uint8_t>{40});
    talk.pass(20ms);
    talk.wait(13, 5s);
    EXPECT_EQ(talk.sent.packets.size(), 2U + 51);
    // What comes then is after a pause.
    talk.speak(2);
    ASSERT_EQ(talk.sent.packets.size(), 55U);
    EXPECT_TRUE(talk.sent.at(53).header().marker);
    EXPECT_EQ(talk.sent.at(53).timestamp() - talk.sent.at(52).timestamp(), (251U - 50) * 160);
}

TEST(RecoderPauses, NoiseThatComesLateBeginsNoPause) {
    Talk talk(hears);
    talk.speak(1);
    const auto sequence = talk.sequence++;
    talk.speak(1);
    talk.sequence = sequence;
    talk.say(13, std::vector<std::uint8_t>{40});
    talk.recoder.tick(talk.now + 1s, talk.sent);
    EXPECT_EQ(talk.sent.packets.size(), 2U);
}

TEST(RecoderPauses, APauseWithoutAWordIsFilledAfterTheDelay) {
    auto plan = hears;
    plan.pauses.delay = 50ms;
    plan.pauses.fill = {45};
    Talk talk(plan);
    EXPECT_EQ(talk.recoder.tick_delay(0), 70ms);
    talk.speak(5);
    talk.recoder.tick(talk.now + 49ms, talk.sent);
    EXPECT_EQ(talk.sent.packets.size(), 5U);
    talk.wait(0, 400ms);
    talk.speak(2);
    talk.expect_whole(5 + 20 + 2);
    EXPECT_NEAR(talk.level(5, 25), -45, 1);
}

Recoder::Plan tells() {
    Recoder::Plan plan{
        .ways = {{pcmu, Kind::recode, 96}}, .out = l16, .own = true, .noise = cn_out};
    plan.pauses.silent_below = 33;
    return plan;
}

TEST(RecoderPauses, SilenceBecomesComfortNoiseNowAndThen) {
    auto plan = tells();
    plan.pauses.noise = {50, 127, 100};
    Talk talk(plan);
    talk.speak(3);
    talk.speak(25, quiet);
    talk.speak(2);
    // 500 ms: three packets of noise, 200 ms apart.
    ASSERT_EQ(talk.sent.packets.size(), 3U + 3 + 2);
    for (std::size_t i = 3; i < 6; ++i) {
        const auto payload = talk.sent.at(i).payload();
        EXPECT_EQ(talk.sent.at(i).payload_type(), 99);
        EXPECT_EQ(std::vector(payload.begin(), payload.end()),
                  (std::vector<std::uint8_t>{50, 127, 100}));
        EXPECT_EQ(talk.sent.at(i).timestamp() - talk.sent.at(2).timestamp(), 160 + (i - 3) * 1600);
    }
    EXPECT_TRUE(talk.sent.at(6).header().marker);
    EXPECT_FALSE(talk.sent.at(7).header().marker);
    EXPECT_EQ(talk.sent.at(6).timestamp() - talk.sent.at(2).timestamp(), 26U * 160);
    for (std::size_t i = 1; i < 8; ++i)
        EXPECT_EQ(std::uint16_t(talk.sent.at(i).sequence() - talk.sent.at(i - 1).sequence()), 1);
}

TEST(RecoderPauses, OneLoudSampleIsNoSilence) {
    Talk talk(tells());
    auto click = quiet;
    click[80] = 0xef;  // 132
    talk.speak(2, click);
    ASSERT_EQ(talk.sent.packets.size(), 2U);
    EXPECT_EQ(talk.sent.at(0).payload_type(), 96);
    talk.speak(1, quiet);
    EXPECT_EQ(talk.sent.at(2).payload_type(), 99);
    EXPECT_EQ(talk.sent.at(2).payload()[0], 32);  // unless said otherwise
}

}  // namespace
}  // namespace strowger::media
