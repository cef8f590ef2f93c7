#include "media/player.hpp"

#include <algorithm>

namespace strowger::media {
namespace {

std::size_t generate(Player::Sounds& list, std::span<Sample> out) {
    std::size_t filled = 0;
    bool any_this_pass = true;  // a list of empty files must not loop for ever
    while (filled < out.size()) {
        if (list.sound == list.sounds.size()) {
            if (!list.loop || !any_this_pass) break;
            list.sound = 0;
            any_this_pass = false;
        }
        const Sound& sound = *list.sounds[list.sound];
        if (list.sample >= sound.size()) {
            // Where to start may lie in a later one, or in a later round.
            any_this_pass |= !sound.empty();
            list.sample -= sound.size();
            ++list.sound;
            continue;
        }
        const std::size_t count = std::min(out.size() - filled, sound.size() - list.sample);
        std::copy_n(sound.begin() + static_cast<std::ptrdiff_t>(list.sample), count,
                    out.begin() + static_cast<std::ptrdiff_t>(filled));
        filled += count;
        list.sample += count;
        any_this_pass = true;
    }
    return filled;
}

std::size_t generate(std::shared_ptr<LiveSound>& sound, std::span<Sample> out) {
    return sound->take(out);
}

template <typename Generator>
std::size_t generate(Generator& generator, std::span<Sample> out) {
    return generator.generate(out);
}

}  // namespace

std::size_t Player::read(std::span<Sample> out) {
    const std::size_t count =
        std::visit([&](auto& source) { return generate(source, out); }, source_);
    read_ += count;
    return count;
}

}  // namespace strowger::media
