#include "media/lane.hpp"

#include <algorithm>
#include <utility>

namespace strowger::media {

void Lane::put(std::uint32_t timestamp, std::span<const Sample> samples) {
    samples = samples.first(std::min(samples.size(), max_frame));
    const auto size = static_cast<std::int64_t>(samples.size());
    if (!placed_) place(timestamp);
    std::int64_t position = origin_ + static_cast<std::int32_t>(timestamp - timestamp_);
    if (position < read_ && position + size <= real_end_) return;  // out of order, and too late
    if (position < read_ || position > read_ + max_ahead) {
        place(timestamp);
        position = origin_;
    }
    // Moved up with every packet, so that the 32-bit difference never overflows.
    origin_ = position;
    timestamp_ = timestamp;

    if (position < next_) {  // what was concealed is put right
        store(position, samples);
    } else {
        conceal(position);
        if (position > next_) plc_.reset();
        std::array<Sample, max_frame> frame;
        const auto repaired = std::span(frame).first(samples.size());
        std::ranges::copy(samples, repaired.begin());
        plc_.received(repaired);
        store(position, repaired);
    }
    real_end_ = std::max(real_end_, position + size);
    next_ = std::max(next_, position + size);
}

bool Lane::take(std::span<Sample> out) {
    const auto size = static_cast<std::int64_t>(out.size());
    if (placed_ && read_ + size > next_) conceal(read_ + size);
    const bool any = read_ < next_;
    if (any)
        for (Sample& sample : out) sample = std::exchange(at(read_++), Sample{0});
    else
        std::ranges::fill(out, Sample{0});
    if (!any) read_ += size;
    watch_depth(size);
    return any;
}

void Lane::clear() {
    erase(read_, next_);
    placed_ = false;
    next_ = real_end_ = read_;
    plc_.reset();
}

void Lane::place(std::uint32_t timestamp) {
    const std::int64_t position = read_ + delay;
    erase(position, next_);
    timestamp_ = timestamp;
    origin_ = next_ = real_end_ = position;
    plc_.reset();
    placed_ = true;
    least_depth_ = window;
    watched_ = 0;
}

// Samples before `read_` were missed; those that would overtake themselves cannot be: a packet
// begins within `max_ahead` and is no longer than `max_frame`.
void Lane::store(std::int64_t position, std::span<const Sample> samples) {
    static_assert(max_ahead + static_cast<std::int64_t>(max_frame) + delay < window);
    for (const Sample sample : samples) {
        if (position >= read_) at(position) = sample;
        ++position;
    }
}

// What is missing from `next_` on, as far as it can be made up.
void Lane::conceal(std::int64_t until) {
    until = std::min(until, real_end_ + max_gap);
    if (next_ >= until || real_end_ + max_gap <= next_) return;
    std::array<Sample, max_frame> frame;
    const auto gap = std::span(frame).first(
        static_cast<std::size_t>(std::min(until - next_, static_cast<std::int64_t>(max_frame))));
    plc_.conceal(gap);
    store(next_, gap);
    next_ += static_cast<std::int64_t>(gap.size());
}

void Lane::erase(std::int64_t from, std::int64_t until) {
    for (from = std::max(from, read_); from < until; ++from) at(from) = 0;
}

// The speaker's clock may be the faster one: then what waits here grows and grows.
void Lane::watch_depth(std::int64_t taken) {
    if (!placed_) return;
    // A pause says nothing of the clocks.
    if (read_ <= real_end_) least_depth_ = std::min(least_depth_, real_end_ - read_);
    watched_ += taken;
    if (watched_ < patience) return;
    if (least_depth_ < window && least_depth_ > delay + tolerance) {
        erase(read_, read_ + correction);
        read_ += correction;
    }
    least_depth_ = window;
    watched_ = 0;
}

}  // namespace strowger::media
