#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "media/g711.hpp"
#include "media/plc.hpp"

namespace strowger::media {

/// One voice on its way into a mix: put in as its packets come, taken out as the mix's clock wants
/// it. Both ends run by 8000 samples a second; a mix of another rate would resample here.
///
/// What is put lies where its timestamps say, `delay` after what is taken at that moment, so that
/// packets may come late by as much. A gap is concealed for `max_gap`, then it is silence. When
/// packets come too late or pile up, the voice is placed anew; when the two clocks drift apart,
/// a few samples are left out. Allocates nothing.
class Lane {
public:
    static constexpr std::int64_t delay = 320;  ///< samples: 40 ms, two packets

    void put(std::uint32_t timestamp, std::span<const Sample> samples);

    /// The next samples. False when they are all silence because nothing was put.
    bool take(std::span<Sample> out);

    /// Forgets what was put.
    void clear();

private:
    static constexpr std::int64_t window = 4096;     // 512 ms; a power of two
    static constexpr std::int64_t max_ahead = 1600;  // 200 ms: what piles up beyond is delay only
    static constexpr std::int64_t max_gap = 480;     // 60 ms: what can be concealed
    static constexpr std::size_t max_frame = 800;    // 100 ms: no phone packs more into one packet
    static constexpr std::int64_t patience = 16000;  // 2 s over which the least depth is looked at
    static constexpr std::int64_t tolerance = 160;   // more than `delay` by this, always: drift
    static constexpr std::int64_t correction = 80;   // 10 ms left out at a time

    Sample& at(std::int64_t position) {
        return samples_[static_cast<std::size_t>(position & (window - 1))];
    }
    void place(std::uint32_t timestamp);
    void store(std::int64_t position, std::span<const Sample> samples);
    void conceal(std::int64_t until);
    void erase(std::int64_t from, std::int64_t until);
    void watch_depth(std::int64_t taken);

    bool placed_ = false;
    std::uint32_t timestamp_ = 0;  // of the sample at `origin_`
    std::int64_t origin_ = 0;
    std::int64_t read_ = 0;      // what is taken next
    std::int64_t next_ = 0;      // where the next packet in order begins, concealed or not
    std::int64_t real_end_ = 0;  // the end of the newest packet
    std::int64_t least_depth_ = 0, watched_ = 0;
    Plc plc_;
    std::array<Sample, window> samples_{};  // silence wherever nothing was put
};

}  // namespace strowger::media
