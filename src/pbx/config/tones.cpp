#include "pbx/config/tones.hpp"

#include <algorithm>

#include "pbx/config/option.hpp"
#include "pbx/config/sections.hpp"

namespace strowger::pbx::config {

namespace {

constexpr std::size_t max_tones = 256;        // items of a list; cadences have a dozen
constexpr unsigned max_frequency = 24'000;    // Hz; beyond what any codec carries
constexpr unsigned max_duration = 3'600'000;  // ms
constexpr std::size_t max_together = 8;       // frequencies at once

Result<unsigned> frequency_of(std::string_view text) {
    const auto number = parse_number<unsigned>(trim(text));
    if (!number || *number > max_frequency) return fail("'{}' is not a frequency", text);
    return *number;
}

Result<Tone> parse_tone(std::string_view item) {
    Tone tone;
    item = trim(item);
    if (item.starts_with('!')) {
        tone.once = true;
        item = trim(item.substr(1));
    }
    const auto [sound, duration] = split_once(item, '/');
    if (item.find('/') != std::string_view::npos) {
        const auto ms = parse_number<unsigned>(trim(duration));
        if (!ms || *ms > max_duration) return fail("'{}' is not a duration in ms", duration);
        tone.duration = *ms;
    }
    const auto [carrier, modulator] = split_once(sound, '*');
    if (!modulator.empty()) {
        const auto hz = frequency_of(modulator);
        if (!hz) return std::unexpected(hz.error());
        tone.modulation = *hz;
    }
    for (const auto part : split(carrier, '+')) {
        const auto hz = frequency_of(part);
        if (!hz) return std::unexpected(hz.error());
        if (tone.frequencies.size() == max_together)
            return fail("'{}' has too many tones at once", sound);
        tone.frequencies.push_back(*hz);
    }
    return tone;
}

}  // namespace

Result<std::vector<Tone>> parse_tones(std::string_view text) {
    std::vector<Tone> tones;
    for (const auto item : split(text, ',')) {
        if (tones.size() == max_tones) return fail("more than {} tones", max_tones);
        auto tone = parse_tone(item);
        if (!tone) return std::unexpected(tone.error().within(text));
        tones.push_back(std::move(*tone));
    }
    return tones;
}

std::string_view ToneZone::tone(std::string_view wanted) const {
    const auto found = tones.find(wanted);
    return found == tones.end() ? std::string_view{} : std::string_view(found->second);
}

// Bellcore GR-506: dial, busy, reorder, ringback, special information.
const ToneZone& Indications::built_in() {
    static const ToneZone zone{
        "us",
        "United States and Canada",
        {2000, 4000},
        {{"dial", "350+440"},
         {"busy", "480+620/500,0/500"},
         {"ring", "440+480/2000,0/4000"},
         {"congestion", "480+620/250,0/250"},
         {"callwaiting", "440/300,0/10000"},
         {"dialrecall", "!350+440/100,!0/100,!350+440/100,!0/100,!350+440/100,!0/100,350+440"},
         {"record", "1400/500,0/15000"},
         {"info", "!950/330,!1400/330,!1800/330,0"},
         {"stutter",
          "!350+440/100,!0/100,!350+440/100,!0/100,!350+440/100,!0/100,!350+440/100,!0/"
          "100,350+440"}}};
    return zone;
}

const ToneZone* Indications::zone(std::string_view wanted) const {
    const auto found = std::find_if(zones.begin(), zones.end(), [&](const ToneZone& zone) {
        return iequals(zone.name, wanted);
    });
    return found == zones.end() ? nullptr : &*found;
}

void read_indications(const ini::Document& document, Configuration& configuration) {
    auto& d = configuration.diagnostics;
    for (const auto* section : document.sections()) {
        if (iequals(section->name, "general")) {
            configuration.indications.country = section->get("country").value_or("us");
            continue;
        }
        ToneZone zone;
        zone.name = to_lower(section->name);
        for (const auto& entry : section->entries) {
            const auto complain = [&](std::string text) {
                d.warn(document.file(entry.place), entry.place.line,
                       fmt::format("{}: {}", entry.key, text));
            };
            if (iequals(entry.key, "description")) {
                zone.description = entry.value;
            } else if (iequals(entry.key, "ringcadence")) {
                for (const auto part : split(entry.value, ',')) {
                    const auto ms = parse_number<unsigned>(trim(part));
                    if (!ms || *ms > max_duration)
                        complain(fmt::format("'{}' is not a duration in ms", part));
                    else
                        zone.ringcadence.push_back(*ms);
                }
            } else if (auto tones = parse_tones(entry.value); !tones) {
                complain(tones.error().text());
            } else {
                zone.tones.insert_or_assign(to_lower(entry.key), std::string(entry.value));
            }
        }
        configuration.indications.zones.push_back(std::move(zone));
    }
}

}  // namespace strowger::pbx::config
