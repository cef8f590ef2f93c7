#include "media/g711.hpp"

#include <algorithm>
#include <bit>

#include "base/text.hpp"

namespace strowger::media::g711 {

namespace {

// G.711 table 2a/2b: a code is sign, segment and step; µ-law codes are inverted as a whole, A-law
// codes in every second bit. The decoder's value is the middle of the code's interval.
constexpr Sample expand_mu(std::uint8_t code) {
    const unsigned bits = static_cast<std::uint8_t>(~code);
    const int segment = static_cast<int>(bits >> 4 & 7);
    const int step = static_cast<int>(bits & 15);
    const int magnitude = (((step << 1) + 33) << segment) - 33;  // 14 bits
    return static_cast<Sample>(((bits & 0x80) != 0 ? -magnitude : magnitude) * 4);
}

constexpr Sample expand_a(std::uint8_t code) {
    const unsigned bits = code ^ 0x55U;
    const int segment = static_cast<int>(bits >> 4 & 7);
    const int step = static_cast<int>(bits & 15);
    const int magnitude = segment == 0 ? (step << 1) + 1 : ((step << 1) + 33) << (segment - 1);
    return static_cast<Sample>(((bits & 0x80) != 0 ? magnitude : -magnitude) * 8);  // 13 bits
}

template <Sample (*Expand)(std::uint8_t)>
constexpr std::array<Sample, 256> table_of() {
    std::array<Sample, 256> table{};
    for (unsigned code = 0; code < 256; ++code)
        table[code] = Expand(static_cast<std::uint8_t>(code));
    return table;
}

constexpr auto mu_to_linear = table_of<expand_mu>();
constexpr auto a_to_linear = table_of<expand_a>();

constexpr std::uint8_t compress_mu(int linear) {
    const bool negative = linear < 0;
    // 14-bit magnitude with the bias of 33, cut off at the last decision value, 8159.
    const unsigned magnitude =
        std::min(static_cast<unsigned>(negative ? -linear : linear) >> 2, 8158U) + 33;
    const unsigned segment = static_cast<unsigned>(std::bit_width(magnitude)) - 6;
    const unsigned step = magnitude >> (segment + 1) & 15;
    return static_cast<std::uint8_t>(~((negative ? 0x80U : 0U) | segment << 4 | step));
}

constexpr std::uint8_t compress_a(int linear) {
    const bool negative = linear < 0;
    // Negative values lie in the mirrored intervals: -1 is in the one of 0.
    const unsigned magnitude = static_cast<unsigned>(negative ? -linear - 1 : linear) >> 3;
    const unsigned width = static_cast<unsigned>(std::bit_width(magnitude));
    const unsigned segment = width > 5 ? width - 5 : 0;
    const unsigned step = magnitude >> (segment == 0 ? 1 : segment) & 15;
    return static_cast<std::uint8_t>(((negative ? 0U : 0x80U) | segment << 4 | step) ^ 0x55U);
}

template <std::uint8_t (*Compress)(int), const std::array<Sample, 256>& Table>
constexpr std::array<std::uint8_t, 256> law_to_law() {
    std::array<std::uint8_t, 256> table{};
    for (unsigned code = 0; code < 256; ++code) table[code] = Compress(Table[code]);
    return table;
}

// A value of one law encoded in the other: G.711 section 3.5 asks for tables 3 and 4, which are
// these but for some least significant steps.
constexpr auto mu_to_a = law_to_law<compress_a, mu_to_linear>();
constexpr auto a_to_mu = law_to_law<compress_mu, a_to_linear>();

}  // namespace

std::optional<Law> law_of(const sdp::Codec& codec) {
    if (codec.clock_rate != 8000 || codec.channels != 1) return std::nullopt;
    if (iequals(codec.name, "PCMU")) return Law::mu;
    if (iequals(codec.name, "PCMA")) return Law::a;
    return std::nullopt;
}

std::uint8_t encode_mu(Sample linear) { return compress_mu(linear); }
std::uint8_t encode_a(Sample linear) { return compress_a(linear); }
Sample decode_mu(std::uint8_t code) { return mu_to_linear[code]; }
Sample decode_a(std::uint8_t code) { return a_to_linear[code]; }

std::size_t encode(Law law, std::span<const Sample> in, std::span<std::uint8_t> out) {
    const std::size_t count = std::min(in.size(), out.size());
    if (law == Law::mu) {
        for (std::size_t i = 0; i < count; ++i) out[i] = compress_mu(in[i]);
    } else {
        for (std::size_t i = 0; i < count; ++i) out[i] = compress_a(in[i]);
    }
    return count;
}

std::size_t decode(Law law, std::span<const std::uint8_t> in, std::span<Sample> out) {
    const auto& table = law == Law::mu ? mu_to_linear : a_to_linear;
    const std::size_t count = std::min(in.size(), out.size());
    for (std::size_t i = 0; i < count; ++i) out[i] = table[in[i]];
    return count;
}

std::size_t transcode(Law from, std::span<const std::uint8_t> in, std::span<std::uint8_t> out) {
    const auto& table = from == Law::mu ? mu_to_a : a_to_mu;
    const std::size_t count = std::min(in.size(), out.size());
    for (std::size_t i = 0; i < count; ++i) out[i] = table[in[i]];
    return count;
}

}  // namespace strowger::media::g711
