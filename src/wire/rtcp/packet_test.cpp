#include "wire/rtcp/packet.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "wire/rtcp/compound_writer.hpp"
#include "wire/rtcp/reporter.hpp"

namespace strowger::rtcp {
namespace {

using namespace std::chrono_literals;
using Octets = std::vector<std::uint8_t>;

// RFC 3550 section 6.4.1, field by field: SR with one block, then SDES (6.5) and BYE (6.6).
const Octets compound_bytes{
    0x81, 200,  0,    12,                            // V=2, RC=1, length 12
    0,    0,    0,    1,                             // SSRC
    0xb4, 0x4d, 0xb7, 0x05, 0x20, 0x00, 0x00, 0x00,  // NTP
    0,    0,    0x13, 0x88, 0,    0,    0,    10,    // RTP time, packets
    0,    0,    0x06, 0x40,                          // octets
    0,    0,    0,    2,    0x40, 0xff, 0xff, 0xff,  // about 2: a quarter lost, -1 in all
    0,    1,    0,    5,    0,    0,    0,    7,     // highest, jitter
    0xb7, 0x05, 0x20, 0x00, 0x00, 0x05, 0x40, 0x00,  // LSR, DLSR: the example of section 6.4.1
    0x81, 202,  0,    3,    0,    0,    0,    1,     // SDES
    1,    5,    'a',  '@',  'b',  '.',  'c',  0,     // CNAME and END
    0x81, 203,  0,    2,    0,    0,    0,    1,     // BYE
    3,    'e',  'n',  'd'};

TEST(Rtcp, ReadsACompound) {
    const auto compound = Compound::parse(compound_bytes);
    ASSERT_TRUE(compound);
    std::vector<Packet> packets;
    for (const auto& packet : *compound) packets.push_back(packet);
    ASSERT_EQ(packets.size(), 3U);
    const auto report = SenderReport::parse(packets[0]);
    ASSERT_TRUE(report);
    EXPECT_EQ(report->info, (SenderInfo{0xb44db70520000000, 5000, 10, 1600}));
    const auto block = report->blocks.about(2);
    ASSERT_TRUE(block);
    EXPECT_EQ(*block, (ReportBlock{2, 64, -1, 65541, 7, 0xb7052000, 0x00054000}));
    EXPECT_FALSE(report->blocks.about(3));
    auto sdes = SourceDescription::parse(packets[1]);
    ASSERT_TRUE(sdes);
    const auto cname = sdes->next();
    EXPECT_EQ(cname->text, "a@b.c");
    EXPECT_EQ(cname->item, SourceDescription::Item::cname);
    EXPECT_FALSE(sdes->next());
    EXPECT_EQ(Bye::parse(packets[2])->reason, "end");
    EXPECT_EQ(Bye::parse(packets[2])->source(0), 1U);
}

TEST(Rtcp, IsWrittenAsItIsRead) {
    std::array<std::uint8_t, 200> buffer{};
    CompoundWriter out(buffer);
    const ReportBlock block{2, 64, -1, 65541, 7, 0xb7052000, 0x00054000};
    out.sender_report(1, {0xb44db70520000000, 5000, 10, 1600}, {&block, 1})
        .cname(1, "a@b.c")
        .bye(1, "end");
    const auto bytes = out.finish();
    EXPECT_EQ(Octets(bytes.begin(), bytes.end()), compound_bytes);
}

// The figure of section 6.4.1: A at 0xb710:8000, LSR 0xb705:2000, DLSR 5.25 s gives 6.125 s.
TEST(Rtcp, FindsTheRoundTripOfTheRfcsExample) {
    const ReportBlock block{.last_sr = 0xb7052000, .delay_since_last_sr = 0x00054000};
    EXPECT_EQ(round_trip(block, 0x0000b71080000000), Duration(6125ms));
    EXPECT_FALSE(round_trip(block, 0x0000b70520000000)) << "negative";
    EXPECT_FALSE(round_trip({}, 0x0000b71080000000)) << "no SR yet";
}

TEST(Rtcp, RefusesWhatA2Refuses) {
    const auto fault = [](Octets bytes, Strictness s = Strictness::compound) {
        const auto compound = Compound::parse(bytes, s);
        EXPECT_FALSE(compound);
        return compound ? Fault{} : compound.error();
    };
    EXPECT_EQ(fault({0x80, 201}), Fault::too_short);
    EXPECT_EQ(fault({0x40, 201, 0, 0}), Fault::not_version_2);
    EXPECT_EQ(fault({0x80, 202, 0, 0}), Fault::bad_first_type);
    EXPECT_EQ(fault({0x80, 201, 0, 1}), Fault::bad_length);
    EXPECT_EQ(fault({0x80, 201, 0, 0, 0x40, 202, 0, 0}), Fault::not_version_2);
    EXPECT_EQ(fault({0xa0, 201, 0, 1, 0, 0, 0, 4, 0x80, 202, 0, 0}), Fault::early_padding);
    EXPECT_EQ(fault({0xa0, 201, 0, 1, 0, 0, 0, 8}), Fault::bad_padding);
    EXPECT_TRUE(Compound::parse(Octets{0x80, 205, 0, 0}, Strictness::reduced));
}

TEST(Rtcp, PassesByReportsShorterThanTheirCounts) {
    const Octets bytes{0x81, 201, 0, 1, 0, 0, 0, 1};
    const auto compound = Compound::parse(bytes);
    ASSERT_TRUE(compound);
    EXPECT_FALSE(ReceiverReport::parse(*compound->begin()));
}

TEST(Rtcp, RoundTripsFeedback) {
    std::array<std::uint8_t, 200> buffer{};
    CompoundWriter out(buffer);
    const Feedback::NackItem missing{500, 0x8001};
    const std::uint32_t sources[] = {9};
    out.receiver_report(1)
        .nack(1, 2, {&missing, 1})
        .pli(1, 2)
        .fir(1, 2, 77)
        .remb(1, 1'000'000, sources);
    const auto compound = Compound::parse(out.finish());
    ASSERT_TRUE(compound);
    std::vector<Feedback> feedback;
    for (const auto& packet : *compound) {
        if (const auto f = Feedback::parse(packet)) feedback.push_back(*f);
    }
    ASSERT_EQ(feedback.size(), 4U);
    EXPECT_EQ(feedback[0].nack(0).packet_id, 500);
    EXPECT_EQ(feedback[0].nack(0).bitmask, 0x8001);
    EXPECT_EQ(feedback[1].format, Feedback::Format::pli);
    EXPECT_EQ(feedback[1].media, 2U);
    EXPECT_EQ(feedback[2].fir(0).sequence, 77);
    EXPECT_EQ(feedback[3].remb_bitrate(), 1'000'000U);
}

TEST(Rtcp, GivesNothingRatherThanHalfACompound) {
    std::array<std::uint8_t, 20> buffer{};
    EXPECT_TRUE(CompoundWriter(buffer)
                    .receiver_report(1)
                    .cname(1, "somebody@example.com")
                    .finish()
                    .empty());
    EXPECT_TRUE(CompoundWriter(buffer).app(1, 0, "toolong", {}).finish().empty());
}

TEST(Rtcp, KnowsTheNtpEpoch) {
    EXPECT_EQ(ntp_time(WallTime{} + 500ms), 2208988800ULL << 32 | 0x80000000);
}

TEST(RtcpReporter, TwoEndsMeasureTheirRoundTrip) {
    Reporter a(1), b(2);
    rtp::ReceiverStatistics b_receives({.probation = 1});
    const Time t{};
    const std::uint64_t ntp = 0x1234567800000000;
    b_receives.receive({.sequence = 5, .ssrc = 1}, 160, t);

    std::array<std::uint8_t, 200> buffer{};
    b.receive(*Compound::parse(CompoundWriter(buffer).sender_report(1, {ntp, 0, 1, 160}).finish()),
              t + 30ms, 0);
    const auto block = b.report(b_receives, t + 1030ms);
    EXPECT_EQ(block.ssrc, 1U);
    EXPECT_EQ(block.last_sr, 0x56780000U);
    EXPECT_EQ(block.delay_since_last_sr, 0x10000U);
    std::array<std::uint8_t, 200> back{};
    a.receive(
        *Compound::parse(CompoundWriter(back).receiver_report(2, {&block, 1}).bye(2).finish()),
        t + 1060ms, ntp + (1ULL << 32) + (60ULL << 32) / 1000);
    ASSERT_TRUE(a.round_trip());
    EXPECT_NEAR(seconds(*a.round_trip()), 0.060, 0.0001);
    EXPECT_EQ(a.remote_view()->highest_sequence, 5U);
    EXPECT_TRUE(a.bye_received());
}

TEST(Compound, FeedbackAloneMayBePaddedByLessThanAWord) {
    // Transport-wide feedback of one packet, as browsers send it: two bytes of padding.
    const std::uint8_t bytes[] = {0xaf, 205, 0, 5, 0, 0, 0, 1, 0,    0, 0, 2,
                                  0,    9,   0, 1, 0, 0, 1, 0, 0x20, 1, 0, 2};
    EXPECT_TRUE(Compound::parse(bytes, Strictness::reduced));
    EXPECT_FALSE(Compound::parse(bytes, Strictness::compound));
}

}  // namespace
}  // namespace strowger::rtcp
