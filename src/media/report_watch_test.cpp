#include "media/report_watch.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "wire/rtcp/compound_writer.hpp"

namespace strowger::media {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t party = 0x50617274, stream = 0x53747265;

struct Watched {
    ReportWatch watch;
    StreamFigures figures;
    ReportWatch::Terms terms{};
    std::array<std::uint8_t, 256> buffer{};

    void send_report(std::uint64_t ntp, Time now) {
        rtcp::CompoundWriter out(buffer);
        out.sender_report(stream, {.ntp = ntp, .rtp = 1, .packets = 1, .octets = 160});
        watch.sent(out.finish(), now);
    }
    void receive(const rtcp::ReportBlock& block, Time now) {
        rtcp::CompoundWriter out(buffer);
        out.receiver_report(party, std::span(&block, 1));
        watch.received(out.finish(), now, terms, figures.told,
                       [](std::uint32_t ssrc) { return ssrc != 0xbad; });
    }
    const StreamFigures::Quality& told() const { return figures.told[0]; }
};

TEST(ReportWatch, TellsLossJitterAndTheScoreByG107) {
    Watched watched;
    watched.terms.listening = true;
    // A quarter lost: Ie,eff = 95 * 25 / (25 + 25.1) = 47.405, R = 45.795.
    watched.receive({.ssrc = stream, .fraction_lost = 64, .cumulative_lost = 12, .jitter = 160},
                    Time{1s});
    watched.receive({.ssrc = stream, .cumulative_lost = 12, .jitter = 0}, Time{6s});
    EXPECT_EQ(watched.told().ssrc.get(), stream);
    EXPECT_EQ(watched.told().samples.get(), 2U);
    EXPECT_EQ(watched.told().lost.get(), 12);
    EXPECT_NEAR(watched.told().lowest.mos.get(), 2.356, 0.001);
    EXPECT_NEAR(watched.told().highest.mos.get(), 4.409, 0.001);  // R = 93.2
    EXPECT_NEAR(watched.told().mos.get(), 2.356 + 4.409, 0.002);
    EXPECT_DOUBLE_EQ(watched.told().jitter_ms.get(), 20);
    EXPECT_DOUBLE_EQ(watched.told().loss_percent.get(), 25);
    EXPECT_EQ(watched.told().lowest.at.get(), 1'000'000'000);
    EXPECT_EQ(watched.told().highest.at.get(), 6'000'000'000);
}

TEST(ReportWatch, FindsTheTimeThereAndBackAsRfc3550Does) {
    Watched watched;
    // Section 6.4.1, figure 2: LSR b705:2000, DLSR 0005:4000 (5.250 s), back after 11.375 s.
    watched.send_report(0xb44db705'20000000, Time{100s});
    watched.receive({.ssrc = stream, .last_sr = 0xb7052000, .delay_since_last_sr = 0x00054000},
                    Time{100s + 11375ms});
    EXPECT_EQ(watched.told().round_trips.get(), 1U);
    EXPECT_NEAR(watched.told().round_trip_ms.get(), 6125, 0.001);
    // Of a report that never was, or from the future, nothing is made.
    watched.receive({.ssrc = stream, .last_sr = 0x12345678}, Time{112s});
    watched.receive({.ssrc = stream, .last_sr = 0xb7052000, .delay_since_last_sr = 0xffffffff},
                    Time{113s});
    EXPECT_EQ(watched.told().round_trips.get(), 1U);
    EXPECT_EQ(watched.told().samples.get(), 3U);
}

TEST(ReportWatch, WhatThePartyIsNotSentItCannotJudge) {
    Watched watched;
    watched.receive({.ssrc = 0xbad, .fraction_lost = 255}, Time{1s});
    EXPECT_EQ(watched.told().samples.get(), 0U);
    std::vector<std::uint8_t> garbage(64, 0xff);
    watched.watch.sent(garbage, Time{1s});
}

}  // namespace
}  // namespace strowger::media
