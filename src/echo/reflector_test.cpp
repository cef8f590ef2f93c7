#include "echo/reflector.hpp"

#include <gtest/gtest.h>

namespace strowger::echo {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t audio_ssrc = 0xa0a0a0a0, video_ssrc = 0xb0b0b0b0;
constexpr std::size_t front = 64;

std::vector<MediaLine> two_lines() {
    MediaLine audio{.mid = "0",
                    .kind = "audio",
                    .payloads = {{111, {"opus", 48000, 2}}},
                    .ssrc = audio_ssrc,
                    .mid_id = 3};
    MediaLine video{.mid = "v1",
                    .kind = "video",
                    .payloads = {{96, {"VP8", 90000, 1}}},
                    .ssrc = video_ssrc,
                    .sources = {2000},
                    .nack = true};
    return {audio, video};
}

/// A reflector, and a peer's packets for it.
class Table {
public:
    explicit Table(std::vector<MediaLine> lines = two_lines())
        : reflector(std::move(lines), "cname", random_) {}

    /// What comes back for a packet with this behind its fixed header; empty: nothing.
    std::vector<std::uint8_t> send(const rtp::Header& header, std::vector<std::uint8_t> rest,
                                   std::uint8_t first_byte = 0x80) {
        std::array<std::uint8_t, 2048> room{};
        rtp::write_header(header, MutableBytes(room).subspan(front));
        room[front] = first_byte;
        std::ranges::copy(rest, room.begin() + front + rtp::header_size);
        const auto back = reflector.reflect(room, front, rtp::header_size + rest.size(), now);
        if (!back) return {};
        const auto bytes = Bytes(room).subspan(back->at, back->size);
        reflector.sent(*back, bytes, now);
        return {bytes.begin(), bytes.end()};
    }

    std::vector<rtcp::Packet> rtcp_due() {
        std::size_t size = 0;
        if (!reflector.poll_rtcp(buffer_, size, now, WallTime{} + now.time_since_epoch()))
            return {};
        std::vector<rtcp::Packet> packets;
        const auto compound = rtcp::Compound::parse(Bytes(buffer_).first(size));
        for (const auto& packet : *compound) packets.push_back(packet);
        return packets;
    }

    void receive(rtcp::CompoundWriter& out) {
        reflector.rtcp(out.finish(), now, WallTime{} + now.time_since_epoch());
    }

