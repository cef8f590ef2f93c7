#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ini.hpp"
#include "base/result.hpp"
#include "relay/settings.hpp"

namespace strowger::relay {

/// One option of the relay, the same on the command line, in the configuration file and, as
/// RTPENGINE_NAME, in the environment.
struct Option {
    std::string_view name;
    char letter = 0;  ///< 0: none
    bool flag = false;
    /// Null: accepted so that a configuration of rtpengine is, and without meaning here.
    Result<> (*set)(Settings&, std::string_view value) = nullptr;
    std::string_view help = {};
};
std::span<const Option> options();

/// Where the options come from besides the command line.
struct Surroundings {
    ini::FileSource& files;
    std::function<const char*(const char* name)> environment;
};

struct Configured {
    Settings settings;
    std::vector<std::string> ignored;  ///< options without meaning here, each once
    bool wants_help = false, wants_version = false, wants_codecs = false;
};

/// Reads the command line, then the environment and the configuration file, which give what it
/// leaves open. `arguments` without the program's name.
Result<Configured> configure(std::span<const std::string> arguments, const Surroundings& around);

std::string help_text();

}  // namespace strowger::relay
