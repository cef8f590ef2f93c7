#include "media/g711.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace strowger::media::g711 {
namespace {

// G.711 table 2a: decoder output values of µ-law in 14 bits, here times 4.
TEST(G711, DecodesMuLawAsTheTableSays) {
    EXPECT_EQ(decode_mu(0x80), 8031 * 4);
    EXPECT_EQ(decode_mu(0x8f), 4191 * 4);
    EXPECT_EQ(decode_mu(0x9f), 2079 * 4);
    EXPECT_EQ(decode_mu(0xaf), 1023 * 4);
    EXPECT_EQ(decode_mu(0xbf), 495 * 4);
    EXPECT_EQ(decode_mu(0xcf), 231 * 4);
    EXPECT_EQ(decode_mu(0xdf), 99 * 4);
    EXPECT_EQ(decode_mu(0xef), 33 * 4);
    EXPECT_EQ(decode_mu(0xfe), 2 * 4);
    EXPECT_EQ(decode_mu(0xff), 0);
    EXPECT_EQ(decode_mu(0x7f), 0);
    EXPECT_EQ(decode_mu(0x00), -8031 * 4);
}

// G.711 table 1a: A-law in 13 bits, here times 8; codes with every second bit inverted.
TEST(G711, DecodesALawAsTheTableSays) {
    EXPECT_EQ(decode_a(0xff ^ 0x55), 4032 * 8);
    EXPECT_EQ(decode_a(0xf0 ^ 0x55), 2112 * 8);
    EXPECT_EQ(decode_a(0xe0 ^ 0x55), 1056 * 8);
    EXPECT_EQ(decode_a(0xb0 ^ 0x55), 132 * 8);
    EXPECT_EQ(decode_a(0xa0 ^ 0x55), 66 * 8);
    EXPECT_EQ(decode_a(0x81 ^ 0x55), 3 * 8);
    EXPECT_EQ(decode_a(0x80 ^ 0x55), 1 * 8);
    EXPECT_EQ(decode_a(0x00 ^ 0x55), -1 * 8);
    EXPECT_EQ(decode_a(0x7f ^ 0x55), -4032 * 8);
}

TEST(G711, EveryCodeSurvivesDecodingAndEncoding) {
    for (int code = 0; code < 256; ++code) {
        const auto byte = static_cast<std::uint8_t>(code);
        EXPECT_EQ(encode_a(decode_a(byte)), byte);
        // The two zeros of µ-law are one value.
        EXPECT_EQ(encode_mu(decode_mu(byte)), byte == 0x7f ? 0xff : byte);
    }
}

TEST(G711, EverySampleGoesToTheNearestValue) {
    for (int linear = -32768; linear <= 32767; ++linear) {
        const auto sample = static_cast<Sample>(linear);
        const int a = decode_a(encode_a(sample));
        const int mu = decode_mu(encode_mu(sample));
        const int magnitude = std::abs(linear);
        // Half an interval: 1/32 of the value's segment, and 16 or 4 in the lowest.
        ASSERT_LE(std::abs(a - linear),
                  std::max(16, magnitude / 32 + 1) + (magnitude > 32256 ? 512 : 0));
        ASSERT_LE(std::abs(mu - linear),
                  std::max(4, (magnitude + 132) / 32 + 4) + (magnitude > 32124 ? 644 : 0));
    }
}

TEST(G711, TranscodesWithoutChangingWhatIsHeard) {
    for (int code = 0; code < 256; ++code) {
        const std::uint8_t in[] = {static_cast<std::uint8_t>(code)};
        std::uint8_t out[1];
        ASSERT_EQ(transcode(Law::mu, in, out), 1U);
        EXPECT_EQ(out[0], encode_a(decode_mu(in[0])));
        ASSERT_EQ(transcode(Law::a, in, out), 1U);
        EXPECT_EQ(out[0], encode_mu(decode_a(in[0])));
    }
}

// G.711 tables 5 and 6: these eight codes, repeated, are a 1 kHz sine at 0 dBm0.
TEST(G711, TheStandardsSineIsAtZeroDbm0) {
    constexpr std::uint8_t mu[] = {0x1e, 0x0b, 0x0b, 0x1e, 0x9e, 0x8b, 0x8b, 0x9e};
    constexpr std::uint8_t a[] = {0x34, 0x21, 0x21, 0x34, 0xb4, 0xa1, 0xa1, 0xb4};
    for (const auto law : {Law::mu, Law::a}) {
        Sample samples[8];
        decode(law, law == Law::mu ? std::span(mu) : std::span(a), samples);
        double power = 0;
        for (const Sample s : samples) power += s * double{1} * s / 8;
        // Full scale of a sine is 3.17 dBm0 in µ-law, 3.14 in A-law.
        const double full = law == Law::mu ? 8159.0 * 4 : 4096.0 * 8;
        const double level =
            10 * std::log10(power / (full * full / 2)) + (law == Law::mu ? 3.17 : 3.14);
        EXPECT_NEAR(level, 0, 0.02);
    }
}

}  // namespace
}  // namespace strowger::media::g711
