#include "media/packer.hpp"

#include <algorithm>
#include <cstdlib>

namespace strowger::media {
namespace {

// A position that lies further ahead is of another line, not after a pause (5 s).
constexpr std::uint32_t longest_pause_seconds = 5;

}  // namespace

std::unique_ptr<Packer> Packer::make(const sdp::Codec& codec, std::uint32_t wanted_rate,
                                     unsigned packet_ms) {
    auto encoder = codec::make_encoder(codec, wanted_rate);
    if (!encoder) return nullptr;
    return std::unique_ptr<Packer>(new Packer(std::move(encoder), codec.clock_rate, packet_ms));
}

Packer::Packer(std::unique_ptr<codec::Encoder> encoder, std::uint32_t clock_rate,
               unsigned packet_ms)
    : encoder_(std::move(encoder)),
      clock_(clock_rate),
      packet_(encoder_->packet_samples(packet_ms)) {
    waiting_.reserve(packet_ * 2 + rate() / 1000 * 320);
}

void Packer::restart() {
    waiting_.clear();
    taken_ = 0;
    jump_ = 0;
    placed_ = false;
    marker_ = true;
    ++line_;
    if (resampler_) resampler_->reset();
}

void Packer::put(std::uint32_t rate, std::uint32_t position, std::span<const Sample> samples) {
    const std::uint32_t gap = position - expected_;
    if (!placed_ || rate != from_rate_ || gap > longest_pause_seconds * rate) {
        if (placed_) restart();
    } else if (gap > 0) {
        const auto missing = static_cast<std::size_t>(std::uint64_t{gap} * this->rate() / rate);
        if (gap <= static_cast<std::uint32_t>(seconds(max_gap) * rate)) {
            silence(missing);
        } else {
            // What was said before the pause goes out in a whole packet.
            const std::size_t rest = (waiting_.size() - taken_) % packet_;
            const std::size_t pad = rest == 0 ? 0 : std::min(packet_ - rest, missing);
            silence(rest == 0 ? 0 : packet_ - rest);
            if (jump_ == 0) jump_at_ = waiting_.size() - taken_;
            jump_ += missing - pad;
            if (resampler_) resampler_->reset();
        }
    }
    append(rate, samples);
    placed_ = true;
    expected_ = position + static_cast<std::uint32_t>(samples.size());
}

void Packer::append(std::uint32_t rate, std::span<const Sample> samples) {
    if (rate != from_rate_) {
        from_rate_ = rate;
        resampler_.reset();
        if (rate != this->rate()) resampler_.emplace(rate, this->rate());
    }
    if (resampler_)
        resampler_->process(samples, waiting_);
    else
        waiting_.insert(waiting_.end(), samples.begin(), samples.end());
    expected_ += static_cast<std::uint32_t>(samples.size());
}

std::optional<Packer::Packet> Packer::poll() {
    if (jump_ > 0 && jump_at_ == 0) {
        begin_ += std::exchange(jump_, 0);
        marker_ = true;
    }
    if (waiting_.size() - taken_ < packet_) {
        waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(taken_));
        taken_ = 0;
        return std::nullopt;
    }
    Packet packet{.timestamp = ticks(begin_), .duration = ticks(packet_), .marker = marker_};
    const auto samples = std::span(waiting_).subspan(taken_, packet_);
    packet.silent = silent_below_ > 0 && std::ranges::all_of(samples, [this](Sample sample) {
                        return static_cast<unsigned>(std::abs(int{sample})) < silent_below_;
                    });
    const auto size = packet.silent ? 0 : encoder_->encode(samples, payload_);
    taken_ += packet_;
    begin_ += packet_;
    if (jump_ > 0) jump_at_ -= std::min(jump_at_, packet_);
    if (size == 0 && !packet.silent) return poll();
    marker_ = false;
    packet.sequence = sequence_++;
    packet.payload = Bytes(payload_).first(size);
    return packet;
}

}  // namespace strowger::media
