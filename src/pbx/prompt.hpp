#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/task.hpp"
#include "pbx/channel.hpp"

namespace strowger::pbx {

// What applications that speak to a caller and listen for digits have in common.

/// Sound files by the names that dialplans use.
struct Prompts {
    std::vector<std::string> paths;
    bool complete = true;  ///< every name was found
};

/// "welcome&menu" in the given language, or the channel's. Names without a file are reported and
/// left out.
Prompts find_prompts(Channel& channel, std::string_view names, std::string_view language = {});

/// Lets the far end hear us: answers it, or opens early media only. False: it cannot, or is gone.
Task<bool> open_media(Channel& channel, bool answer = true);

/// Digits dialled into a context, beginning with those already there: waits for more as long as a
/// longer number could match, each for the channel's digit timeout.
Task<std::string> collect_extension(Channel& channel, std::string context, std::string digits);

/// Seconds as dialplans write them, "1.5"; nothing when it is no number, or negative. Bounded to
/// what a timer can hold.
std::optional<Duration> parse_seconds(std::string_view text);
std::optional<Duration> parse_milliseconds(std::string_view text);

/// Argument `index`, or "".
std::string_view argument(const std::vector<std::string>& arguments, std::size_t index);

inline constexpr std::size_t max_prompts =
    256;  ///< names in one argument; what exceeds is left out

}  // namespace strowger::pbx
