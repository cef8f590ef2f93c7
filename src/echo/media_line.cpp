#include "echo/media_line.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace strowger::echo {

std::vector<std::uint32_t> announced_sources(const sdp::Media& media) {
    std::vector<std::uint32_t> found;
    for (const auto& attribute : media.attributes) {
        if (attribute.name != "ssrc") continue;
        const auto ssrc = parse_number<std::uint32_t>(split_once(attribute.value, ' ').first);
        if (!ssrc || std::ranges::find(found, *ssrc) != found.end()) continue;
        if (found.size() == max_announced_sources) break;
        found.push_back(*ssrc);
    }
    return found;
}

std::optional<std::uint8_t> extension_id(const sdp::Media& media, std::string_view uri) {
    for (const auto& attribute : media.attributes) {
        if (attribute.name != "extmap") continue;
        const auto [key, rest] = split_once(attribute.value, ' ');
        if (split_once(trim(rest), ' ').first != uri) continue;
        const auto [number, direction] = split_once(key, '/');
        const auto id = parse_number<std::uint8_t>(number);
        // RFC 8285 section 5: 15 is no id of the short form, 0 of none.
        if (!id || *id == 0 || *id == 15) continue;
        if (direction.empty() || direction == "sendrecv") return id;
    }
    return std::nullopt;
}

bool has_feedback(const sdp::Media& media, std::uint8_t type, std::string_view feedback) {
    return std::ranges::any_of(media.attributes, [&](const sdp::Attribute& attribute) {
        if (attribute.name != "rtcp-fb") return false;
        const auto [format, value] = split_once(attribute.value, ' ');
        const bool fits = format == "*" || parse_number<std::uint8_t>(format) == type;
        return fits && trim(value) == feedback;
    });
}

}  // namespace strowger::echo
