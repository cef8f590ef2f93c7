#include "media/jitter_buffer.hpp"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace strowger::media {
namespace {

/// Nobody packs less than this into a packet of speech.
constexpr Duration shortest_packet = std::chrono::milliseconds{10};
/// Events and comfort noise that come between.
constexpr std::size_t others = 8;
/// How long a way stays in mind.
constexpr Duration span = std::chrono::seconds{5};
constexpr Duration shrink_step = std::chrono::milliseconds{1};
/// A sequence number that is further off is that of another stream.
constexpr int max_disorder = 3000;

std::int16_t distance(std::uint16_t from, std::uint16_t to) {
    return static_cast<std::int16_t>(static_cast<std::uint16_t>(to - from));
}

}  // namespace

JitterBuffer::JitterBuffer(const JitterSettings& settings) : settings_(settings) {
    const auto count = static_cast<std::size_t>(settings.max / shortest_packet) + others;
    store_.resize(count * max_datagram);
    slots_.resize(count);
    order_.reserve(count);
    for (std::size_t i = count; i-- > 0;) free_.push_back(static_cast<std::uint8_t>(i));
}

void JitterBuffer::begin(const rtp::Header& header, Time now) {
    dropped_ += order_.size();
    free_.insert(free_.end(), order_.begin(), order_.end());
    order_.clear();
    begun_ = true;
    released_any_ = false;
    ssrc_ = header.ssrc;
    last_timestamp_ = header.timestamp;
    position_ = 0;
    began_ = now;
    now_seen_ = before_seen_ = {};
    span_ends_ = now + span;
    delay_ = settings_.kind == JitterSettings::Kind::fixed
                 ? settings_.max
                 : std::min(settings_.target, settings_.max);
}

Time JitterBuffer::due(const rtp::Header& header, std::uint32_t clock_rate, Time now) {
    position_ += static_cast<std::int32_t>(header.timestamp - last_timestamp_);
    last_timestamp_ = header.timestamp;
    const Duration spoken = std::chrono::seconds{position_ / clock_rate} +
                            Duration{position_ % clock_rate * 1'000'000'000 / clock_rate};
    const Duration transit = now - began_ - spoken;
    if (now >= span_ends_) {
        before_seen_ = std::exchange(now_seen_, {});
        span_ends_ = now + span;
    }
    const Duration known = std::min(before_seen_.least, now_seen_.least);
    if (known != Duration::max() &&
        (transit - known > settings_.resync || known - transit > settings_.resync)) {
        begin(header, now);
        return due(header, clock_rate, now);  // nothing is known then
    }
    now_seen_.add(transit);
    const Duration least = std::min(before_seen_.least, now_seen_.least);
    const Duration most = std::max(before_seen_.most, now_seen_.most);
    if (settings_.kind == JitterSettings::Kind::adaptive) {
        const Duration wanted = std::min(most - least + settings_.target, settings_.max);
        delay_ = std::max(wanted, delay_ - shrink_step);
    }
    return began_ + spoken + least + delay_;
}

JitterBuffer::Verdict JitterBuffer::put(const rtp::Header& header, Bytes datagram, bool paces,
                                        std::uint32_t clock_rate, Time now) {
    if (datagram.size() > max_datagram) return Verdict::whole;
    if (!begun_ || header.ssrc != ssrc_ ||
        (released_any_ && std::abs(distance(released_, header.sequence)) > max_disorder))
        begin(header, now);
    if (released_any_ && distance(released_, header.sequence) <= 0) {
        // It still tells how long the way is.
        if (paces) (void)due(header, clock_rate, now);
        ++dropped_;
        return Verdict::late;
    }
    const Time when = paces ? due(header, clock_rate, now)
                            : std::max(now, order_.empty() ? now : slots_[order_.back()].due);
    if (free_.empty()) {
        ++dropped_;
        return Verdict::full;
    }
    const std::uint8_t slot = free_.back();
    free_.pop_back();
    slots_[slot] = {.sequence = header.sequence, .due = when, .length = datagram.size()};
    std::ranges::copy(datagram, bytes(slot, datagram.size()).begin());
    const auto place = std::ranges::find_if(
        order_.rbegin(), order_.rend(),
        [&](std::uint8_t other) { return distance(slots_[other].sequence, header.sequence) > 0; });
    order_.insert(place.base(), slot);
    return Verdict::kept;
}

Time JitterBuffer::deadline() const {
    return order_.empty() ? Time::max() : slots_[order_.front()].due;
}

MutableBytes JitterBuffer::take(Time now) {
    if (order_.empty() || slots_[order_.front()].due > now) return {};
    const std::uint8_t slot = order_.front();
    order_.erase(order_.begin());
    free_.push_back(slot);  // the next `put` may use it: not before
    released_any_ = true;
    released_ = slots_[slot].sequence;
    return bytes(slot, slots_[slot].length);
}

}  // namespace strowger::media
