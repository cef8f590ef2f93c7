#include "media/comfort_noise.hpp"

#include <algorithm>
#include <cmath>

namespace strowger::media {
namespace {

constexpr double full_scale = 32768;

// RFC 3389 section 3.1: seven bits, the first is zero.
constexpr std::uint8_t level_bits = 0x7f;

// Section 3.2: 127 is zero, and 255 is not used.
double reflection(std::uint8_t quantised) {
    constexpr int zero = 127, last = 254;
    return 258.0 * (std::min<int>(quantised, last) - zero) / 32768;
}

}  // namespace

void ComfortNoise::describe(Bytes payload) {
    if (payload.empty()) {
        order_ = 0;
        gain_ = 0;
        return;
    }
    order_ = std::min(payload.size() - 1, max_order);
    // What the filter adds to the power of what goes through it.
    double left = 1;
    for (std::size_t i = 0; i < order_; ++i) {
        reflection_[i] = reflection(payload[1 + i]);
        left *= 1 - reflection_[i] * reflection_[i];
    }
    const double level = -static_cast<double>(payload[0] & level_bits);
    gain_ = full_scale * std::pow(10.0, level / 20) * std::sqrt(left);
}

// Of power 1: four numbers that are evenly distributed come close enough to a normal distribution.
double ComfortNoise::white() {
    constexpr int numbers = 4;
    double sum = 0;
    for (int i = 0; i < numbers; ++i) {
        seed_ = seed_ * 1664525U + 1013904223U;
        sum += static_cast<double>(seed_ >> 8) / (1 << 23) - 1;
    }
    return sum * std::sqrt(3.0 / numbers);
}

// A lattice of 1/A(z) whose stages are the coefficients as they stand in the payload.
void ComfortNoise::generate(std::span<Sample> out) {
    for (Sample& sample : out) {
        double forward = gain_ * white();
        for (std::size_t i = order_; i-- > 0;) {
            forward -= reflection_[i] * backward_[i];
            backward_[i + 1] = backward_[i] + reflection_[i] * forward;
        }
        backward_[0] = forward;
        sample = static_cast<Sample>(std::clamp(std::lround(forward), -32768L, 32767L));
    }
}

}  // namespace strowger::media
