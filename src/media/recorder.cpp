#include "media/recorder.hpp"

#include <algorithm>
#include <cstdlib>

namespace strowger::media {

Recorder::Recorder(Config config, Write write, Finish finish)
    : config_(config), write_(std::move(write)), finish_(std::move(finish)) {}

void Recorder::hear(Voice voice, std::uint32_t timestamp, std::span<const Sample> samples,
                    Time now) {
    if (voice == Voice::others && !config_.both_directions) return;
    samples = samples.first(std::min(samples.size(), max_frame));
    if (config_.live) {
        if (voice == Voice::party) write_({samples.begin(), samples.end()});
        return;
    }
    Lane& lane = lanes_[static_cast<std::size_t>(voice)];
    const std::int64_t arrival = position(now);
    std::int64_t at = lane.origin + static_cast<std::int32_t>(timestamp - lane.timestamp);
    if (!lane.placed || std::abs(at - arrival) > max_skew) {
        at = arrival;
        lane.plc.reset();
        lane.next = at;
        lane.placed = true;
    }
    // Moved up with every packet, so that the 32-bit difference never overflows.
    lane.origin = at;
    lane.timestamp = timestamp;

    std::array<Sample, max_frame> frame;
    if (at < lane.next) {  // late: what was concealed is put right
        put(lane, at + static_cast<std::int64_t>(Plc::delay), samples);
        return;
    }
    const std::int64_t gap = at - lane.next;
    if (gap > max_gap) {
        lane.plc.reset();
    } else if (gap > 0) {
        const auto concealed = std::span(frame).first(static_cast<std::size_t>(gap));
        lane.plc.conceal(concealed);
        put(lane, lane.next, concealed);
    }
    const auto repaired = std::span(frame).first(samples.size());
    std::ranges::copy(samples, repaired.begin());
    lane.plc.received(repaired);
    put(lane, at, repaired);
    lane.next = at + static_cast<std::int64_t>(samples.size());
}

void Recorder::put(Lane& lane, std::int64_t at, std::span<const Sample> samples) {
    for (const Sample sample : samples) {
        if (at >= done_ && at < done_ + window)
            lane.samples[static_cast<std::size_t>(at % window)] = sample;
        ++at;
    }
}

std::optional<std::string_view> Recorder::tick(Time now) {
    if (!config_.live) hand_over(position(now) - delay);
    const auto samples_of = [](Duration d) {
        return static_cast<std::int64_t>(seconds(d) * static_cast<double>(rate));
    };
    if (config_.max_duration > Duration::zero() &&
        position(now) >= samples_of(config_.max_duration))
        return "max-duration";
    if (config_.max_silence > Duration::zero() && silent_ >= samples_of(config_.max_silence))
        return "silence";
    return std::nullopt;
}

void Recorder::finish(Time now, std::string_view reason) {
    if (config_.live) {
        finish_(now - start_, reason);
        return;
    }
    std::int64_t end = position(now);
    if (config_.max_duration > Duration::zero()) {
        const auto limit = static_cast<std::int64_t>(seconds(config_.max_duration) * double{rate});
        end = std::min(end, std::max(limit, done_));
    }
    hand_over(end);
    finish_(std::chrono::nanoseconds(done_ * 1'000'000'000 / static_cast<std::int64_t>(rate)),
            reason);
}

void Recorder::hand_over(std::int64_t until) {
    if (until <= done_) return;
    std::vector<Sample> chunk(static_cast<std::size_t>(until - done_));
    std::int64_t magnitude = 0;
    for (Sample& out : chunk) {
        int sum = 0;
        // Beyond the window nothing was put; the thread must have slept for a second.
        for (Lane& lane : lanes_)
            sum += std::exchange(lane.samples[static_cast<std::size_t>(done_ % window)], Sample{0});
        out = static_cast<Sample>(std::clamp(sum, -32768, 32767));
        magnitude += std::abs(int{out});
        ++done_;
    }
    const auto size = static_cast<std::int64_t>(chunk.size());
    silent_ = magnitude < size * silence_level ? silent_ + size : 0;
    write_(std::move(chunk));
}

std::int64_t Recorder::position(Time now) const {
    return (now - start_).count() / (1'000'000'000 / static_cast<std::int64_t>(rate));
}

}  // namespace strowger::media
