#pragma once

#include <string>
#include <string_view>

#include "base/time.hpp"
#include "wire/recording/metadata.hpp"

namespace strowger::recorder {

/// What the name of a recorded file is made of.
struct OutputName {
    std::string_view kind;   ///< `%t`: an SSRC, `mix`, or `mix-2`
    std::string_view label;  ///< `%l`: of the party
    WallTime begun{};
};

/// Longer names are cut: file systems take 255 bytes.
constexpr std::size_t max_output_name = 1024;
constexpr std::size_t max_name_part = 200;

/// A pattern as a path without extension: `%c` Call-ID, `%r` the recording's random tag, `%t`,
/// `%l`, `%Y %m %d %H %M %S` and `%u` (microseconds) of its beginning in local time, `%8` the first
/// eight characters of the Call-ID, `%{key}` a value of the metadata, `%%`. Slashes of the pattern
/// make directories; those of values, and control characters, become `_`.
std::string output_path(std::string_view pattern, const recording::Metadata& call,
                        const OutputName& name);

}  // namespace strowger::recorder
