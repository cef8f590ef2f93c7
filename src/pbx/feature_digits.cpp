#include "pbx/feature_digits.hpp"

#include <array>
#include <utility>

namespace strowger::pbx {

namespace {

// The code of each feature, empty where it has none.
std::array<std::pair<Feature, std::string_view>, 10> table(const config::Features& codes) {
    return {{{Feature::disconnect, codes.disconnect},
             {Feature::blind_transfer, codes.blindxfer},
             {Feature::attended_transfer, codes.atxfer},
             {Feature::park, codes.parkcall},
             {Feature::record, codes.automixmon},
             {Feature::record, codes.automon},
             {Feature::abort, codes.atxferabort},
             {Feature::complete, codes.atxfercomplete},
             {Feature::three_way, codes.atxferthreeway},
             {Feature::swap, codes.atxferswap}}};
}

struct Match {
    std::optional<Feature> complete;
    bool could_grow = false;
};

Match match(std::string_view digits, const config::Features& codes, const DigitFeatures& granted) {
    Match result;
    for (const auto& [feature, code] : table(codes)) {
        if (code.empty() || !granted.allow(feature) || !code.starts_with(digits)) continue;
        if (code.size() > digits.size())
            result.could_grow = true;
        else if (!result.complete)
            result.complete = feature;
    }
    return result;
}

}  // namespace

bool DigitFeatures::allow(Feature feature) const {
    switch (feature) {
        case Feature::none: return false;
        case Feature::disconnect: return disconnect;
        case Feature::blind_transfer:
        case Feature::attended_transfer: return transfer;
        case Feature::park: return park;
        case Feature::record: return record;
        case Feature::abort:
        case Feature::complete:
        case Feature::three_way:
        case Feature::swap: return consultation;
    }
    return false;
}

std::optional<Feature> FeatureDigits::press(char digit, const config::Features& codes,
                                            const DigitFeatures& granted) {
    digits_ += digit;
    for (; !digits_.empty(); digits_.erase(0, 1)) {
        const auto found = match(digits_, codes, granted);
        if (found.complete && !found.could_grow) {
            digits_.clear();
            return found.complete;
        }
        if (found.could_grow) return std::nullopt;
    }
    return std::nullopt;
}

std::optional<Feature> FeatureDigits::pause(const config::Features& codes,
                                            const DigitFeatures& granted) {
    const auto digits = std::exchange(digits_, {});
    return digits.empty() ? std::nullopt : match(digits, codes, granted).complete;
}

std::optional<std::size_t> CodeDigits::press(char digit,
                                             const std::vector<std::string_view>& codes) {
    digits_ += digit;
    for (; !digits_.empty(); digits_.erase(0, 1)) {
        std::optional<std::size_t> complete;
        bool could_grow = false;
        for (std::size_t i = 0; i < codes.size(); ++i) {
            if (!codes[i].starts_with(digits_)) continue;
            if (codes[i].size() > digits_.size())
                could_grow = true;
            else if (!complete)
                complete = i;
        }
        if (could_grow) return std::nullopt;
        if (complete) {
            digits_.clear();
            return complete;
        }
    }
    return std::nullopt;
}

std::optional<std::size_t> CodeDigits::pause(const std::vector<std::string_view>& codes) {
    const auto digits = std::exchange(digits_, {});
    for (std::size_t i = 0; i < codes.size(); ++i)
        if (!digits.empty() && codes[i] == digits) return i;
    return std::nullopt;
}

}  // namespace strowger::pbx
