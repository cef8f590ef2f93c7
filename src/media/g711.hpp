#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "wire/sdp/codec.hpp"

namespace strowger::media {

using Sample = std::int16_t;  ///< linear PCM, mono, 8000 a second unless said otherwise

/// The two laws of ITU-T G.711. Linear values are left-aligned in 16 bits (14-bit µ-law, 13-bit
/// A-law).
namespace g711 {

enum class Law : std::uint8_t { mu, a };

/// By which a codec of a description is coded: PCMU or PCMA (RFC 3551 section 4.5.14); nothing when
/// it is another one, or not at 8000 samples a second in one channel.
std::optional<Law> law_of(const sdp::Codec& codec);

std::uint8_t encode_mu(Sample linear);
std::uint8_t encode_a(Sample linear);
Sample decode_mu(std::uint8_t code);
Sample decode_a(std::uint8_t code);

/// As many as the shorter of the two holds; returns how many.
std::size_t encode(Law law, std::span<const Sample> in, std::span<std::uint8_t> out);
std::size_t decode(Law law, std::span<const std::uint8_t> in, std::span<Sample> out);

/// One law into the other without going through linear samples.
std::size_t transcode(Law from, std::span<const std::uint8_t> in, std::span<std::uint8_t> out);

/// The code for silence.
constexpr std::uint8_t silence(Law law) { return law == Law::mu ? 0xff : 0xd5; }

}  // namespace g711
}  // namespace strowger::media
