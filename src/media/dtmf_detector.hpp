#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "base/time.hpp"
#include "media/g711.hpp"

namespace strowger::media {

/// Hears DTMF in 8 kHz audio by Goertzel filters (ITU-T Q.23, Q.24).
///
/// Accepts keys of 40 ms and more with pauses of 40 ms, twist of up to 4 dB (high group weaker)
/// and 8 dB (stronger), levels from about -35 dBm0, 1.5 % off frequency; refuses 3.5 % off, keys
/// shorter than 23 ms, and speech: nearly all the energy must lie in the two tones, and second
/// harmonics must not be there.
class DtmfDetector {
public:
    struct Key {
        char digit = 0;
        bool end = false;
        Duration duration{};  ///< at the end: how long it sounded, to about 13 ms
    };
    static constexpr std::size_t block = 102;  ///< samples: 12.75 ms, 78 Hz of resolution
    static constexpr std::size_t max_queued = 16;

    void process(std::span<const Sample> samples);
    bool poll(Key& key);  ///< what began and ended, in order
    void reset() { *this = {}; }

private:
    char classify() const;
    void finish_block();
    void push(const Key& key);

    struct Filter {
        double s1 = 0, s2 = 0;
    };
    std::array<Filter, 16> filters_{};  // 8 tones, 8 second harmonics
    double energy_ = 0;
    std::size_t filled_ = 0;
    char current_ = 0, candidate_ = 0;
    unsigned candidate_blocks_ = 0, missing_blocks_ = 0, held_blocks_ = 0;
    std::array<Key, max_queued> queue_{};
    std::size_t head_ = 0, queued_ = 0;
};

}  // namespace strowger::media
