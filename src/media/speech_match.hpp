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

/// Compares two recordings of 8 kHz samples. First the whole delay is found by cross-correlation;
/// then each segment of sent speech is looked for around it by a few milliseconds, so that clock
/// drift and jitter-buffer steps do not count. Similarity is the energy-weighted mean of the
/// segments' correlations, missing ones with 0: speech of which a tenth is missing stays below
/// 0.92. G.711 quantisation alone stays above 0.98. Wrong speech, noise or silence give below 0.3.
SpeechMatch match_speech(std::span<const Sample> sent, std::span<const Sample> received);

}  // namespace strowger::media
