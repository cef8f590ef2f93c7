#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pbx/config/settings.hpp"

namespace strowger::pbx {

/// What a party of a call may ask for by digits (features.conf).
enum class Feature : std::uint8_t {
    none,
    disconnect,
    blind_transfer,
    attended_transfer,
    park,
    record,
    // While it consults somebody before a transfer:
    abort,
    complete,
    three_way,
    swap
};

/// Which of them one party was granted: Dial's options, small letters for the called party.
struct DigitFeatures {
    bool transfer = false;      ///< t, T: blind and attended
    bool disconnect = false;    ///< h, H
    bool park = false;          ///< k, K
    bool record = false;        ///< w, W, x, X
    bool consultation = false;  ///< abort, complete, three_way and swap

    bool allow(Feature feature) const;
};

/// Finds feature codes in what a party dials. Digits that can become no code are forgotten; a code
/// that could still become a longer one counts after a pause (featuredigittimeout).
class FeatureDigits {
public:
    std::optional<Feature> press(char digit, const config::Features& codes,
                                 const DigitFeatures& granted);
    /// No digit has come for that long.
    std::optional<Feature> pause(const config::Features& codes, const DigitFeatures& granted);

private:
    std::string digits_;
};

/// The same for codes that are no features of ours: each press tells which of them is complete.
class CodeDigits {
public:
    std::optional<std::size_t> press(char digit, const std::vector<std::string_view>& codes);
    std::optional<std::size_t> pause(const std::vector<std::string_view>& codes);
    bool empty() const { return digits_.empty(); }

private:
    std::string digits_;
};

}  // namespace strowger::pbx
