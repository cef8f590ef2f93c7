#pragma once

#include <cstdint>
#include <span>

#include "base/time.hpp"

namespace strowger::media {

/// Tells speech from silence by loudness, frame by frame, and how long each has lasted.
///
/// The owner feeds what was heard; when nothing came it says how much time that was, which is
/// silence.
class TalkDetector {
public:
    static constexpr std::size_t frame = 160;  ///< samples: 20 ms

    explicit TalkDetector(int threshold) : threshold_(threshold) {}

    /// What one frame made of it.
    struct State {
        bool talking = false;
        Duration lasted{};  ///< of the talking or the silence, this frame included
        bool changed = false;
    };
    /// Calls `each(State)` for every whole frame; false ends it.
    template <typename Each>
    void feed(std::span<const std::int16_t> samples, Each&& each) {
        for (const auto sample : samples) {
            sum_ += sample < 0 ? -std::int64_t{sample} : sample;
            if (++count_ < frame) continue;
            const bool loud = sum_ >= std::int64_t{threshold_} * static_cast<std::int64_t>(frame);
            count_ = 0;
            sum_ = 0;
            if (!each(add(loud))) return;
        }
    }
    /// One frame's time in which nothing came.
    State pass() { return add(false); }

private:
    State add(bool talking) {
        const bool changed = talking != talking_;
        talking_ = talking;
        lasted_ = (changed ? Duration{} : lasted_) + std::chrono::milliseconds{20};
        return {talking_, lasted_, changed};
    }

    int threshold_;
    std::int64_t sum_ = 0;
    std::size_t count_ = 0;
    bool talking_ = false;
    Duration lasted_{};
};

}  // namespace strowger::media
