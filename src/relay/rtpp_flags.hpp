#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace strowger::relay {

/// What nests deeper than this is no list of flags but an attack; `codec=[strip=[…]]` has two.
constexpr std::size_t max_flags_depth = 8;
constexpr std::size_t max_flags_size = 64 << 10;

/// The flags that a control module may send as one string (`rtpp_flags`): words by spaces,
/// `key=value`, and lists and dictionaries in square brackets, as in
/// `replace-origin codec=[transcode=[PCMA opus] strip=[EVS]] rtcp-mux=[offer require]`. Within
/// values `--` stands for `=` and `..` for a space.
///
/// The result is the same as a bencode dictionary: keys with their values, and the words without
/// value as the list `flags`.
Result<std::string> flags_document(std::string_view text);

}  // namespace strowger::relay
