#include "media/transcoder.hpp"

#include <gtest/gtest.h>
#include <poll.h>

#include <vector>

#include "media/relay_stream.hpp"

namespace strowger::media {
namespace {

using Kind = Recoder::Way::Kind;
using Packets = std::vector<std::vector<std::uint8_t>>;

const sdp::Payload pcmu{0, {"PCMU", 8000, 1, {}}};
const sdp::Payload l16{96, {"L16", 8000, 1, {}}};
const Recoder::Plan to_l16{.ways = {{pcmu, Kind::recode, 96}}, .out = l16, .own = true};

std::vector<std::uint8_t> speech(std::uint16_t number) {
    std::vector<std::uint8_t> packet(rtp::header_size + 160);
    const std::vector<std::uint8_t> codes(160, static_cast<std::uint8_t>(number));
    rtp::write({.sequence = number, .timestamp = number * 160U, .ssrc = 7}, codes, packet);
    return packet;
}

/// A media thread's part of it.
struct Media {
    explicit Media(Transcoder& transcoder) : lane(transcoder.lane(0, bell)) {}

    std::shared_ptr<Recoding> recoding(std::uint64_t seed = 1) {
        Random random{seed};
        auto made = std::make_shared<Recoding>(to_l16, random, &lane);
        made->aim(&somebody);
        return made;
    }
    /// What comes back, until there are so many or none has come for half a second.
    Packets come_back(std::size_t count) {
        Packets packets;
        while (packets.size() < count) {
            bell.lie_down();
            pollfd readable{.fd = bell.fd(), .events = POLLIN, .revents = 0};
            if (!lane.anything_back() && ::poll(&readable, 1, 500) == 0) break;
            bell.get_up();
            if (readable.revents != 0) bell.acknowledge();
            lane.take_back([&](Recoding& from, MutableBytes buffer, std::size_t size) {
                if (from.to())
                    packets.emplace_back(buffer.begin(),
                                         buffer.begin() + static_cast<std::ptrdiff_t>(size));
            });
        }
        return packets;
    }

    Doorbell bell;
    RecodingLane& lane;
    RelayStream somebody{{}, std::make_shared<StreamFigures>()};
};

struct Kept final : Recoder::Out {
    MutableBytes room() override { return buffer; }
    void put(std::size_t size) override {
        packets.emplace_back(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(size));
    }
    std::array<std::uint8_t, 2048> buffer{};
    Packets packets;
};

TEST(Transcoder, GivesBackInOrderWhatARecoderMakesInPlace) {
    Transcoder transcoder(1);
    Media media(transcoder);
    const auto recoding = media.recoding();
    Random random{1};
    Recoder in_place(to_l16, random);
    Kept expected;
    Packets got;
    for (std::uint16_t i = 0; i < 1000; ++i) {
        const auto packet = speech(i);
        in_place.take(packet, Time{}, expected);
        ASSERT_TRUE(media.lane.give(recoding, packet, Time{}));
        if (i % 50 != 49) continue;
        media.lane.flush();
        for (auto& each : media.come_back(50)) got.push_back(std::move(each));
    }
    EXPECT_EQ(got, expected.packets);
    EXPECT_EQ(got.size(), 1000U);
    EXPECT_EQ(recoding->figures().packets, 1000U);
    EXPECT_EQ(recoding->figures().ssrc_in, 7U);
    EXPECT_EQ(transcoder.dropped(), 0U);
}

TEST(Transcoder, DropsAndCountsWhatHasNoRoom) {
    Transcoder transcoder(1);
    Media media(transcoder);
    const auto recoding = media.recoding();
    // Nobody takes back, so that the way back fills first and then what goes there is dropped too.
    std::size_t refused = 0;
    for (std::uint16_t i = 0; i < 4 * RecodingLane::room; ++i) {
        refused += !media.lane.give(recoding, speech(i), Time{});
        media.lane.flush();
    }
    const auto got = media.come_back(4 * RecodingLane::room);
    EXPECT_GE(got.size(), RecodingLane::room);
    // What is refused leaves gaps, for each of which the decoder may make up a packet.
    EXPECT_GE(got.size() + transcoder.dropped(), 4 * RecodingLane::room);
    EXPECT_LE(got.size() + transcoder.dropped(), 4 * RecodingLane::room + refused);
    EXPECT_LE(refused, transcoder.dropped());
}

TEST(Transcoder, WhatIsUnderWayWhenACallEndsIsForNobodyAndGoesAway) {
    Transcoder transcoder(1);
    Media media(transcoder);
    for (int call = 0; call < 200; ++call) {
        auto recoding = media.recoding(static_cast<std::uint64_t>(call));
        for (std::uint16_t i = 0; i < 20; ++i) (void)media.lane.give(recoding, speech(i), Time{});
        media.lane.flush();
        recoding->aim(nullptr);
        recoding.reset();  // the packets hold it now
        if (call % 10 == 0) {
            EXPECT_TRUE(media.come_back(1).empty()) << call;
        }
    }
    (void)media.come_back(1);
    EXPECT_EQ(transcoder.directions(), 0U);
}

TEST(Transcoder, EndsWithWorkUnderWay) {
    Doorbell bell;
    Random random{1};
    Transcoder transcoder(1);
    auto& lane = transcoder.lane(0, bell);
    auto recoding = std::make_shared<Recoding>(to_l16, random, &lane);
    for (std::uint16_t i = 0; i < RecodingLane::room; ++i) (void)lane.give(recoding, speech(i), {});
    lane.flush();
    recoding.reset();
    transcoder.stop();
}

}  // namespace
}  // namespace strowger::media
