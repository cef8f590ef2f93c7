#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "media/g711.hpp"
#include "wire/sdp/codec.hpp"

/// Codecs of speech as pure transformations: RTP payloads to linear samples and back. Linear sound
/// is mono everywhere; what comes in several channels is mixed down.
namespace strowger::codec {

using media::Sample;

/// The longest packet that is decoded: 120 ms, Opus' own limit (RFC 6716 section 3.2.5), at the
/// highest rate there is. What is longer is cut.
constexpr std::uint32_t max_rate = 48000;
constexpr std::size_t max_packet_samples = max_rate / 1000 * 120;
/// What an encoder makes of one packet at most: 60 ms of L16 at 48 kHz fit an Ethernet frame no
/// more, so packets of samples are made shorter to stay within it.
constexpr std::size_t max_payload = 1400;

/// Payloads of one party, in order, to samples.
class Decoder {
public:
    virtual ~Decoder() = default;
    std::uint32_t rate() const { return rate_; }  ///< samples a second

    /// How many samples it gave; none when the payload is malformed.
    virtual std::size_t decode(Bytes payload, std::span<Sample> out) = 0;
    /// Makes up as much as was lost before `next`, which may hold a coarser copy of it. False: the
    /// codec has no means of its own.
    virtual bool conceal(Bytes /*next*/, std::span<Sample> /*out*/) { return false; }

protected:
    explicit Decoder(std::uint32_t rate) : rate_(rate) {}

private:
    const std::uint32_t rate_;
};

/// Samples to payloads.
class Encoder {
public:
    virtual ~Encoder() = default;
    std::uint32_t rate() const { return rate_; }  ///< samples a second

    /// Samples in a packet that is about so long: as many whole frames as the format puts into one.
    virtual std::size_t packet_samples(unsigned milliseconds) const;
    /// One packet's worth of samples; how many bytes they took, 0 when it failed.
    virtual std::size_t encode(std::span<const Sample> samples, MutableBytes out) = 0;

protected:
    /// `frame`: samples that are coded together.
    Encoder(std::uint32_t rate, std::size_t frame) : rate_(rate), frame_(frame) {}
    std::size_t frame() const { return frame_; }

private:
    const std::uint32_t rate_;
    const std::size_t frame_;
};

/// How far a codec is supported here.
struct Support {
    bool decodes = false;
    bool encodes = false;
};
Support support_of(const sdp::Codec& codec);
/// Both ways: a call between it and any other such codec can be carried.
bool is_transcodable(const sdp::Codec& codec);

/// Samples a second which it carries at most. 8000 for what is not known.
std::uint32_t native_rate(const sdp::Codec& codec);

/// Null when it is not supported. `wanted_rate` is what the sound is for: a codec that can work at
/// several rates (Opus) takes the least that is enough, all others have one.
std::unique_ptr<Decoder> make_decoder(const sdp::Codec& codec, std::uint32_t wanted_rate);
/// `codec` with the fmtp of who is to receive it.
std::unique_ptr<Encoder> make_encoder(const sdp::Codec& codec, std::uint32_t wanted_rate);

/// All of them, for people.
struct Listed {
    std::string_view name;
    std::uint32_t clock_rate;
    std::uint8_t channels;
};
std::span<const Listed> all();

}  // namespace strowger::codec
