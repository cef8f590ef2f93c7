// Keys as requests name them, and what stands in place of those that are blocked.
#include <algorithm>

#include "base/text.hpp"
#include "relay/call.hpp"
#include "wire/rtp/telephone_event.hpp"

namespace strowger::relay {

std::optional<std::uint8_t> key_named(std::string_view code) {
    constexpr unsigned last = 15;  // D
    const auto number = parse_number<unsigned>(code);
    if (number && (code.size() > 1 || *number < 10))
        return *number <= last ? std::optional(static_cast<std::uint8_t>(*number)) : std::nullopt;
    if (code.size() != 1) return std::nullopt;
    const auto event = rtp::event_of(static_cast<char>(std::toupper(code[0])));
    return event && *event <= last ? event : std::nullopt;
}

media::Recoder::Keys keys_in_place(const Request& request) {
    using Mode = media::Recoder::Keys::Mode;
    media::Recoder::Keys keys;
    if (request.frequency > 0)
        keys.frequency = static_cast<unsigned>(std::clamp(request.frequency, 50L, 3400L));
    if (request.volume != 0)
        keys.volume = static_cast<unsigned>(std::min(std::abs(request.volume), 63L));
    switch (request.key_security.value_or(KeySecurity::drop)) {
        case KeySecurity::off:
        case KeySecurity::drop: break;
        case KeySecurity::silence: keys.mode = Mode::silence; break;
        case KeySecurity::tone: keys.mode = Mode::tone; break;
        case KeySecurity::random: keys.mode = Mode::random; break;
        case KeySecurity::zero: keys.mode = Mode::event; break;
        case KeySecurity::digit:
            keys.mode = Mode::event;
            keys.event = key_named(request.code).value_or(0);
            break;
    }
    return keys;
}

}  // namespace strowger::relay
