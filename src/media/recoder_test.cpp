#include "media/recoder.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace strowger::media {
namespace {

using namespace std::chrono_literals;
using Kind = Recoder::Way::Kind;

const sdp::Payload pcmu{0, {"PCMU", 8000, 1, {}}};
const sdp::Payload l16{96, {"L16", 8000, 1, {}}};
const sdp::Payload keys_8000{101, {"telephone-event", 8000, 1, {}}};
const sdp::Payload keys_48000{102, {"telephone-event", 48000, 1, {}}};

/// Keeps what comes out.
struct Sent final : Recoder::Out {
    MutableBytes room() override { return buffer; }
    void put(std::size_t size) override {
        packets.emplace_back(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(size));
    }
    rtp::Packet at(std::size_t i) const { return rtp::Packet::parse(packets.at(i)).value(); }
    rtp::TelephoneEvent event_at(std::size_t i) const {
        return rtp::TelephoneEvent::parse(at(i).payload()).value();
    }
    std::array<std::uint8_t, 2048> buffer{};
    std::vector<std::vector<std::uint8_t>> packets;
};

/// A party that sends in time.
struct Party {
    std::vector<std::uint8_t> packet(std::uint8_t type, std::uint32_t stamp, Bytes payload) {
        std::vector<std::uint8_t> bytes(rtp::header_size + payload.size());
        const rtp::Header header{.marker = false,
                                 .payload_type = type,
                                 .sequence = sequence++,
                                 .timestamp = stamp,
                                 .ssrc = 0x11223344};
        rtp::write(header, payload, bytes);
        return bytes;
    }
    std::vector<std::uint8_t> key(std::uint8_t type, std::uint32_t stamp, std::uint16_t duration,
                                  bool end) {
        const rtp::TelephoneEvent event{.event = 5, .end = end, .duration = duration};
        return packet(type, stamp, event.bytes());
    }
    std::uint16_t sequence = 100;
};

TEST(Recoder, PacketsOfThirtyMillisecondsComeOutInOneStreamWithoutAGap) {
    Random random{1};
    Recoder recoder({.ways = {{pcmu, Kind::recode, 96}}, .out = l16, .packet_ms = 30, .own = true},
                    random);
    Party party;
    Sent sent;
    Time now{};
    const std::vector<std::uint8_t> codes(160, 0xff);
    for (std::uint32_t i = 0; i < 6; ++i, now += 20ms)
        recoder.take(party.packet(0, 1000 + i * 160, codes), now, sent);
    ASSERT_EQ(sent.packets.size(), 4U);  // 120 ms
    for (std::size_t i = 0; i < 4; ++i) {
        EXPECT_EQ(sent.at(i).payload().size(), 480U);  // 240 samples
        EXPECT_EQ(sent.at(i).payload_type(), 96);
        EXPECT_EQ(sent.at(i).ssrc(), sent.at(0).ssrc());
        EXPECT_NE(sent.at(i).ssrc(), 0x11223344U);
        if (i == 0) continue;
        EXPECT_EQ(sent.at(i).timestamp() - sent.at(i - 1).timestamp(), 240U);
        EXPECT_EQ(static_cast<std::uint16_t>(sent.at(i).sequence() - sent.at(i - 1).sequence()), 1);
    }
}

TEST(Recoder, AKeyTooLongForOneSegmentOfTheFasterClockGoesOnInAnother) {
    Random random{1};
    Recoder recoder(
        {.ways = {{keys_8000, Kind::event, 102}}, .out = pcmu, .event = keys_48000, .own = true},
        random);
    Party party;
    Sent sent;
    Time now{};
    // 1.4 s of 8000 are 11200 units, and 67200 of 48000: more than 65535 (RFC 4733 2.5.1.3).
    recoder.take(party.key(101, 5000, 10800, false), now, sent);
    recoder.take(party.key(101, 5000, 11200, true), now + 50ms, sent);
    ASSERT_EQ(sent.packets.size(), 3U);
    EXPECT_EQ(sent.event_at(0).duration, 64800);
    EXPECT_EQ(sent.event_at(1).duration, 65535);
    EXPECT_FALSE(sent.event_at(1).end);
    EXPECT_EQ(sent.event_at(2).duration, 67200 - 65535);
    EXPECT_TRUE(sent.event_at(2).end);
    EXPECT_EQ(sent.at(2).timestamp() - sent.at(1).timestamp(), 65535U);
}

TEST(Recoder, WhatIsSaidDuringAKeyIsLeftOut) {
    Random random{1};
    Recoder recoder(
        {.ways = {{pcmu, Kind::recode, 96}, {keys_8000, Kind::tone, 96}}, .out = l16, .own = true},
        random);
    Party party;
    Sent sent;
    Time now{};
    const std::vector<std::uint8_t> loud(160, 0x80);
    recoder.take(party.key(101, 160, 160, false), now, sent);
    recoder.take(party.packet(0, 160, loud), now, sent);
    recoder.take(party.key(101, 160, 320, false), now + 20ms, sent);
    recoder.take(party.packet(0, 320, loud), now + 20ms, sent);
    ASSERT_EQ(sent.packets.size(), 2U);  // 40 ms of tone
    for (std::size_t i = 0; i < 2; ++i)
        for (std::size_t at = 0; at + 1 < sent.at(i).payload().size(); at += 2)
            // -10 dBm0 of two tones: at most 0.14 and 0.18 of 32124.
            EXPECT_LT(std::abs(static_cast<std::int16_t>(load16(sent.at(i).payload(), at))), 12000);
}

TEST(Recoder, ReportsAboutOurStreamComeBackAboutTheirs) {
    Random random{1};
    Recoder recoder({.ways = {{pcmu, Kind::recode, 96}}, .out = l16, .own = true}, random);
    Party party;
    Sent sent;
    const std::vector<std::uint8_t> codes(160, 0xff);
    recoder.take(party.packet(0, 1000, codes), Time{}, sent);
    std::vector<std::uint8_t> report(32);
    report[0] = 0x81;
    report[1] = 201;
    report[3] = 7;
    store32(report, 8, sent.at(0).ssrc());
    Recoder::rewrite_rtcp(report, nullptr, &recoder.figures());
    EXPECT_EQ(load32(report, 8), 0x11223344U);
    // A length that lies does no harm.
    report[3] = 200;
    Recoder::rewrite_rtcp(report, &recoder.figures(), &recoder.figures());
    Recoder::rewrite_rtcp(MutableBytes(report).first(9), &recoder.figures(), &recoder.figures());
}

}  // namespace
}  // namespace strowger::media
