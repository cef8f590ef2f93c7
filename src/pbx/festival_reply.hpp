#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/bytes.hpp"

namespace strowger::pbx {

/// What a festival server answers: "WV", "LP", "OK" or "ER" on a line each, and after the first two
/// something up to a key that ends it. Where the key occurs in it, an X is put in.
class FestivalReply {
public:
    static constexpr std::size_t max_size = 32u << 20;  ///< half an hour at 8 kHz

    enum class State { open, done, refused };

    /// Everything that has come up to the end. `refused`: ER before any sound, or too much.
    State feed(Bytes bytes);
    const std::string& waveform() const { return waveform_; }  ///< a WAV file

private:
    bool step();

    std::string waiting_, waveform_;
    std::size_t searched_ = 0;
    State state_ = State::open;
};

/// The command with the text in the place of "%s", quotes and backslashes in it escaped; "\\n" in
/// the command is a line break.
std::string festival_command(std::string_view command, std::string_view text);

}  // namespace strowger::pbx
