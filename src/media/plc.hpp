#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "media/g711.hpp"

namespace strowger::media {

/// Packet loss concealment after ITU-T G.711 Appendix I, for 8 kHz samples in frames of any length.
///
/// Good frames pass through `received` with a delay of 3.75 ms, which is what makes a smooth start
/// of a concealed stretch possible. For each frame that did not come, `conceal` repeats the last
/// pitch periods, from 10 ms on faded by 20 % each 10 ms, silent after 60 ms. The first frame after
/// a loss is overlap-added into the synthetic signal. Allocates nothing.
class Plc {
public:
    static constexpr std::size_t delay = 30;                       ///< samples: 3.75 ms
    static constexpr std::size_t pitch_min = 40, pitch_max = 120;  ///< 200 Hz to 66 Hz

    void received(std::span<Sample> frame);  ///< in place: becomes the delayed, repaired signal
    void conceal(std::span<Sample> frame);   ///< fills it
    void reset() { *this = {}; }
    bool concealing() const { return erased_ > 0; }

private:
    static constexpr std::size_t history_size = pitch_max * 3 + pitch_max / 4;  // 48.75 ms
    static constexpr std::size_t piece = 80;  // 10 ms: what is worked on at a time

    /// Repeats the last `length` samples of `before_`, smoothly joined at their ends.
    struct Cycle {
        std::size_t length = 0, position = 0;
    };

    std::size_t find_pitch() const;
    void begin();
    double next(Cycle& cycle) const;
    double synthesise();
    void pass(std::span<Sample> samples);

    std::array<Sample, history_size> history_{};  // the last samples, `delay` of them not given yet
    std::array<Sample, history_size> before_{};   // the history when the loss began
    std::size_t pitch_ = 0, overlap_ = 0;
    Cycle current_, leaving_;
    std::size_t fade_left_ = 0;  // samples of the change from `leaving_` to `current_`
    std::size_t erased_ = 0;     // samples synthesised since
};

}  // namespace strowger::media
