#include "media/unpacker.hpp"

#include <algorithm>

namespace strowger::media {
namespace {

// A jump of sequence numbers by more is another source (RFC 3550 A.1).
constexpr std::uint16_t max_dropout = 3000;

// Far from where unsigned numbers end, as timestamps also go back.
constexpr std::uint64_t first_turn = std::uint64_t{1} << 32;

}  // namespace

std::unique_ptr<Unpacker> Unpacker::make(const sdp::Codec& codec, std::uint32_t wanted_rate) {
    auto decoder = codec::make_decoder(codec, wanted_rate);
    if (!decoder) return nullptr;
    return std::unique_ptr<Unpacker>(new Unpacker(std::move(decoder), codec.clock_rate));
}

Unpacker::Unpacker(std::unique_ptr<codec::Decoder> decoder, std::uint32_t clock_rate)
    : decoder_(std::move(decoder)), clock_(clock_rate), to_narrow_(decoder_->rate(), 8000) {
    const std::size_t most = rate() / 1000 * 120;
    buffer_.resize(most + static_cast<std::size_t>(seconds(max_concealed) * rate()));
    last_.reserve(rate() / 50);
    narrow_.reserve(buffer_.size());
}

std::optional<Unpacker::Sound> Unpacker::put(std::uint32_t ssrc, std::uint16_t sequence,
                                             std::uint32_t timestamp, Bytes payload) {
    const auto ahead = static_cast<std::uint16_t>(sequence - sequence_);
    const auto behind = static_cast<std::uint16_t>(sequence_ - sequence);
    const bool same = any_ && ssrc == ssrc_ && (ahead < max_dropout || behind < max_dropout);
    if (same && ahead >= max_dropout) return std::nullopt;  // late
    if (same && ahead == 0) return std::nullopt;
    const bool lost = same && ahead > 1;
    if (same)
        timestamp_ += static_cast<std::uint64_t>(std::int64_t{
            static_cast<std::int32_t>(timestamp - static_cast<std::uint32_t>(timestamp_))});
    else
        timestamp_ = first_turn + timestamp;
    any_ = true;
    ssrc_ = ssrc;
    sequence_ = sequence;

    const std::uint64_t position = samples(timestamp_);
    continues_ = same && position == end_;
    size_ = 0;
    const auto most = static_cast<std::uint64_t>(seconds(max_concealed) * rate());
    if (lost && position > end_ && position - end_ <= most) {
        conceal(static_cast<std::size_t>(position - end_), payload);
        continues_ = true;
    }
    begin_ = position - size_;
    const std::size_t decoded = decoder_->decode(payload, std::span(buffer_).subspan(size_));
    if (decoded > 0) {
        const auto fresh = std::span(buffer_).subspan(size_, decoded);
        const auto tail = fresh.last(std::min<std::size_t>(decoded, rate() / 50));
        last_.assign(tail.begin(), tail.end());
    }
    size_ += decoded;
    end_ = begin_ + size_;
    if (size_ == 0) return std::nullopt;
    return Sound{rate(), static_cast<std::uint32_t>(begin_), std::span(buffer_).first(size_)};
}

bool Unpacker::pass_over(std::uint32_t ssrc, std::uint16_t sequence) {
    if (!any_ || ssrc != ssrc_) return true;
    if (static_cast<std::uint16_t>(sequence_ - sequence) < max_dropout) return false;
    if (static_cast<std::uint16_t>(sequence - sequence_) < max_dropout) sequence_ = sequence;
    return true;
}

void Unpacker::conceal(std::size_t count, Bytes next) {
    const auto gap = std::span(buffer_).first(count);
    size_ = count;
    if (decoder_->conceal(next, gap)) return;
    // Half as loud each time; after 60 ms next to nothing is left.
    if (last_.empty()) {
        std::ranges::fill(gap, Sample{0});
        return;
    }
    constexpr int silent = 1 << 15;
    int gain = 2;
    for (std::size_t i = 0, at = 0; i < count; ++i) {
        gap[i] = static_cast<Sample>(last_[at] / gain);
        if (++at < last_.size()) continue;
        at = 0;
        gain = std::min(2 * gain, silent);
    }
}

Unpacker::Sound Unpacker::narrow() {
    if (rate() == 8000)
        return {8000, static_cast<std::uint32_t>(begin_), std::span(buffer_).first(size_)};
    if (!continues_ || narrow_next_ == 0) {
        to_narrow_.reset();
        narrow_next_ = begin_ * 8000 / rate();
    }
    narrow_.clear();
    to_narrow_.process(std::span(buffer_).first(size_), narrow_);
    const auto position = static_cast<std::uint32_t>(narrow_next_);
    narrow_next_ += narrow_.size();
    return {8000, position, narrow_};
}

}  // namespace strowger::media
