#pragma once

#include <string_view>

#include "base/time.hpp"

namespace strowger::media {

/// How much a codec spoils and how it bears loss (ITU-T G.113 appendix I).
struct CodecImpairment {
    double ie = 0;    ///< equipment impairment without loss
    double bpl = 10;  ///< packet-loss robustness
    bool operator==(const CodecImpairment&) const = default;
};

/// By encoding name, case-insensitively. G.711 counts as with our concealment. Unknown ones are
/// treated as G.711.
CodecImpairment impairment_of(std::string_view codec);

struct CallQuality {
    double loss_percent = 0;
    double burst_ratio = 1;    ///< 1: random losses; more: in bursts
    Duration one_way_delay{};  ///< mouth to ear
};

/// The rating factor R, 0 to 93.2 with default values (ITU-T G.107 section 7).
double rating_factor(const CallQuality& quality, CodecImpairment codec);
/// Annex B: the mean opinion score of a rating, 1 to 4.5.
double mos_of(double rating);
double mos(const CallQuality& quality, std::string_view codec);

}  // namespace strowger::media
