#include "media/repacker.hpp"

#include <algorithm>
#include <utility>

namespace strowger::media {

namespace {

// A jump by more is another source, or one that began anew: nothing was lost (5 s).
constexpr std::uint32_t max_gap = 40000;

}  // namespace

void Repacker::set_length(std::size_t length) {
    length_ = std::min(length, max_length);
    begin_ = end_ = next_size_ = 0;
    any_ = any_source_ = flushing_ = false;
}

bool Repacker::lost_before(std::uint16_t source_sequence) {
    const auto ahead = static_cast<std::uint16_t>(source_sequence - source_sequence_);
    const bool lost = any_source_ && ahead > 1 && ahead < 0x8000;
    if (!any_source_ || ahead < 0x8000) source_sequence_ = source_sequence;
    any_source_ = true;
    return lost;
}

bool Repacker::put(std::uint16_t sequence, std::uint32_t timestamp, Bytes codes) {
    if (codes.size() > max_input || length_ == 0) return false;
    const bool lost = lost_before(sequence);
    const auto expected = timestamp_ + static_cast<std::uint32_t>(end_ - begin_);
    const auto ahead = timestamp - expected;
    if (any_ && ahead != 0) {
        if (static_cast<std::int32_t>(ahead) < 0 && -ahead < max_gap) return true;  // late
        lost_ = lost;
        next_timestamp_ = timestamp;
        next_size_ = codes.size();
        std::ranges::copy(codes, next_.begin());
        flushing_ = true;
        return true;
    }
    append(timestamp, codes);
    return true;
}

void Repacker::append(std::uint32_t timestamp, Bytes codes) {
    if (!any_) timestamp_ = timestamp;
    any_ = true;
    // Less than a packet waits, as everything else was polled.
    std::copy(waiting_.begin() + static_cast<std::ptrdiff_t>(begin_),
              waiting_.begin() + static_cast<std::ptrdiff_t>(end_), waiting_.begin());
    end_ -= begin_;
    begin_ = 0;
    const auto room = std::min(codes.size(), waiting_.size() - end_);
    std::ranges::copy(codes.first(room), waiting_.begin() + static_cast<std::ptrdiff_t>(end_));
    end_ += room;
}

bool Repacker::poll(Packet& packet) {
    const std::size_t size = std::min(end_ - begin_, length_);
    if (size > 0 && (size == length_ || flushing_)) {
        packet = {sequence_++, timestamp_, Bytes(waiting_).subspan(begin_, size)};
        begin_ += size;
        timestamp_ += static_cast<std::uint32_t>(size);
        return true;
    }
    flushing_ = false;
    if (next_size_ == 0) return false;
    const auto gap = next_timestamp_ - timestamp_;
    if (lost_ && gap < max_gap) sequence_ = static_cast<std::uint16_t>(sequence_ + gap / length_);
    any_ = false;
    begin_ = end_ = 0;
    append(next_timestamp_, Bytes(next_).first(std::exchange(next_size_, 0)));
    return poll(packet);
}

}  // namespace strowger::media
