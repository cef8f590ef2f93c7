#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.hpp"
#include "base/text.hpp"

namespace strowger::pbx::config {

/// One item of a tone list: `f[+f...][*f]/ms`, `!` before it plays it once.
struct Tone {
    std::vector<unsigned> frequencies;  ///< Hz, sounded together; 0 alone is silence
    unsigned modulation = 0;            ///< `f1*f2`: f1 modulated by f2; 0 none
    unsigned duration = 0;              ///< milliseconds; 0: for ever
    bool once = false;                  ///< skipped when the list repeats
};

/// "!350+440/100,0/200" taken apart.
Result<std::vector<Tone>> parse_tones(std::string_view text);

/// One country of indications.conf.
struct ToneZone {
    std::string name;
    std::string description;
    std::vector<unsigned> ringcadence;  ///< milliseconds on, off, ...
    /// dial, busy, ring, congestion, callwaiting, info, ...: the text as written.
    std::unordered_map<std::string, std::string, TextHash, std::equal_to<>> tones;

    std::string_view tone(std::string_view name) const;  ///< empty when there is none
};

/// indications.conf.
struct Indications {
    std::string country = "us";
    std::vector<ToneZone> zones;

    const ToneZone* zone(std::string_view country) const;
    /// The tones of North America, for those that no zone of the configuration has.
    static const ToneZone& built_in();
    const ToneZone* zone() const { return zone(country); }
};

}  // namespace strowger::pbx::config
