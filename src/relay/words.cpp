#include "relay/words.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"

namespace strowger::relay {

std::string plain_word(std::string_view word) {
    std::string plain(trim(word));
    for (char& c : plain) c = c == ' ' || c == '_' ? '-' : lower(c);
    return plain;
}

bool means_off(std::string_view plain) {
    constexpr std::array<std::string_view, 7> words{"off",      "no",    "none", "disable",
                                                    "disabled", "false", "0"};
    return std::ranges::find(words, plain) != words.end();
}

bool means_on(std::string_view plain) {
    constexpr std::array<std::string_view, 6> words{"on", "yes", "enable", "enabled", "true", "1"};
    return std::ranges::find(words, plain) != words.end();
}

}  // namespace strowger::relay
