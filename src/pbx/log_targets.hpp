#pragma once

#include <string>

#include "base/events.hpp"
#include "pbx/config/configuration.hpp"

namespace strowger::pbx {

/// Opens what logger.conf asks for, and closes what it no longer does; the files are opened anew,
/// so that they can be rotated. Relative names lie below `astlogdir`, or `<state>/logs`.
void set_log_targets(const config::Configuration& config, const std::string& state_directory);

/// One line of the kinds `security` and `dtmf` for what happened, where a target wants it.
void log_event(const events::Event& event);

}  // namespace strowger::pbx
