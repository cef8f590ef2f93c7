#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "media/g711.hpp"

namespace strowger::media {

/// The noise that a payload of CN describes (RFC 3389): how loud, and with which spectrum.
///
///     ComfortNoise noise;
///     noise.describe(payload);
///     noise.generate(samples);
///
/// Allocates nothing. The same sound comes out of each object.
class ComfortNoise {
public:
    /// Of the model of the spectrum; further coefficients change little, and are not counted.
    static constexpr std::size_t max_order = 12;
    static constexpr std::size_t max_payload = 1 + max_order;
    /// The loudest and the most silent level that a payload can say, in −dBov: 0 dBov is the power
    /// of a square wave of full scale.
    static constexpr std::uint8_t loudest = 0, most_silent = 127;

    /// From now on. Without a single byte it is silence.
    void describe(Bytes payload);
    /// Goes on with it, at any rate: the spectrum is relative to it.
    void generate(std::span<Sample> out);

private:
    double white();

    std::array<double, max_order> reflection_{};
    std::array<double, max_order + 1> backward_{};  // state of the lattice
    std::size_t order_ = 0;
    double gain_ = 0;
    std::uint32_t seed_ = 0x2545f491;
};

/// What becomes of pauses in sound that is decoded and encoded.
struct Pauses {
    /// A packet without a sample so far from zero is silence, and becomes CN where the other side
    /// takes that; 0: none is.
    unsigned silent_below = 0;
    std::vector<std::uint8_t> noise;  ///< payload of that CN; empty: `usual_noise`
    static constexpr std::array<std::uint8_t, 1> usual_noise{32};
    /// How long a party has sent nothing when its pause is filled; zero: it stays a pause.
    Duration delay{};
    std::vector<std::uint8_t> fill;  ///< with this noise, a payload of CN; empty: with silence
    /// No pause is filled for longer, whether the party has sent CN or nothing.
    Duration longest = std::chrono::seconds{30};
    /// Between two CN packets of one silence.
    static constexpr Duration repeat = std::chrono::milliseconds{200};

    bool operator==(const Pauses&) const = default;
};

}  // namespace strowger::media
