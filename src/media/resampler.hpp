#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "media/g711.hpp"

namespace strowger::media {

/// Changes the sample rate of a mono stream: a windowed-sinc low pass, evaluated at the phases that
/// the two rates need. Chunks of any size give the same output as all at once.
class Resampler {
public:
    static constexpr std::size_t zero_crossings =
        16;  ///< of the sinc on each side; some 70 dB of stop band
    static constexpr std::size_t max_phases = 1024;  ///< bounds the table; odd ratios are rounded

    Resampler(std::uint32_t from, std::uint32_t to);

    void process(std::span<const Sample> in, std::vector<Sample>& out);  ///< appends
    void flush(
        std::vector<Sample>& out);  ///< the tail that the filter still holds; then start anew
    void reset();
    bool is_identity() const { return up_ == down_; }

private:
    void emit(std::vector<Sample>& out);

    std::uint64_t up_ = 1, down_ = 1;
    std::size_t phases_ = 0, taps_ = 0;  // taps are per phase
    std::vector<float> filter_;          // phase after phase
    std::vector<float> history_;         // samples not used up
    std::size_t at_ = 0;                 // index into history_ of the first tap
    std::uint64_t phase_ = 0;
    std::uint64_t taken_ = 0, given_ = 0;
};

}  // namespace strowger::media
