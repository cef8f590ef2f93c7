#include "media/e_model.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/text.hpp"

namespace strowger::media {

namespace {

struct NamedImpairment {
    std::string_view name;
    CodecImpairment impairment;
};

// G.113 appendix I, tables I.1 and I.4; wideband codecs count as clean on the narrowband scale.
constexpr std::array<NamedImpairment, 12> impairments{{{"PCMU", {0, 25.1}},
                                                       {"PCMA", {0, 25.1}},
                                                       {"G729", {11, 19}},
                                                       {"G723", {15, 16.1}},
                                                       {"GSM", {26, 43}},
                                                       {"G726-32", {7, 20}},
                                                       {"G728", {7, 17}},
                                                       {"iLBC", {11, 32}},
                                                       {"AMR", {5, 10}},
                                                       {"speex", {11, 20}},
                                                       {"G722", {0, 13}},
                                                       {"opus", {0, 20}}}};

constexpr double default_rating = 93.2;  // G.107 with the default values of its table 3

// G.107 section 7.4, Idd: absolute delay beyond 100 ms.
double delay_impairment(double delay_ms) {
    if (delay_ms <= 100) return 0;
    const double x = std::log2(delay_ms / 100);
    return 25 * (std::pow(1 + std::pow(x, 6), 1.0 / 6) -
                 3 * std::pow(1 + std::pow(x / 3, 6), 1.0 / 6) + 2);
}

}  // namespace

CodecImpairment impairment_of(std::string_view codec) {
    for (const auto& entry : impairments) {
        if (iequals(entry.name, codec)) return entry.impairment;
    }
    return impairments[0].impairment;
}

double rating_factor(const CallQuality& quality, CodecImpairment codec) {
    const double loss = std::clamp(quality.loss_percent, 0.0, 100.0);
    const double burst = std::max(1.0, quality.burst_ratio);
    // Section 7.5, equation 7-29.
    const double equipment =
        codec.ie + (95 - codec.ie) * (loss > 0 ? loss / (loss / burst + codec.bpl) : 0);
    const double delay_ms = seconds(quality.one_way_delay) * 1000;
    return std::clamp(default_rating - delay_impairment(delay_ms) - equipment, 0.0, 100.0);
}

double mos_of(double rating) {
    if (rating <= 0) return 1;
    if (rating >= 100) return 4.5;
    return std::max(1.0, 1 + 0.035 * rating + rating * (rating - 60) * (100 - rating) * 7e-6);
}

double mos(const CallQuality& quality, std::string_view codec) {
    return mos_of(rating_factor(quality, impairment_of(codec)));
}

}  // namespace strowger::media
