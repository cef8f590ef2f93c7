#pragma once

#include <string>
#include <string_view>

namespace strowger::relay {

/// A key, flag or value as it is compared: lower case, with hyphens where control modules write
/// spaces, underscores or hyphens.
std::string plain_word(std::string_view word);

/// The words by which control modules say yes and no.
bool means_off(std::string_view plain);
bool means_on(std::string_view plain);

}  // namespace strowger::relay
