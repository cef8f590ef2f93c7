#pragma once

#include <span>

#include "base/time.hpp"
#include "media/g711.hpp"

namespace strowger::media {

/// How well speech that arrived is the speech that was sent.
struct SpeechMatch {
    double similarity = 0;    ///< 0 to 1: 1 is the same but for quantisation and level
    double matched = 0;       ///< part of the sent speech that arrived recognisably, 0 to 1
    Duration delay{};         ///< from the sent to the received sequence; may be negative
    double level_change = 0;  ///< dB, received over sent
    Duration drift{};         ///< how much the delay changed from first to last matched segment
};

/// Longer recordings are compared over this much of their start: five minutes.
constexpr std::size_t max_compared = 8000 * 300;

/// Compares two recordings of 8 kHz samples. First the whole delay is found by cross-correlation;
/// then each fifth of a second of sent speech is looked for around it by a few milliseconds and
/// fractions of a sample, so that clock drift and jitter-buffer steps do not count. A segment
/// scores the square of its correlation, which is the part of its energy that came; similarity is
/// the mean over all segments in which something was said. G.711 alone stays above 0.98, a tenth
/// missing stays below 0.92, and other speech, noise or silence give less than 0.3.
SpeechMatch match_speech(std::span<const Sample> sent, std::span<const Sample> received);

}  // namespace strowger::media