    Time now = Time{} + 1000s;
    Random random_{1};
    Reflector reflector;

private:
    std::array<std::uint8_t, 1000> buffer_{};
};

rtp::Header header(std::uint32_t ssrc, std::uint8_t type, std::uint16_t sequence) {
    return {
        .marker = true, .payload_type = type, .sequence = sequence, .timestamp = 77, .ssrc = ssrc};
}

TEST(Reflector, AnEchoKeepsEverythingButSourceAndExtensions) {
    Table table;
    // An extension of another kind (id 2) beside MID (id 3), one CSRC, four bytes of padding.
    const std::vector<std::uint8_t> rest{0,    0,    0, 9,                      // CSRC
                                         0xbe, 0xde, 0, 1, 0x20, 7, 0x30, '0',  // extensions
                                         1,    2,    3,                         // payload
                                         0,    0,    0, 4};
    const auto back = table.send(header(1000, 111, 5), rest, 0xb1);
    const auto packet = rtp::Packet::parse(back);
    ASSERT_TRUE(packet);
    EXPECT_EQ(packet->header(), (rtp::Header{true, 111, 5, 77, audio_ssrc}));
    EXPECT_EQ(packet->csrc_count(), 0u);
    EXPECT_EQ(std::vector(packet->payload().begin(), packet->payload().end()),
              (std::vector<std::uint8_t>{1, 2, 3}));
    EXPECT_EQ(packet->padding(), 0u);
    EXPECT_EQ(as_text(*packet->extension_element(3)), "0");
    EXPECT_FALSE(packet->extension_element(2));
}

TEST(Reflector, TheSectionIsFoundByMidThenBySourceThenByPayloadType) {
    auto lines = two_lines();
    lines[1].payloads = lines[0].payloads;  // the payload type says nothing
    Table table(lines);
    const auto ssrc_of = [](const auto& back) { return back.empty() ? 0 : load32(back, 8); };
    EXPECT_EQ(ssrc_of(table.send(header(1, 111, 1), {0xbe, 0xde, 0, 1, 0x30, '0', 0, 0, 9}, 0x90)),
              audio_ssrc);
    EXPECT_EQ(ssrc_of(table.send(header(2000, 111, 1), {9})), video_ssrc);
    EXPECT_TRUE(table.send(header(3, 111, 1), {9}).empty());
    Table other;
    EXPECT_EQ(ssrc_of(other.send(header(4, 96, 1), {9})), video_ssrc);
}

TEST(Reflector, SourcesNeverShareAnSsrcAndThereAreFour) {
    Table table;
    std::vector<std::uint32_t> seen;
    for (std::uint32_t source = 1; source <= 6; ++source) {
        const auto back = table.send(header(source, 96, 1), {9});
        if (!back.empty()) seen.push_back(load32(back, 8));
    }
    ASSERT_EQ(seen.size(), Reflector::max_sources);
    EXPECT_EQ(seen[0], video_ssrc);
    std::ranges::sort(seen);
    EXPECT_EQ(std::ranges::adjacent_find(seen), seen.end());
    EXPECT_EQ(table.reflector.counters().dropped, 2u);
}

TEST(Reflector, WhatWasNotAgreedIsDropped) {
    Table table;
    EXPECT_TRUE(table.send(header(1, 100, 1), {9}).empty());          // another codec
    EXPECT_TRUE(table.send(header(1, 96, 1), {1, 2}, 0xbf).empty());  // no RTP at all
    auto lines = two_lines();
    lines[1].sends = false;
    Table quiet(lines);
    EXPECT_TRUE(quiet.send(header(1, 96, 1), {9}).empty());
}

TEST(Reflector, AProbeOfPaddingKeepsItsPlaceAndNoMore) {
    Table table;
    const auto back = table.send(header(2000, 96, 7), {0, 0, 3}, 0xa0);
    const auto packet = rtp::Packet::parse(back);
    ASSERT_TRUE(packet);
    EXPECT_EQ(packet->sequence(), 7);
    EXPECT_TRUE(packet->payload().empty());
    EXPECT_EQ(packet->padding(), 1u);
    EXPECT_EQ(back.size(), rtp::header_size + 1);
    EXPECT_EQ(table.reflector.counters().probes, 1u);
}

TEST(Reflector, ANackIsAnsweredWithTheSamePacket) {
    Table table;
    std::vector<std::vector<std::uint8_t>> sent;
    for (std::uint16_t i = 0; i < 20; ++i) {
        sent.push_back(table.send(header(2000, 96, 100 + i), {static_cast<std::uint8_t>(i)}));
    }
    std::array<std::uint8_t, 100> buffer;
    rtcp::CompoundWriter out(buffer);
    const rtcp::Feedback::NackItem items[] = {{105, 0b101}, {400, 0}};
    out.receiver_report(1).nack(1, video_ssrc, items);
    table.receive(out);
    std::vector<std::vector<std::uint8_t>> again;
    for (Bytes packet; table.reflector.poll_again(packet);) {
        again.emplace_back(packet.begin(), packet.end());
    }
    EXPECT_EQ(again, (std::vector{sent[5], sent[6], sent[8]}));
    EXPECT_EQ(table.reflector.counters().missing, 1u);
}

TEST(Reflector, AKeyFrameIsAskedOfTheSourceAtMostEveryHalfSecond) {
    Table table;
    (void)table.send(header(2000, 96, 1), {9});
    const auto ask = [&] {
        std::array<std::uint8_t, 100> buffer;
        rtcp::CompoundWriter out(buffer);
        out.receiver_report(1).pli(1, video_ssrc);
        table.receive(out);
        std::size_t asked = 0;
        for (auto packets = table.rtcp_due(); !packets.empty(); packets = table.rtcp_due()) {
            for (const auto& packet : packets) {
                const auto feedback = rtcp::Feedback::parse(packet);
                if (feedback && feedback->format == rtcp::Feedback::Format::pli) {
                    EXPECT_EQ(feedback->media, 2000u);
                    ++asked;
                }
            }
        }
        return asked;
    };
    EXPECT_EQ(ask(), 1u);
    table.now += 499ms;
    EXPECT_EQ(ask(), 0u);
    table.now += 1ms;
    EXPECT_EQ(ask(), 1u);
}

TEST(Reflector, ReportsBeginAfterTwoHundredMillisecondsAndTellOfBothDirections) {
    Table table;
    for (std::uint16_t i = 0; i < 4; ++i) (void)table.send(header(2000, 96, i), {1, 2, 3});
    (void)table.send(header(2000, 96, 5), {1, 2, 3});  // 4 is lost
    EXPECT_TRUE(table.rtcp_due().empty());
    EXPECT_EQ(table.reflector.deadline(), table.now + 200ms);
    table.now += 200ms;
    const auto packets = table.rtcp_due();
    ASSERT_EQ(packets.size(), 2u);
    const auto report = rtcp::SenderReport::parse(packets[0]);
    ASSERT_TRUE(report);
    EXPECT_EQ(report->ssrc, video_ssrc);
    EXPECT_EQ(report->info.packets, 5u);
    EXPECT_EQ(report->info.octets, 15u);
    EXPECT_EQ(report->info.rtp, 77u + 18000u);  // 200 ms at 90 kHz after the last packet
    ASSERT_EQ(report->blocks.size(), 1u);
    EXPECT_EQ(report->blocks[0].ssrc, 2000u);
    EXPECT_EQ(report->blocks[0].cumulative_lost, 1);
    EXPECT_TRUE(table.rtcp_due().empty());  // that was all
    EXPECT_GE(table.reflector.deadline(), table.now + 500ms);
    EXPECT_LE(table.reflector.deadline(), table.now + 1500ms);
}

TEST(Reflector, ArrivalsAreToldAfterAHundredMillisecondsWhereThatIsAgreed) {
    auto lines = two_lines();
    lines[1].transport_cc_id = 5;
    lines[1].reduced_rtcp = true;
    Table table(lines);
    (void)table.send(header(2000, 96, 1), {0xbe, 0xde, 0, 1, 0x51, 0, 77, 0, 9}, 0x90);
    table.now += 10ms;
    // A probe of padding counts, too.
    (void)table.send(header(2000, 96, 2), {0xbe, 0xde, 0, 1, 0x51, 0, 78, 0, 0, 0, 3}, 0xb0);
    EXPECT_EQ(table.reflector.deadline(), table.now + 90ms);
    table.now += 90ms;
    std::array<std::uint8_t, 1400> buffer;
    std::size_t size = 0;
    ASSERT_TRUE(table.reflector.poll_rtcp(buffer, size, table.now, WallTime{}));
    EXPECT_EQ(buffer[0] & 0x1f, 15);
    EXPECT_EQ(load32(buffer, 8), 2000u);
    EXPECT_EQ(load16(buffer, 12), 77);
    EXPECT_EQ(load16(buffer, 14), 2);
    EXPECT_FALSE(table.reflector.poll_rtcp(buffer, size, table.now, WallTime{}));
}

TEST(Reflector, TheRtpTimeOfAReportFollowsTheSourcesOwnReport) {
    Table table;
    (void)table.send(header(2000, 96, 1), {9});
    std::array<std::uint8_t, 100> buffer;
    rtcp::CompoundWriter out(buffer);
    out.sender_report(2000, {.ntp = std::uint64_t{5000} << 32, .rtp = 1'000'000});
    table.receive(out);
    table.now += 2s;
    const auto packets = table.rtcp_due();
    ASSERT_FALSE(packets.empty());
    EXPECT_EQ(rtcp::SenderReport::parse(packets[0])->info.rtp, 1'000'000u + 180'000u);
}

}  // namespace
}  // namespace strowger::echo
