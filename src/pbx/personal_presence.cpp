#include "pbx/personal_presence.hpp"

#include <algorithm>
#include <array>

#include "base/base64.hpp"
#include "base/bytes.hpp"
#include "base/text.hpp"
#include "pbx/option_letters.hpp"

namespace strowger::pbx {

namespace {

constexpr std::array<std::string_view, 7> states{"not_set", "unavailable", "available", "away",
                                                 "xa",      "chat",        "dnd"};

std::optional<std::string_view> key_of(std::string_view name) {
    const auto [family, key] = split_once(name, ':');
    if (!iequals(family, presence_family) || key.empty()) return std::nullopt;
    return key;
}

Result<std::string> decoded(std::string_view text) {
    const auto bytes = from_base64(text);
    if (!bytes) return fail("'{}' is no Base64", text);
    return std::string(bytes->begin(), bytes->end());
}

Result<PersonalPresence> parse(std::string_view value) {
    const auto [state, rest] = split_once(value, ',');
    const auto [subtype, more] = split_once(rest, ',');
    // The message may hold commas; only a last argument of `e` alone is the option.
    std::string_view message = more;
    bool encoded = false;
    if (const auto comma = more.rfind(','); comma != std::string_view::npos)
        if (trim(more.substr(comma + 1)) == "e") {
            encoded = true;
            message = more.substr(0, comma);
        }
    PersonalPresence presence{to_lower(trim(state)), std::string(trim(subtype)),
                              std::string(trim(message))};
    if (std::ranges::find(states, presence.state) == states.end())
        return fail("'{}' is no presence: not_set, unavailable, available, away, xa, chat or dnd",
                    state);
    if (presence.subtype.size() > max_presence_text || presence.message.size() > max_presence_text)
        return fail("more than {} bytes of text", max_presence_text);
    if (!encoded) return presence;
    for (auto* text : {&presence.subtype, &presence.message}) {
        auto plain = decoded(*text);
        if (!plain) return std::unexpected(plain.error());
        *text = std::move(*plain);
    }
    return presence;
}

}  // namespace

std::optional<PersonalPresence> personal_presence(dialplan::Store& store, std::string_view name) {
    const auto key = key_of(name);
    if (!key) return std::nullopt;
    const auto kept = store.get(presence_family, *key);
    auto presence = kept ? parse(*kept) : PersonalPresence{};
    return presence ? std::move(*presence) : PersonalPresence{};
}

Result<> set_personal_presence(dialplan::Store& store, std::string_view name,
                               std::string_view value) {
    const auto key = key_of(name);
    if (!key) return fail("'{}' cannot be set, only CustomPresence:name", name);
    const auto presence = parse(value);
    if (!presence) return std::unexpected(presence.error());
    // As Base64, so that no text can be taken for a separator.
    std::string kept = presence->state + ',';
    kept += to_base64(as_bytes(presence->subtype), Padding::written) + ',';
    kept += to_base64(as_bytes(presence->message), Padding::written) + ",e";
    if (!store.put(presence_family, *key, kept)) return fail("'{}' could not be stored", name);
    return {};
}

}  // namespace strowger::pbx
