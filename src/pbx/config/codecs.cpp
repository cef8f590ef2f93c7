#include "pbx/config/codecs.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"

namespace strowger::pbx::config {

const std::vector<std::string_view>& known_codecs() {
    static const std::vector<std::string_view> names{
        "ulaw",   "alaw",    "g722",    "opus",    "slin",    "slin12", "slin16", "slin24",
        "slin32", "slin44",  "slin48",  "slin96",  "slin192", "gsm",    "g726",   "g726aal2",
        "adpcm",  "speex",   "speex16", "speex32", "lpc10",   "g729",   "g723",   "ilbc",
        "siren7", "siren14", "g719",    "codec2",  "silk8",   "silk12", "silk16", "silk24",
        "amr",    "amrwb",   "testlaw", "h261",    "h263",    "h263p",  "h264",   "h265",
        "mpeg4",  "vp8",     "vp9",     "jpeg",    "png",     "red",    "t140"};
    return names;
}

namespace {

void remove(std::vector<std::string>& codecs, std::string_view name) {
    if (iequals(name, "all"))
        codecs.clear();
    else
        std::erase_if(codecs, [&](const auto& codec) {
            return iequals(split_once(codec, ':').first, split_once(name, ':').first);
        });
}

Result<> add(std::vector<std::string>& codecs, std::string_view name) {
    const auto& known = known_codecs();
    if (iequals(name, "all")) {
        codecs.assign(known.begin(), known.end());
        return {};
    }
    // "ulaw:20" gives a packet time with the name; "g723.1" is how the codec is usually written.
    auto [plain, time] = split_once(name, ':');
    const auto milliseconds = parse_number<unsigned>(time);
    if (name.find(':') != std::string_view::npos &&
        (!milliseconds || *milliseconds == 0 || *milliseconds > max_packet_time))
        return fail("expected a packet time of 1 to {} ms, got '{}'", max_packet_time, name);
    if (iequals(plain, "g723.1")) plain = "g723";
    if (std::none_of(known.begin(), known.end(),
                     [&](auto codec) { return iequals(codec, plain); })) {
        const auto near = nearest(plain, known);
        return near ? fail("unknown codec '{}' (did you mean '{}'?)", name, *near)
                    : fail("unknown codec '{}'", name);
    }
    remove(codecs, plain);
    codecs.push_back(to_lower(plain) + (milliseconds ? fmt::format(":{}", *milliseconds) : ""));
    return {};
}

}  // namespace

Result<> apply_codecs(std::vector<std::string>& codecs, std::string_view value, bool allow) {
    for (auto name : split(value, ',')) {
        name = trim(name);
        const bool negated = name.starts_with('!');
        if (negated) name = trim(name.substr(1));
        if (name.empty()) continue;
        if (allow == negated)
            remove(codecs, name);
        else if (auto added = add(codecs, name); !added)
            return added;
    }
    return {};
}

}  // namespace strowger::pbx::config
