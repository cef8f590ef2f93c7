#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <span>

#include "media/g711.hpp"

namespace strowger::media {

/// Sound that comes while it is played: one thread puts samples in, a media thread takes them out.
/// Neither waits or allocates. What does not fit is dropped; what is missing is silence.
class LiveSound {
public:
    static constexpr std::size_t capacity = 1u << 14;  ///< samples: two seconds

    /// How many of them found room.
    std::size_t put(std::span<const Sample> samples) {
        const auto end = put_.load(std::memory_order_relaxed);
        const auto room = capacity - (end - taken_.load(std::memory_order_acquire));
        const auto count = std::min(samples.size(), room);
        for (std::size_t i = 0; i < count; ++i) ring_[(end + i) % capacity] = samples[i];
        put_.store(end + count, std::memory_order_release);
        return count;
    }
    std::size_t waiting() const {
        return put_.load(std::memory_order_acquire) - taken_.load(std::memory_order_acquire);
    }
    /// No more will come: it ends when what is there has been played.
    void close() { closed_.store(true, std::memory_order_release); }

    /// Fills `out`; 0 at the end.
    std::size_t take(std::span<Sample> out) {
        const bool closed = closed_.load(std::memory_order_acquire);
        const auto begin = taken_.load(std::memory_order_relaxed);
        const auto count = std::min(out.size(), put_.load(std::memory_order_acquire) - begin);
        for (std::size_t i = 0; i < count; ++i) out[i] = ring_[(begin + i) % capacity];
        taken_.store(begin + count, std::memory_order_release);
        if (count == 0 && closed) return 0;
        std::fill(out.begin() + static_cast<std::ptrdiff_t>(count), out.end(), Sample{0});
        return out.size();
    }

private:
    std::array<Sample, capacity> ring_{};
    std::atomic<std::size_t> put_ = 0, taken_ = 0;
    std::atomic<bool> closed_ = false;
};

}  // namespace strowger::media
