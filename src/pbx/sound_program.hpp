#pragma once

#include <string>
#include <vector>

namespace strowger::pbx {

/// A program whose standard output is sound, 8000 samples a second and one channel.
struct SoundProgram {
    enum class Format { linear, ulaw, alaw };  ///< linear: 16 bit, in this machine's byte order
    std::vector<std::string> arguments;        ///< the program first
    Format format = Format::linear;
    bool again = false;  ///< started anew when it ends
};

}  // namespace strowger::pbx
