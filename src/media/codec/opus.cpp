// Opus by libopus (RFC 6716, in RTP RFC 7587). It works at 8, 12, 16, 24 or 48 kHz whatever the
// other end does, so no sound is resampled on the way to or from a narrower codec.

#include <opus/opus.h>

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "media/codec/made.hpp"

namespace strowger::codec {
namespace {

// Of 0 to 10: speech gains nothing that is heard above, and costs twice as much.
constexpr int complexity = 5;

// What RFC 7587 section 3.1.1 recommends for speech, by bandwidth; fmtp may lower it.
constexpr int bit_rate(std::uint32_t rate) {
    return rate <= 8000 ? 16000 : rate <= 16000 ? 24000 : 32000;
}
constexpr int least_bit_rate = 6000, most_bit_rate = 510000;  // section 6.1

// What is expected to be lost where the receiver asks for redundancy.
constexpr int expected_loss_percent = 5;

std::uint32_t least_enough(std::uint32_t wanted) {
    for (const std::uint32_t rate : {8000U, 12000U, 16000U, 24000U})
        if (wanted <= rate) return rate;
    return max_rate;
}

struct Destroy {
    void operator()(OpusDecoder* state) const { opus_decoder_destroy(state); }
    void operator()(OpusEncoder* state) const { opus_encoder_destroy(state); }
};

class Decoding final : public Decoder {
public:
    explicit Decoding(std::uint32_t rate)
        : Decoder(rate), state_(opus_decoder_create(static_cast<opus_int32>(rate), 1, nullptr)) {}
    std::size_t decode(Bytes payload, std::span<Sample> out) override {
        // Without a payload libopus would conceal.
        return payload.empty() ? 0 : run(payload, out, 0);
    }
    bool conceal(Bytes next, std::span<Sample> out) override {
        const auto step = rate() / 400;  // 2.5 ms, the granularity of what can be asked for
        if (out.empty() || out.size() % step != 0) return false;
        // The copy of one packet is in the next; of those before it nothing is known.
        std::size_t copied = 0;
        if (!next.empty()) {
            const int samples = opus_packet_get_nb_samples(next.data(), length(next), rate_of());
            if (samples > 0) copied = std::min(static_cast<std::size_t>(samples), out.size());
        }
        const std::size_t guessed = out.size() - copied;
        for (std::size_t at = 0; at < guessed;) {
            const std::size_t got =
                run({}, out.subspan(at, std::min<std::size_t>(guessed - at, rate() / 50)), 0);
            if (got == 0) return false;
            at += got;
        }
        return copied == 0 || run(next, out.subspan(guessed), 1) == copied;
    }

private:
    static opus_int32 length(Bytes bytes) { return static_cast<opus_int32>(bytes.size()); }
    opus_int32 rate_of() const { return static_cast<opus_int32>(rate()); }
    std::size_t run(Bytes payload, std::span<Sample> out, int from_next) {
        const int got =
            opus_decode(state_.get(), payload.empty() ? nullptr : payload.data(), length(payload),
                        out.data(), static_cast<int>(out.size()), from_next);
        return got > 0 ? static_cast<std::size_t>(got) : 0;
    }

    const std::unique_ptr<OpusDecoder, Destroy> state_;
};

class Encoding final : public Encoder {
public:
    Encoding(std::uint32_t rate, std::string_view fmtp)
        : Encoder(rate, rate / 100),
          state_(opus_encoder_create(static_cast<opus_int32>(rate), 1, OPUS_APPLICATION_VOIP,
                                     nullptr)) {
        const auto number = [&](std::string_view name) {
            const auto value = sdp::fmtp_value(fmtp, name);
            return value ? parse_number<int>(*value) : std::nullopt;
        };
        const int most = std::clamp(number("maxaveragebitrate").value_or(most_bit_rate),
                                    least_bit_rate, most_bit_rate);
        const bool redundant = number("useinbandfec") == 1;
        opus_encoder_ctl(state_.get(), OPUS_SET_COMPLEXITY(complexity));
        opus_encoder_ctl(state_.get(), OPUS_SET_BITRATE(std::min(bit_rate(rate), most)));
        opus_encoder_ctl(state_.get(), OPUS_SET_SIGNAL(OPUS_SIGNAL_VOICE));
        opus_encoder_ctl(state_.get(), OPUS_SET_INBAND_FEC(redundant ? 1 : 0));
        opus_encoder_ctl(state_.get(),
                         OPUS_SET_PACKET_LOSS_PERC(redundant ? expected_loss_percent : 0));
        opus_encoder_ctl(state_.get(), OPUS_SET_VBR(number("cbr") == 1 ? 0 : 1));
    }
    std::size_t packet_samples(unsigned milliseconds) const override {
        for (const unsigned length : {60U, 40U, 20U})
            if (milliseconds >= length) return rate() / 1000 * std::size_t{length};
        return rate() / 100;
    }
    std::size_t encode(std::span<const Sample> samples, MutableBytes out) override {
        const auto size =
            opus_encode(state_.get(), samples.data(), static_cast<int>(samples.size()), out.data(),
                        static_cast<opus_int32>(out.size()));
        return size > 0 ? static_cast<std::size_t>(size) : 0;
    }

private:
    const std::unique_ptr<OpusEncoder, Destroy> state_;
};

}  // namespace

std::unique_ptr<Decoder> opus_decoder(std::uint32_t wanted_rate) {
    return std::make_unique<Decoding>(least_enough(wanted_rate));
}
std::unique_ptr<Encoder> opus_encoder(std::uint32_t wanted_rate, std::string_view fmtp) {
    return std::make_unique<Encoding>(least_enough(wanted_rate), fmtp);
}

}  // namespace strowger::codec
