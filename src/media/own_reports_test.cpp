#include "media/own_reports.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "wire/rtcp/compound_writer.hpp"

namespace strowger::media {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t theirs = 0x11111111, ours = 0x22222222;
constexpr std::uint64_t ntp = 0x1234567890abcdef;

struct Reporting {
    Random random{7};
    OwnReports reports{{.generate = true, .clock_rates = rates()}, random, Time{}};
    std::array<std::uint8_t, OwnReports::max_size> buffer{};

    static std::array<std::uint32_t, 128> rates() {
        std::array<std::uint32_t, 128> rates{};
        rates[0] = 8000;
        return rates;
    }
    void hear(std::uint16_t sequence, Time now) {
        reports.heard({.sequence = sequence, .timestamp = sequence * 160U, .ssrc = theirs}, 160,
                      now);
    }
    void send(std::uint16_t sequence, Time now) {
        reports.sent({.sequence = sequence, .timestamp = sequence * 160U, .ssrc = ours}, 160, 8000,
                     now);
    }
    std::vector<rtcp::Packet> write(Time now) {
        const auto blocks = reports.collect(now, random);
        const Bytes bytes = reports.write(buffer, blocks, now, ntp, "name");
        if (bytes.empty()) return {};
        std::vector<rtcp::Packet> parts;
        const auto compound = rtcp::Compound::parse(bytes);
        EXPECT_TRUE(compound);
        if (compound)
            for (const auto& part : *compound) parts.push_back(part);
        return parts;
    }
};

TEST(OwnReports, SayWhatWasSentAndWhatWasHeard) {
    Reporting one;
    // 20 ms apart, numbers 100 to 199 without every tenth; the first of a decade 4 ms late.
    for (unsigned i = 0; i < 100; ++i) {
        const Time now = Time{1s} + i * 20ms;
        if (i % 10 != 5) one.hear(static_cast<std::uint16_t>(100 + i), now);
        if (i < 50) one.send(static_cast<std::uint16_t>(i), now);
    }
    rtcp::CompoundWriter theirs_out(one.buffer);
    theirs_out.sender_report(theirs, {.ntp = 0xaaaabbbbccccdddd});
    one.reports.heard_report(theirs_out.finish(), Time{3s});

    const auto parts = one.write(Time{3500ms});
    ASSERT_EQ(parts.size(), 2U);
    const auto report = rtcp::SenderReport::parse(parts[0]);
    ASSERT_TRUE(report);
    EXPECT_EQ(report->ssrc, ours);
    EXPECT_EQ(report->info.ntp, ntp);
    EXPECT_EQ(report->info.packets, 50U);
    EXPECT_EQ(report->info.octets, 8000U);
    // The last went at 1.98 s with 49 * 160, and 1.52 s have passed since.
    EXPECT_EQ(report->info.rtp, 49 * 160U + 12160U);
    const auto block = report->blocks.about(theirs);
    ASSERT_TRUE(block);
    EXPECT_EQ(block->cumulative_lost, 10);
    EXPECT_EQ(block->fraction_lost, 25);  // 256 / 10
    EXPECT_EQ(block->highest_sequence, 199U);
    EXPECT_EQ(block->jitter, 0U);
    EXPECT_EQ(block->last_sr, 0xbbbbccccU);
    EXPECT_EQ(block->delay_since_last_sr, 32768U);
    auto description = rtcp::SourceDescription::parse(parts[1]);
    ASSERT_TRUE(description);
    const auto entry = description->next();
    ASSERT_TRUE(entry);
    EXPECT_EQ(entry->ssrc, ours);
    EXPECT_EQ(entry->text, "name");
}

TEST(OwnReports, JitterIsThatOfTheArrivals) {
    Reporting one;
    // Every other packet comes 8 ms late: D is 64 units each time, which J approaches (A.8).
    for (unsigned i = 0; i < 200; ++i)
        one.hear(static_cast<std::uint16_t>(i), Time{1s} + i * 20ms + (i % 2) * 8ms);
    const auto parts = one.write(Time{5s});
    ASSERT_FALSE(parts.empty());
    const auto report = rtcp::ReceiverReport::parse(parts[0]);
    ASSERT_TRUE(report);
    ASSERT_EQ(report->blocks.size(), 1U);
    EXPECT_NEAR(report->blocks[0].jitter, 64, 2);
}

TEST(OwnReports, WhoSendsNothingReportsAsAReceiverAndWithoutNewsHasNoBlock) {
    Reporting one;
    EXPECT_TRUE(one.write(Time{5s}).empty());
    one.hear(1, Time{6s});
    one.hear(2, Time{6020ms});
    one.send(1, Time{6s});
    EXPECT_EQ(one.write(Time{10s})[0].type, rtcp::Type::sender_report);
    EXPECT_EQ(one.write(Time{15s})[0].type, rtcp::Type::sender_report);
    const auto last = one.write(Time{20s});
    const auto report = rtcp::ReceiverReport::parse(last[0]);
    ASSERT_TRUE(report);
    EXPECT_EQ(report->blocks.size(), 0U);
    EXPECT_NE(report->ssrc, ours);
    EXPECT_NE(report->ssrc, theirs);
}

std::vector<rtcp::Packet> goodbye(Reporting& one, Time now) {
    const auto blocks = one.reports.collect(now, one.random);
    const Bytes bytes = one.reports.write_goodbye(one.buffer, blocks, now, ntp, "name");
    std::vector<rtcp::Packet> parts;
    if (bytes.empty()) return parts;
    const auto compound = rtcp::Compound::parse(bytes);
    EXPECT_TRUE(compound);
    if (compound)
        for (const auto& part : *compound) parts.push_back(part);
    return parts;
}

TEST(OwnReports, TheLastTakesLeaveOfEachSourceThatTheyKnow) {
    Reporting one;
    one.hear(1, Time{1s});
    one.hear(2, Time{1020ms});
    // Nobody knows of us (RFC 3550 section 6.3.7).
    EXPECT_TRUE(goodbye(one, Time{2s}).empty());
    const std::uint32_t receiver = one.write(Time{5s})[0].ssrc();
    auto parts = goodbye(one, Time{6s});
    ASSERT_EQ(parts.size(), 3U);
    EXPECT_EQ(parts[0].type, rtcp::Type::receiver_report);
    EXPECT_EQ(parts[2].type, rtcp::Type::bye);
    EXPECT_EQ(parts[2].ssrc(), receiver);

    one.send(1, Time{7s});
    parts = goodbye(one, Time{8s});
    ASSERT_EQ(parts.size(), 4U);
    EXPECT_EQ(parts[0].type, rtcp::Type::sender_report);
    EXPECT_EQ(parts[2].ssrc(), ours);
    EXPECT_EQ(parts[2].count, 1);
    EXPECT_EQ(parts[3].ssrc(), receiver);
}

TEST(OwnReports, ComeAfterTheIntervalAndUpToASecondMore) {
    Reporting one;
    Time now{};
    Duration least = 1h, most{};
    for (int i = 0; i < 1000; ++i) {
        const Duration wait = one.reports.deadline() - now;
        least = std::min(least, wait);
        most = std::max(most, wait);
        now = one.reports.deadline();
        (void)one.reports.collect(now, one.random);
    }
    EXPECT_GE(least, 5s);
    EXPECT_LT(least, 5100ms);
    EXPECT_LT(most, 6s);
    EXPECT_GT(most, 5900ms);
}

TEST(OwnReports, KnowSoManySourcesAndNoMore) {
    Reporting one;
    for (std::uint32_t ssrc = 1; ssrc <= 1000; ++ssrc)
        for (std::uint16_t sequence = 0; sequence < 2; ++sequence) {
            one.reports.heard({.sequence = sequence, .ssrc = ssrc}, 0,
                              Time{std::chrono::milliseconds(ssrc)});
            one.reports.sent({.sequence = sequence, .ssrc = ssrc}, 0, 8000,
                             Time{std::chrono::milliseconds(ssrc)});
        }
    const auto parts = one.write(Time{2s});
    ASSERT_EQ(parts.size(), 2 * OwnReports::max_sources);
    const auto report = rtcp::SenderReport::parse(parts[0]);
    EXPECT_EQ(report->blocks.size(), OwnReports::max_sources);
    for (std::uint32_t ssrc = 997; ssrc <= 1000; ++ssrc) EXPECT_TRUE(report->blocks.about(ssrc));
}

TEST(OwnReports, OnlyFeedbackIsLeftOfACompound) {
    std::array<std::uint8_t, 256> buffer{};
    rtcp::CompoundWriter out(buffer);
    out.sender_report(theirs, {.ntp = ntp}).cname(theirs, "a@b").pli(theirs, ours).bye(theirs);
    const std::size_t size = feedback_alone(std::span(buffer).first(out.finish().size()));
    const auto compound = rtcp::Compound::parse(Bytes(buffer).first(size));
    ASSERT_TRUE(compound);
    auto part = compound->begin();
    const auto report = rtcp::ReceiverReport::parse(*part);
    ASSERT_TRUE(report);
    EXPECT_EQ(report->ssrc, theirs);
    EXPECT_EQ(report->blocks.size(), 0U);
    ++part;
    const auto feedback = rtcp::Feedback::parse(*part);
    ASSERT_TRUE(feedback);
    EXPECT_EQ(feedback->format, rtcp::Feedback::Format::pli);
    EXPECT_EQ(feedback->media, ours);
    ++part;
    EXPECT_EQ(part, compound->end());

    rtcp::CompoundWriter plain(buffer);
    plain.receiver_report(theirs).cname(theirs, "a@b");
    EXPECT_EQ(feedback_alone(std::span(buffer).first(plain.finish().size())), 0U);
}

}  // namespace
}  // namespace strowger::media
