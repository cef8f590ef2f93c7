#pragma once

#include "base/ini.hpp"
#include "pbx/config/configuration.hpp"
#include "pbx/dialplan/dialplan.hpp"
#include "pbx/sounds.hpp"

namespace strowger::pbx {

/// What a configuration and its dialplan name and nobody has, each a warning with its place: what
/// dialplan::lint finds, the contexts that endpoints and parking lots name, classes of music.
void lint(const config::Configuration& configuration, const dialplan::Dialplan& plan,
          ini::Diagnostics& diagnostics);

/// Prompts that are written out and that no file is found for. Apart from the rest, because files
/// may come later, and looking for them takes the disk.
void lint_sounds(const config::Configuration& configuration, const dialplan::Dialplan& plan,
                 const Sounds& sounds, ini::Diagnostics& diagnostics);

}  // namespace strowger::pbx
