#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ini.hpp"
#include "base/result.hpp"
#include "recorder/settings.hpp"

namespace strowger::recorder {

/// Where the options come from besides the command line.
struct Surroundings {
    ini::FileSource& files;
    std::function<const char*(const char* name)> environment;
};

struct Configured {
    Settings settings;
    std::vector<std::string> ignored;  ///< options without meaning here
    bool wants_help = false, wants_version = false;
};

/// Reads the command line, then the environment (RTPENGINE_RECORDING_NAME) and the configuration
/// file, which give what it leaves open. `arguments` without the program's name.
Result<Configured> configure(std::span<const std::string> arguments, const Surroundings& around);

std::string help_text();

}  // namespace strowger::recorder
