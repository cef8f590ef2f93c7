#include "wire/rtp/receiver_statistics.hpp"

#include <gtest/gtest.h>

namespace strowger::rtp {
namespace {

using namespace std::chrono_literals;
using Verdict = ReceiverStatistics::Verdict;

struct Stream {
    ReceiverStatistics statistics;
    Time start = Time{} + 1h;

    Verdict packet(unsigned sequence, std::uint32_t ssrc = 1, Duration late = 0ms) {
        return statistics.receive({.sequence = static_cast<std::uint16_t>(sequence),
                                   .timestamp = sequence * 160,
                                   .ssrc = ssrc},
                                  160, start + sequence * 20ms + late);
    }
    void run(unsigned from, unsigned to) {
        for (unsigned i = from; i < to; ++i) packet(i);
    }
};

TEST(ReceiverStatistics, CountsEveryPacketOnceTheSourceHasProvedItself) {
    Stream s;
    EXPECT_EQ(s.packet(100), Verdict::probation);
    EXPECT_EQ(s.statistics.packets(), 0U);
    EXPECT_EQ(s.packet(101), Verdict::started);
    EXPECT_EQ(s.packet(102), Verdict::in_order);
    EXPECT_EQ(s.statistics.packets(), 3U);
    EXPECT_EQ(s.statistics.expected(), 3U);
    EXPECT_EQ(s.statistics.bytes(), 480U);
    EXPECT_EQ(s.statistics.lost(), 0U);
}

TEST(ReceiverStatistics, TellsLossDuplicatesAndReorderingApart) {
    Stream s;
    s.run(0, 10);
    EXPECT_EQ(s.packet(12), Verdict::in_order);  // 10 and 11 missing
    EXPECT_EQ(s.statistics.lost(), 2U);
    EXPECT_EQ(s.packet(12), Verdict::duplicate);
    EXPECT_EQ(s.packet(11), Verdict::reordered);
    EXPECT_EQ(s.packet(11), Verdict::duplicate);
    EXPECT_EQ(s.statistics.lost(), 1U);
    EXPECT_EQ(s.statistics.duplicates(), 2U);
    EXPECT_EQ(s.statistics.reordered(), 1U);
    EXPECT_EQ(s.statistics.cumulative_lost(), -1) << "RFC 3550 counts duplicates as received";
}

TEST(ReceiverStatistics, ExtendsSequenceNumbersOverTheWrap) {
    Stream s;
    s.run(65530, 65536 + 10);
    EXPECT_EQ(s.statistics.extended_highest_sequence(), 65536U + 9);
    EXPECT_EQ(s.statistics.lost(), 0U);
    EXPECT_EQ(s.statistics.expected(), 16U);
    Stream wraps_in_probation;
    wraps_in_probation.run(65535, 65536 + 5);
    EXPECT_EQ(wraps_in_probation.statistics.expected(), 6U);
    EXPECT_EQ(wraps_in_probation.statistics.extended_highest_sequence(), 65536U + 4);
}

TEST(ReceiverStatistics, TakesAJumpOnlyWhenTheNextPacketConfirmsIt) {
    Stream s;
    s.run(0, 10);
    EXPECT_EQ(s.packet(30000), Verdict::jump);
    EXPECT_EQ(s.packet(10), Verdict::in_order);
    EXPECT_EQ(s.packet(40000), Verdict::jump);
    EXPECT_EQ(s.packet(40001), Verdict::started);
    EXPECT_EQ(s.packet(40002), Verdict::in_order);
    EXPECT_EQ(s.statistics.packets(), 13U);
    EXPECT_EQ(s.statistics.lost(), 0U);
}

TEST(ReceiverStatistics, GoesOnWithTheTotalsWhenTheSsrcChanges) {
    Stream s;
    s.run(0, 10);
    EXPECT_EQ(s.packet(500, 2), Verdict::probation);
    EXPECT_EQ(s.statistics.ssrc(), 1U);
    EXPECT_EQ(s.packet(501, 2), Verdict::started);
    EXPECT_EQ(s.statistics.ssrc(), 2U);
    EXPECT_EQ(s.statistics.source_changes(), 1U);
    EXPECT_EQ(s.statistics.packets(), 12U);
    EXPECT_EQ(s.statistics.lost(), 0U);
}

TEST(ReceiverStatistics, ReportsTheFractionLostOfEachInterval) {
    Stream s;
    s.run(0, 10);
    EXPECT_EQ(s.statistics.take_fraction_lost(), 0);
    s.packet(11), s.packet(13);  // 10 and 12 of four are missing
    EXPECT_EQ(s.statistics.take_fraction_lost(), 128);
    EXPECT_EQ(s.statistics.take_fraction_lost(), 0);
    EXPECT_DOUBLE_EQ(s.statistics.loss_percent(), 100.0 * 2 / 14);
}

// RFC 3550 A.8: J += (|D| - J) / 16; the first difference of 10 ms is 80 units.
TEST(ReceiverStatistics, FollowsJitterAsA8Does) {
    Stream s;
    s.run(0, 10);
    EXPECT_EQ(s.statistics.jitter(), 0U);
    s.packet(10, 1, 10ms);
    EXPECT_EQ(s.statistics.jitter(), 5U);  // 80 / 16
    s.packet(11, 1, 0ms);                  // 80 again: 5 + (80 - 5) / 16 = 9.7
    EXPECT_EQ(s.statistics.jitter(), 9U);
    EXPECT_NEAR(s.statistics.jitter_ms(), 9.7 / 8, 0.05);
}

TEST(ReceiverStatistics, KnowsBurstsFromSingleLosses) {
    Stream single, burst;
    for (unsigned i = 0; i < 1000; ++i) {
        if (i % 10 != 5) single.packet(i);
        if (i % 50 < 45) burst.packet(i);
    }
    EXPECT_NEAR(single.statistics.loss_percent(), 10, 0.2);
    EXPECT_NEAR(single.statistics.burst_ratio(), 1, 0.01);
    EXPECT_NEAR(burst.statistics.burst_ratio(), 4.5, 0.1);  // 5 * (1 - 0.1)
}

}  // namespace
}  // namespace strowger::rtp
