#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "base/time.hpp"
#include "media/resampler.hpp"

namespace strowger::recorder {

using media::Sample;

/// One party's voice in samples of one rate, wherever its pieces belong on the time line.
class Lane {
public:
    /// `begin`: what lies before that sample (of `to`) has been handed over.
    Lane(std::uint32_t from, std::uint32_t to, std::int64_t begin)
        : from_(from), to_(to), resampler_(from, to), begin_(begin) {}

    /// Samples that begin at that place, counted in samples of the rate `from`. What was there
    /// before is replaced; what has been handed over stays.
    void put(std::int64_t at, std::span<const Sample> samples);
    /// Adds what lies before `until` (in samples of `to`) to `sums`, whose first is sample `begin`,
    /// every `stride`th; and forgets it.
    void add(std::int64_t begin, std::int64_t until, std::span<std::int32_t> sums,
             std::size_t stride);

private:
    void place(std::span<const Sample> samples);
    void flush();

    std::uint32_t from_, to_;
    media::Resampler resampler_;
    std::int64_t next_in_ = -1, next_out_ = 0;  // where the next samples lie, if none is missing
    std::int64_t begin_;                        // of samples_
    std::vector<Sample> samples_, converted_;
};

/// All parties of a call on one time line that begins with the first sample of anybody: mixed into
/// one channel, or each in a channel of its own. There is no limit on parties; where they outnumber
/// the channels, they share them.
class Mix {
public:
    /// How far behind the newest voice the mix ends: a party whose packets stall for so long is
    /// still heard. With what Arrivals waits, a crash of everything loses less than a second.
    static constexpr Duration delay = std::chrono::milliseconds{550};
    /// A call is not silent for longer, and then goes on.
    static constexpr Duration max_silence = std::chrono::hours{12};

    /// Gets the mix, interleaved, in order, at most a second at a time.
    using Write = std::function<void(std::span<const Sample>)>;

    Mix(std::uint32_t rate, unsigned channels, Write write)
        : rate_(rate), channels_(channels), write_(std::move(write)) {}

    /// What a party said at that time; `from` is the rate of its samples.
    void put(unsigned party, std::uint32_t from, Duration at, std::span<const Sample> samples);
    /// Nothing comes any more: hands over the rest.
    void finish() { hand_over(last_); }

    /// When the first sample was spoken; nothing before there is one.
    std::optional<Duration> begun() const { return begun_; }

private:
    void hand_over(std::int64_t until);

    std::uint32_t rate_;
    unsigned channels_;
    Write write_;
    std::optional<Duration> begun_;
    std::int64_t done_ = 0, last_ = 0;  // samples handed over; where the last of anybody ends
    std::map<std::pair<unsigned, std::uint32_t>, Lane> lanes_;  // by party and rate
    std::map<unsigned, unsigned> channel_of_;
    std::vector<std::int32_t> sums_;
    std::vector<Sample> out_;
};

}  // namespace strowger::recorder
