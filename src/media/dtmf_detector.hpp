#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "base/time.hpp"
#include "media/g711.hpp"

namespace strowger::media {

/// Hears DTMF in 8 kHz audio by Goertzel filters (ITU-T Q.23, Q.24).
///
/// Accepts keys of 40 ms and more with pauses of 40 ms, gaps of 10 ms within a key, levels from
/// about -36 dBm0, the high group up to 8 dB weaker and 6 dB stronger, 1.5 % off frequency. Refuses
/// keys shorter than 23 ms, 3.5 % off frequency, and speech: most of the energy must lie in the two
/// tones, their second harmonics must be absent and their phases must advance as tones' do.
class DtmfDetector {
public:
    struct Key {
        char digit = 0;
        bool end = false;
        Duration duration{};  ///< at the end: how long it sounded, to about 10 ms
    };
    static constexpr std::size_t block = 80;  ///< samples: 10 ms; 40 ms hold three whole ones
    static constexpr std::size_t max_queued = 16;

    void process(std::span<const Sample> samples);
    bool poll(Key& key);                             ///< what began and ended, in order
    bool sounding() const { return current_ != 0; }  ///< a key is held down now
    void reset() { *this = {}; }

private:
    struct Filter {
        double s1 = 0, s2 = 0;
    };
    struct Phases {
        double low = 0, high = 0;
    };

    char classify(Phases& phases) const;
    bool steady(char digit, const Phases& phases) const;
    void finish_block();
    void push(const Key& key);

    std::array<Filter, 16> filters_{};  // eight tones, then their second harmonics
    double energy_ = 0;
    std::size_t filled_ = 0;
    char current_ = 0, candidate_ = 0;
    Phases phases_;  // of the last block
    unsigned candidate_blocks_ = 0, missing_blocks_ = 0;
    std::uint32_t held_blocks_ = 0;
    std::array<Key, max_queued> queue_{};
    std::size_t head_ = 0, queued_ = 0;
};

}  // namespace strowger::media
