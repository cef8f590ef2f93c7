#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/time.hpp"
#include "media/codec/codec.hpp"
#include "media/resampler.hpp"

namespace strowger::media {

/// Makes packets of one payload format out of a line of samples of any rate.
///
///     packer.put(rate, position, samples);
///     while (const auto packet = packer.poll()) send(*packet);
///
/// Packets have one length. Timestamps are in the format's clock and go on with the positions of
/// what is put: a short gap is filled with silence, a longer one is left out as one that was not
/// said. Sequence numbers go on one by one.
class Packer {
public:
    /// More waits at no time: as much as an unpacker gives at once, and one packet.
    static constexpr Duration max_gap = std::chrono::milliseconds{60};

    /// Null when the codec is not supported. `wanted_rate` as in `codec::make_encoder`.
    static std::unique_ptr<Packer> make(const sdp::Codec& codec, std::uint32_t wanted_rate,
                                        unsigned packet_ms);

    std::uint32_t rate() const { return encoder_->rate(); }

    void put(std::uint32_t rate, std::uint32_t position, std::span<const Sample> samples);
    /// What follows upon what was put last.
    void append(std::uint32_t rate, std::span<const Sample> samples);
    /// What is put next is at this position, and still follows upon what was put last.
    void follow(std::uint32_t position) { expected_ = position; }
    /// Position of what would follow upon what was put last; nothing before the first `put`.
    std::optional<std::uint32_t> expected() const {
        return placed_ ? std::optional(expected_) : std::nullopt;
    }
    std::uint32_t source_rate() const { return from_rate_; }  ///< of what was put last
    /// Packets without a sample so far from zero are not encoded, and marked; 0: all are encoded.
    void detect_silence(unsigned below) { silent_below_ = below; }
    /// Forgets what waits; what comes next is another line.
    void restart();

    struct Packet {
        std::uint16_t sequence = 0;
        std::uint32_t timestamp = 0;
        std::uint32_t duration = 0;  ///< in the units of the timestamp
        bool marker = false;         ///< the first after a pause
        bool silent = false;         ///< nothing was encoded
        Bytes payload;               ///< until the next call
    };
    std::optional<Packet> poll();

    /// Which line of samples this is: another number after each `restart`, and after each jump of
    /// positions that is no pause.
    std::uint32_t line() const { return line_; }

private:
    Packer(std::unique_ptr<codec::Encoder> encoder, std::uint32_t clock_rate, unsigned packet_ms);
    void silence(std::size_t count) { waiting_.insert(waiting_.end(), count, Sample{0}); }
    std::uint32_t ticks(std::uint64_t samples) const {
        return static_cast<std::uint32_t>(samples * clock_ / rate());
    }

    std::unique_ptr<codec::Encoder> encoder_;
    std::uint32_t clock_;
    std::size_t packet_;  // samples
    std::optional<Resampler> resampler_;
    std::uint32_t from_rate_ = 0;
    std::vector<Sample> waiting_;
    std::size_t taken_ = 0;  // of `waiting_`
    std::array<std::uint8_t, codec::max_payload> payload_{};

    bool placed_ = false;
    std::uint32_t expected_ = 0;  // position of what is to be put next
    // Samples to the first that waits, from far enough that what lies before is no less than zero.
    std::uint64_t begin_ = std::uint64_t{1} << 32;
    std::size_t jump_at_ = 0;  // of the samples that wait, where a pause lies
    std::uint64_t jump_ = 0;   // and how long it is
    bool marker_ = true;
    unsigned silent_below_ = 0;
    std::uint32_t line_ = 0;
    std::uint16_t sequence_ = 0;
};

}  // namespace strowger::media
