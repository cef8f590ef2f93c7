#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/time.hpp"
#include "media/codec/codec.hpp"
#include "media/resampler.hpp"

namespace strowger::media {

/// Makes one line of samples out of the packets of one payload format.
///
///     if (const auto sound = unpacker.put(ssrc, sequence, timestamp, payload)) hear(*sound);
///
/// What was lost before a packet is concealed, up to `max_concealed`, by the codec's own means or
/// by repeating what was there last. What comes late, or twice, is left out: its place has been
/// filled. Where nothing was lost but left unsaid, positions go on by as much.
class Unpacker {
public:
    static constexpr Duration max_concealed = std::chrono::milliseconds{60};

    /// Null when the codec is not supported. `wanted_rate` as in `codec::make_decoder`.
    static std::unique_ptr<Unpacker> make(const sdp::Codec& codec, std::uint32_t wanted_rate);

    std::uint32_t rate() const { return decoder_->rate(); }

    struct Sound {
        std::uint32_t rate = 8000;
        std::uint32_t position = 0;       ///< of the first sample, in samples; wraps
        std::span<const Sample> samples;  ///< until the next `put`
    };
    std::optional<Sound> put(std::uint32_t ssrc, std::uint16_t sequence, std::uint32_t timestamp,
                             Bytes payload);
    /// A packet of the same stream in another format: what it stands for was not lost. False: it
    /// comes late.
    bool pass_over(std::uint32_t ssrc, std::uint16_t sequence);
    /// What `put` has just given, at 8000 samples a second.
    Sound narrow();

private:
    Unpacker(std::unique_ptr<codec::Decoder> decoder, std::uint32_t clock_rate);
    std::uint64_t samples(std::uint64_t ticks) const { return ticks * rate() / clock_; }
    void conceal(std::size_t count, Bytes next);

    std::unique_ptr<codec::Decoder> decoder_;
    std::uint32_t clock_;
    std::vector<Sample> buffer_;  // concealed, then decoded
    std::vector<Sample> last_;    // the newest frame, to repeat
    std::size_t size_ = 0;
    Resampler to_narrow_;
    std::vector<Sample> narrow_;
    std::uint64_t narrow_next_ = 0;
    std::uint64_t begin_ = 0, end_ = 0;  // of `buffer_`, in samples

    bool any_ = false;
    bool continues_ = false;  // `buffer_` follows the one before it
    std::uint32_t ssrc_ = 0;
    std::uint16_t sequence_ = 0;   // the newest
    std::uint64_t timestamp_ = 0;  // of the newest, counted on beyond 32 bits
};

}  // namespace strowger::media
