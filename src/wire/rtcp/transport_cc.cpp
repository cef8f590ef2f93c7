#include "wire/rtcp/transport_cc.hpp"

#include <algorithm>

#include "wire/rtcp/packet.hpp"

namespace strowger::rtcp {

namespace {

constexpr std::uint8_t format = 15;
constexpr Duration unit = std::chrono::microseconds{250};
constexpr std::int64_t reference_units = 256;  ///< 64 ms
constexpr std::size_t head_size = 20;          ///< up to the first chunk
constexpr std::size_t vector_length = 7;       ///< symbols of two bits in a chunk
constexpr std::size_t max_run = 0x1fff;

std::int64_t in_units(Time at) { return at.time_since_epoch() / unit; }

}  // namespace

void TransportFeedback::received(std::uint16_t number, Time now) {
    if (!newest_) newest_ = number;
    const auto ahead = static_cast<std::int16_t>(number - static_cast<std::uint16_t>(*newest_));
    const std::int64_t counted = *newest_ + ahead;
    if (ahead > max_gap || ahead < -std::int32_t{max_gap}) {
        arrivals_.clear();
        next_.reset();
        newest_ = counted;
    }
    newest_ = std::max(*newest_, counted);
    if (next_ && counted < *next_) return;  // told to be missing
    if (arrivals_.size() < max_packets) arrivals_.push_back({counted, now});
    if (deadline_ == Time::max()) deadline_ = now + interval;
    if (arrivals_.size() == max_packets) deadline_ = now;
}

/// Symbols and deltas of what came; `reference` is in units of 64 ms.
void TransportFeedback::collect(std::int64_t& reference) {
    std::ranges::stable_sort(arrivals_, {}, &Arrival::number);
    const auto [first, last] = std::ranges::unique(arrivals_, {}, &Arrival::number);
    arrivals_.erase(first, last);
    std::int64_t number = next_.value_or(arrivals_.front().number);
    reference = in_units(arrivals_.front().at) / reference_units;
    std::int64_t before = reference * reference_units;
    symbols_.clear();
    deltas_.clear();
    for (const auto& arrival : arrivals_) {
        for (; number < arrival.number; ++number) symbols_.push_back(missing);
        const auto delta = std::clamp<std::int64_t>(in_units(arrival.at) - before, -32768, 32767);
        before += delta;
        symbols_.push_back(delta >= 0 && delta <= 255 ? small : large);
        deltas_.push_back(static_cast<std::int16_t>(delta));
        ++number;
    }
}

// Runs of one symbol where there are any, else seven symbols of two bits.
void TransportFeedback::append_chunks() {
    chunks_.clear();
    for (std::size_t at = 0; at < symbols_.size();) {
        const auto symbol = symbols_[at];
        std::size_t run = 1;
        while (at + run < symbols_.size() && run < max_run && symbols_[at + run] == symbol) ++run;
        if (run >= vector_length) {
            chunks_.push_back(static_cast<std::uint16_t>(symbol << 13 | run));
            at += run;
            continue;
        }
        std::uint16_t chunk = 0xc000;
        for (std::size_t i = 0; i < vector_length && at < symbols_.size(); ++i, ++at) {
            chunk |= static_cast<std::uint16_t>(symbols_[at] << (12 - 2 * i));
        }
        chunks_.push_back(chunk);
    }
}

std::size_t TransportFeedback::write(MutableBytes out, std::uint32_t sender, std::uint32_t media) {
    deadline_ = Time::max();
    if (arrivals_.empty()) return 0;
    std::int64_t reference = 0;
    collect(reference);
    append_chunks();
    const auto base = static_cast<std::uint16_t>(next_.value_or(arrivals_.front().number));
    next_ = arrivals_.back().number + 1;
    arrivals_.clear();
    std::size_t size = head_size + chunks_.size() * 2;
    for (const auto symbol : symbols_) size += symbol;  // as many bytes as its number says
    const std::size_t padding = (4 - size % 4) % 4;
    if (size + padding > out.size()) return 0;
    out[0] = 0x80 | format;
    out[1] = static_cast<std::uint8_t>(Type::transport_feedback);
    store16(out, 2, static_cast<std::uint16_t>((size + padding) / 4 - 1));
    store32(out, 4, sender);
    store32(out, 8, media);
    store16(out, 12, base);
    store16(out, 14, static_cast<std::uint16_t>(symbols_.size()));
    store32(out, 16, static_cast<std::uint32_t>(reference << 8) | count_++);
    std::size_t at = head_size;
    for (const auto chunk : chunks_) {
        store16(out, at, chunk);
        at += 2;
    }
    auto delta = deltas_.begin();
    for (const auto symbol : symbols_) {
        if (symbol == small) out[at] = static_cast<std::uint8_t>(*delta);
        if (symbol == large) store16(out, at, static_cast<std::uint16_t>(*delta));
        if (symbol != missing) ++delta;
        at += symbol;
    }
    // Zeros up to a whole word; no padding of RTCP's own, which counts in fours.
    for (std::size_t i = 0; i < padding; ++i) out[at++] = 0;
    return at;
}

}  // namespace strowger::rtcp
