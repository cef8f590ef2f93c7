#pragma once

#include <array>
#include <memory>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "media/engine.hpp"
#include "media/g711.hpp"

struct SpeexPreprocessState_;

namespace strowger::media {

/// Makes the sound of one direction louder or quieter, takes noise out of it, or brings speech to
/// one level, in place.
///
/// A gain alone is a table of the 256 codes of each law. Noise and level are done by
/// libspeexdsp over frames of 20 ms, and so only in packets of whole frames; others keep their
/// sound. It is made where memory may be allocated; `shape` allocates nothing.
class Shaper {
public:
    static constexpr float max_gain = 1000;  ///< 60 dB: from there on all is clipped anyway

    /// Null when there is nothing to be done.
    static Result<std::unique_ptr<Shaper>> make(const SoundSettings& settings);
    ~Shaper();
    Shaper(const Shaper&) = delete;
    Shaper& operator=(const Shaper&) = delete;

    void shape(g711::Law law, MutableBytes codes);

private:
    explicit Shaper(const SoundSettings& settings);

    bool amplifies_;
    SpeexPreprocessState_* speech_ = nullptr;
    std::array<std::array<std::uint8_t, 256>, 2> louder_{};  ///< by law
};

}  // namespace strowger::media
