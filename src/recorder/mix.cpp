#include "recorder/mix.hpp"

#include <algorithm>

namespace strowger::recorder {

void Lane::put(std::int64_t at, std::span<const Sample> samples) {
    if (at != next_in_) {
        if (next_in_ >= 0) flush();
        next_out_ = at * to_ / from_;
    }
    next_in_ = at + static_cast<std::int64_t>(samples.size());
    if (resampler_.is_identity()) return place(samples);
    converted_.clear();
    resampler_.process(samples, converted_);
    place(converted_);
}

void Lane::flush() {
    if (resampler_.is_identity()) return;
    converted_.clear();
    resampler_.flush(converted_);
    place(converted_);
}

void Lane::place(std::span<const Sample> samples) {
    const auto size = static_cast<std::int64_t>(samples.size());
    const std::int64_t at = next_out_;
    next_out_ += size;
    const std::int64_t skip = std::clamp<std::int64_t>(begin_ - at, 0, size);
    samples = samples.subspan(static_cast<std::size_t>(skip));
    if (samples.empty()) return;
    const auto from = static_cast<std::size_t>(at + skip - begin_);
    if (samples_.size() < from + samples.size()) samples_.resize(from + samples.size());
    std::ranges::copy(samples, samples_.begin() + static_cast<std::ptrdiff_t>(from));
}

void Lane::add(std::int64_t begin, std::int64_t until, std::span<std::int32_t> sums,
               std::size_t stride) {
    const auto have = begin_ + static_cast<std::int64_t>(samples_.size());
    for (std::int64_t at = std::max(begin, begin_); at < std::min(until, have); ++at)
        sums[static_cast<std::size_t>(at - begin) * stride] +=
            samples_[static_cast<std::size_t>(at - begin_)];
    const auto gone =
        std::clamp<std::int64_t>(until - begin_, 0, static_cast<std::int64_t>(samples_.size()));
    samples_.erase(samples_.begin(), samples_.begin() + gone);
    begin_ = std::max(begin_ + gone, until);
}

void Mix::put(unsigned party, std::uint32_t from, Duration at, std::span<const Sample> samples) {
    if (!begun_) begun_ = at;
    const auto place = (at - *begun_).count() / 1000 * from / 1'000'000;
    const auto in_mix = place * rate_ / from;
    if (in_mix > last_ + static_cast<std::int64_t>(seconds(max_silence)) * rate_) return;
    // What lies between is silence; handed over first, so that a lane never holds more than a
    // moment.
    last_ = std::max(last_, in_mix);
    hand_over(in_mix - static_cast<std::int64_t>(seconds(delay) * rate_));
    const auto lane = lanes_.try_emplace({party, from}, from, rate_, done_).first;
    channel_of_.try_emplace(party, static_cast<unsigned>(channel_of_.size()));
    lane->second.put(place, samples);
    last_ = std::max(last_, in_mix + static_cast<std::int64_t>(samples.size()) * rate_ / from);
}

void Mix::hand_over(std::int64_t until) {
    while (done_ < until) {
        const auto end = std::min(until, done_ + static_cast<std::int64_t>(rate_));
        sums_.assign(static_cast<std::size_t>(end - done_) * channels_, 0);
        for (auto& [key, lane] : lanes_)
            lane.add(done_, end, std::span(sums_).subspan(channel_of_.at(key.first) % channels_),
                     channels_);
        out_.resize(sums_.size());
        std::ranges::transform(sums_, out_.begin(), [](std::int32_t sum) {
            return static_cast<Sample>(std::clamp(sum, -32768, 32767));
        });
        done_ = end;
        write_(out_);
    }
}

}  // namespace strowger::recorder
