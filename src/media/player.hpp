#pragma once

#include <memory>
#include <span>
#include <variant>
#include <vector>

#include "media/g711.hpp"
#include "media/live_sound.hpp"
#include "media/tones.hpp"

namespace strowger::media {

/// A file decoded to samples; many players read the same one at once.
using Sound = std::vector<Sample>;

/// What is being played to one party, as a stream of samples.
class Player {
public:
    struct Sounds {
        std::vector<std::shared_ptr<const Sound>>
            sounds;  ///< shared with the cache and other players
        bool loop = false;
        std::size_t sound = 0;
        std::size_t sample = 0;  ///< from the beginning of that sound; at first, where to start
    };
    using Source = std::variant<Sounds, ToneGenerator, DtmfGenerator, std::shared_ptr<LiveSound>>;

    explicit Player(Source source) : source_(std::move(source)) {}

    /// Fills `out`; fewer at the end, then 0.
    std::size_t read(std::span<Sample> out);
    std::size_t samples_read() const { return read_; }

private:
    Source source_;
    std::size_t read_ = 0;
};

}  // namespace strowger::media
