#pragma once

#include <memory>
#include <string>

#include "pbx/config/configuration.hpp"
#include "pbx/dialplan/dialplan.hpp"

namespace strowger::pbx {

/// A configuration directory with its dialplan, read but not in force.
struct LoadedConfiguration {
    std::shared_ptr<config::Configuration> config;  ///< its diagnostics are those of both
    std::shared_ptr<const dialplan::Dialplan> plan;
};

/// Reads the directory from the disk, whole. Look at `config->ok()` before using it.
LoadedConfiguration load_configuration(const std::string& directory);

}  // namespace strowger::pbx
