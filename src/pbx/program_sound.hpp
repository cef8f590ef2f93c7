#pragma once

#include <memory>

#include "media/live_sound.hpp"
#include "pbx/core.hpp"
#include "pbx/sound_program.hpp"

namespace strowger::pbx {

/// Starts the program, and puts what it says into the sound that is returned, for as long as
/// anybody holds that: then the program is killed. When the program ends by itself the sound does
/// as well, unless it is to be started `again`. A program that is faster than its sound is stopped
/// meanwhile.
std::shared_ptr<media::LiveSound> play_program(Core& core, SoundProgram program);

}  // namespace strowger::pbx
