#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "pbx/dialplan/store.hpp"

namespace strowger::pbx {

/// What somebody says of himself, as PRESENCE_STATE() has it; kept in the Store.
struct PersonalPresence {
    std::string state = "not_set";  ///< or unavailable, available, away, xa, chat, dnd
    std::string subtype;
    std::string message;
    bool operator==(const PersonalPresence&) const = default;
};

/// The family of the Store, and before the colon in names.
inline constexpr std::string_view presence_family = "CustomPresence";
inline constexpr std::size_t max_presence_text = 4096;  ///< of subtype and message, each

/// Of "CustomPresence:alice"; nothing when the name is not of that form.
std::optional<PersonalPresence> personal_presence(dialplan::Store& store, std::string_view name);

/// Takes "away,lunch,Back at two" and with the option `e` behind that Base64 of the two texts.
Result<> set_personal_presence(dialplan::Store& store, std::string_view name,
                               std::string_view value);

}  // namespace strowger::pbx
