#include "media/outgoing_stream.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace strowger::media {
namespace {

using namespace std::chrono_literals;

std::vector<std::uint8_t> packet(std::uint8_t type, std::uint16_t sequence, std::uint32_t timestamp,
                                 std::uint32_t ssrc) {
    std::vector<std::uint8_t> bytes(rtp::header_size + 4, 0xd5);
    rtp::write({.payload_type = type, .sequence = sequence, .timestamp = timestamp, .ssrc = ssrc},
               std::vector<std::uint8_t>(4, 0xd5), bytes);
    return bytes;
}

rtp::Header header_of(Bytes bytes) { return rtp::Packet::parse(bytes).value().header(); }

rtp::Header expected(std::uint8_t type, std::uint16_t sequence, std::uint32_t timestamp,
                     bool marker) {
    return {.marker = marker,
            .payload_type = type,
            .sequence = sequence,
            .timestamp = timestamp,
            .ssrc = 0xaabbccdd};
}

/// A party that has heard one packet of another's, which had these numbers.
struct Heard {
    OutgoingStream stream{
        {.payload_type = 0, .sequence = 65535, .timestamp = 1000, .ssrc = 0xaabbccdd}, Time{}};
    /// What goes out for it.
    rtp::Header send(std::vector<std::uint8_t> bytes, Time now,
                     const Recoder::Figures* source = nullptr) {
        EXPECT_TRUE(stream.forward(bytes, source, now));
        EXPECT_EQ(Bytes(bytes).last(4)[0], 0xd5);
        return header_of(bytes);
    }
};

TEST(OutgoingStream, GoesOnFromPassingToTranscodingAndBack) {
    Heard party;
    const Time t{};
    // From PCMU that passed to Opus that a recoder made, 20 ms later: 960 of 48000.
    party.stream.set_clock_rate(48000);
    EXPECT_EQ(party.send(packet(96, 7, 5'000'000, 0x1111), t + 20ms), expected(96, 0, 1960, true));
    EXPECT_EQ(party.send(packet(96, 8, 5'000'960, 0x1111), t + 40ms), expected(96, 1, 2920, false));
    // To PCMA of another recoder, after a second: 8000 of 8000.
    party.stream.set_clock_rate(8000);
    EXPECT_EQ(party.send(packet(8, 900, 77, 0x2222), t + 1040ms), expected(8, 2, 10920, true));
    // To what the other party says, in 20 ms.
    EXPECT_EQ(party.send(packet(0, 31, 4'000'000'000, 0x3333), t + 1060ms),
              expected(0, 3, 11080, true));
    EXPECT_EQ(party.send(packet(0, 32, 4'000'000'160, 0x3333), t + 1080ms),
              expected(0, 4, 11240, false));
}

TEST(OutgoingStream, KeepsGapsThatTheNetworkMade) {
    Heard party;
    EXPECT_EQ(party.send(packet(0, 10, 0, 0x3333), Time{} + 20ms).sequence, 0);
    EXPECT_EQ(party.send(packet(0, 13, 480, 0x3333), Time{} + 80ms).sequence, 3);
    EXPECT_EQ(party.send(packet(0, 12, 320, 0x3333), Time{} + 81ms).sequence, 2);
}

TEST(OutgoingStream, NoTwoPacketsOfDifferentSourcesHaveOneTimestamp) {
    Heard party;
    EXPECT_EQ(party.send(packet(0, 10, 0, 0x1111), Time{}).timestamp, 1001U);
    EXPECT_EQ(party.send(packet(0, 99, 7000, 0x2222), Time{}).timestamp, 1002U);
}

TEST(OutgoingStream, TimeGoesOnFromTheStartOfAKeyThatAnotherSourceInterrupts) {
    Heard party;
    const Time t{};
    // The updates of a key keep its timestamp.
    for (std::uint16_t i = 0; i < 5; ++i)
        EXPECT_EQ(party.send(packet(101, i, 160, 0x1111), t + 20ms + i * 50ms).timestamp, 1160U);
    EXPECT_EQ(party.send(packet(0, 99, 0, 0x2222), t + 270ms).timestamp, 1160U + 2000);
}

TEST(OutgoingStream, ReportsCountItAsOneAndKnowWhoseItIs) {
    Heard party;
    const Time t{};
    const Recoder::Figures made{.own = true,
                                .ssrc_in = 0x77777777,
                                .ssrc_out = 0x1111,
                                .stamp_in = 320,
                                .stamp_out = 5'000'000,
                                .clock_in = 8000,
                                .clock_out = 48000,
                                .sequence_in = 500,
                                .sequence_out = 7};
    party.stream.set_clock_rate(48000);
    party.send(packet(96, 7, 5'000'000, 0x1111), t + 20ms, &made);
    party.stream.set_clock_rate(8000);
    party.send(packet(0, 31, 16000, 0x3333), t + 40ms);
    party.send(packet(0, 32, 16160, 0x3333), t + 60ms);

    // The sender's report (RFC 3550 section 6.4.1) of who passes now: 80 units after its last.
    std::vector<std::uint8_t> report(28);
    report[0] = 0x80;
    report[1] = 200;
    report[3] = 6;
    store32(report, 4, 0x3333);
    store32(report, 16, 16240);
    store32(report, 20, 2);
    Recoder::rewrite_rtcp(report, &party.stream.figures(), nullptr);
    EXPECT_EQ(load32(report, 4), 0xaabbccddU);
    EXPECT_EQ(load32(report, 16), 1960U + 160 + 160 + 80);
    EXPECT_EQ(load32(report, 20), 3U);   // packets
    EXPECT_EQ(load32(report, 24), 12U);  // octets

    // What the party says of our stream is said of theirs.
    std::vector<std::uint8_t> block(32);
    block[0] = 0x81;
    block[1] = 201;
    block[3] = 7;
    store32(block, 8, 0xaabbccdd);
    store32(block, 16, 1);  // one less than the newest
    Recoder::rewrite_rtcp(block, nullptr, &party.stream.figures());
    EXPECT_EQ(load32(block, 8), 0x3333U);
    EXPECT_EQ(load32(block, 16), 31U);
}

}  // namespace
}  // namespace strowger::media
