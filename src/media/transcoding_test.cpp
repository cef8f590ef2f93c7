#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "media/packer.hpp"
#include "media/unpacker.hpp"

namespace strowger::media {
namespace {

const sdp::Codec pcmu{"PCMU", 8000, 1}, g722{"G722", 8000, 1}, gsm{"GSM", 8000, 1},
    opus{"opus", 48000, 2}, l16{"L16", 16000, 1};

double loudness(std::span<const Sample> samples) {
    double energy = 0;
    for (const Sample sample : samples) energy += double{1} * sample * sample;
    return samples.empty() ? 0 : std::sqrt(energy / static_cast<double>(samples.size()));
}

std::vector<Sample> tone(std::uint32_t rate, std::size_t count) {
    std::vector<Sample> samples(count);
    for (std::size_t i = 0; i < count; ++i)
        samples[i] = static_cast<Sample>(
            8000 * std::sin(2 * std::numbers::pi * 500 * static_cast<double>(i) / rate));
    return samples;
}

struct Made {
    std::uint16_t sequence;
    std::uint32_t timestamp, duration;
    bool marker;
    std::vector<std::uint8_t> payload;
};

std::vector<Made> drain(Packer& packer) {
    std::vector<Made> made;
    while (const auto packet = packer.poll())
        made.push_back({packet->sequence,
                        packet->timestamp,
                        packet->duration,
                        packet->marker,
                        {packet->payload.begin(), packet->payload.end()}});
    return made;
}

TEST(Packer, TimestampsGoByTheClockOfTheFormat) {
    struct Case {
        sdp::Codec codec;
        std::uint32_t step;
    };
    for (const auto& [codec, step] : {Case{pcmu, 160}, {g722, 160}, {opus, 960}, {l16, 320}}) {
        const auto packer = Packer::make(codec, 8000, 20);
        packer->append(8000, tone(8000, 8000));
        const auto made = drain(*packer);
        ASSERT_GE(made.size(), 49U) << codec.name;  // a resampler keeps the end for itself
        for (std::size_t i = 0; i < made.size(); ++i) {
            EXPECT_EQ(made[i].duration, step) << codec.name;
            EXPECT_EQ(made[i].timestamp - made[0].timestamp, i * step) << codec.name;
            EXPECT_EQ(static_cast<std::uint16_t>(made[i].sequence - made[0].sequence), i);
            EXPECT_EQ(made[i].marker, i == 0);
        }
    }
}

TEST(Packer, PacksAnewAsLongAsIsWanted) {
    const auto packer = Packer::make(pcmu, 8000, 30);
    for (std::uint32_t i = 0; i < 3; ++i) packer->put(8000, 160 * i, tone(8000, 160));
    const auto made = drain(*packer);
    ASSERT_EQ(made.size(), 2U);
    EXPECT_EQ(made[0].payload.size(), 240U);
    EXPECT_EQ(made[1].timestamp - made[0].timestamp, 240U);
}

TEST(Packer, AShortGapIsSilenceAndALongOneAPause) {
    const auto packer = Packer::make(pcmu, 8000, 20);
    packer->put(8000, 1000, tone(8000, 160));
    packer->put(8000, 1320, tone(8000, 160));  // 20 ms are missing
    auto made = drain(*packer);
    ASSERT_EQ(made.size(), 3U);
    EXPECT_EQ(made[1].payload, std::vector<std::uint8_t>(160, 0xff));
    packer->put(8000, 1480 + 8000, tone(8000, 160));  // a second is
    const auto after = drain(*packer);
    ASSERT_EQ(after.size(), 1U);
    EXPECT_TRUE(after[0].marker);
    EXPECT_EQ(after[0].timestamp - made[2].timestamp, 160U + 8000U);
    EXPECT_EQ(static_cast<std::uint16_t>(after[0].sequence - made[2].sequence), 1);
}

TEST(Packer, WhatWasSaidBeforeAPauseIsNotKeptBack) {
    const auto packer = Packer::make(gsm, 8000, 20);
    packer->put(8000, 0, tone(8000, 200));
    packer->put(8000, 200 + 8000, tone(8000, 320));
    const auto made = drain(*packer);
    ASSERT_EQ(made.size(), 4U);  // 160, then 40 filled up; after the pause 320
    EXPECT_EQ(made[1].timestamp - made[0].timestamp, 160U);
    EXPECT_EQ(made[2].timestamp - made[0].timestamp, 8200U);
    EXPECT_TRUE(made[2].marker);
}

TEST(Packer, AJumpIsAnotherLine) {
    const auto packer = Packer::make(pcmu, 8000, 20);
    packer->put(8000, 0, tone(8000, 160));
    const auto line = packer->line();
    packer->put(8000, 0x80000000U, tone(8000, 160));
    EXPECT_NE(packer->line(), line);
}

TEST(Unpacker, ConcealsWhatWasLostAndNotWhatWasLeftUnsaid) {
    for (const auto& codec : {pcmu, g722, gsm, opus}) {
        const auto packer = Packer::make(codec, 8000, 20);
        const auto unpacker = Unpacker::make(codec, 8000);
        packer->append(8000, tone(8000, 8000));
        const auto made = drain(*packer);
        const std::size_t frame = unpacker->rate() / 50;
        std::uint32_t last = 0;
        for (std::size_t i = 0; i < 20; ++i) {
            if (i == 10) continue;  // lost
            const auto sound =
                unpacker->put(1, made[i].sequence, made[i].timestamp, made[i].payload);
            ASSERT_TRUE(sound) << codec.name;
            EXPECT_EQ(sound->samples.size(), i == 11 ? 2 * frame : frame) << codec.name;
            if (i > 0) {
                EXPECT_EQ(sound->position - last, frame) << codec.name;
            }
            if (i == 11) {
                EXPECT_GT(loudness(sound->samples.first(frame)), 800) << codec.name;
            }
            last = sound->position + static_cast<std::uint32_t>(sound->samples.size() - frame);
        }
        EXPECT_FALSE(unpacker->put(1, made[10].sequence, made[10].timestamp, made[10].payload));
        // As many numbers, but more time: a pause.
        const auto next = unpacker->put(
            1, made[20].sequence, made[20].timestamp + made[0].duration * 50, made[20].payload);
        ASSERT_TRUE(next);
        EXPECT_EQ(next->samples.size(), frame);
        EXPECT_EQ(next->position - last, frame * 51);
    }
}

TEST(Unpacker, IsHeardAtEightKilohertzToo) {
    const auto packer = Packer::make(g722, 16000, 20);
    const auto unpacker = Unpacker::make(g722, 16000);
    packer->append(16000, tone(16000, 16000));
    std::vector<Sample> narrow;
    std::optional<std::uint32_t> position;
    for (const auto& made : drain(*packer)) {
        ASSERT_TRUE(unpacker->put(1, made.sequence, made.timestamp, made.payload));
        const auto heard = unpacker->narrow();
        EXPECT_EQ(heard.rate, 8000U);
        if (position) {
            EXPECT_EQ(heard.position, *position);
        }
        position = heard.position + static_cast<std::uint32_t>(heard.samples.size());
        narrow.insert(narrow.end(), heard.samples.begin(), heard.samples.end());
    }
    EXPECT_NEAR(static_cast<double>(narrow.size()), 8000, 40);
    EXPECT_NEAR(loudness(std::span(narrow).subspan(2000, 4000)), 8000 / std::numbers::sqrt2, 300);
}

TEST(Unpacker, TimestampsMayWrap) {
    const auto unpacker = Unpacker::make(opus, 8000);
    const auto packer = Packer::make(opus, 8000, 20);
    packer->append(8000, tone(8000, 1600));
    std::optional<std::uint32_t> position;
    std::uint32_t timestamp = 0U - 960 * 4;
    for (const auto& made : drain(*packer)) {
        const auto sound = unpacker->put(1, made.sequence, timestamp, made.payload);
        ASSERT_TRUE(sound);
        if (position) {
            EXPECT_EQ(sound->position, *position + 160);
        }
        position = sound->position;
        timestamp += 960;
    }
}

}  // namespace
}  // namespace strowger::media
