// Codecs that code each sample by itself: the two laws of G.711, and none at all (L16).

#include <algorithm>

#include "media/codec/made.hpp"

namespace strowger::codec {
namespace {

class G711Decoder final : public Decoder {
public:
    explicit G711Decoder(media::g711::Law law) : Decoder(8000), law_(law) {}
    std::size_t decode(Bytes payload, std::span<Sample> out) override {
        return media::g711::decode(law_, payload, out);
    }

private:
    const media::g711::Law law_;
};

class G711Encoder final : public Encoder {
public:
    explicit G711Encoder(media::g711::Law law) : Encoder(8000, 80), law_(law) {}
    std::size_t encode(std::span<const Sample> samples, MutableBytes out) override {
        return media::g711::encode(law_, samples, out);
    }

private:
    const media::g711::Law law_;
};

// RFC 3551 section 4.5.11: network byte order, channels side by side.
class LinearDecoder final : public Decoder {
public:
    LinearDecoder(std::uint32_t rate, unsigned channels) : Decoder(rate), channels_(channels) {}
    std::size_t decode(Bytes payload, std::span<Sample> out) override {
        const std::size_t count = std::min(payload.size() / 2 / channels_, out.size());
        for (std::size_t i = 0; i < count; ++i) {
            int sum = 0;
            for (unsigned c = 0; c < channels_; ++c)
                sum += static_cast<Sample>(load16(payload, (i * channels_ + c) * 2));
            out[i] = static_cast<Sample>(sum / static_cast<int>(channels_));
        }
        return count;
    }

private:
    const unsigned channels_;
};

class LinearEncoder final : public Encoder {
public:
    LinearEncoder(std::uint32_t rate, unsigned channels)
        : Encoder(rate, rate / 200), channels_(channels) {}
    std::size_t packet_samples(unsigned milliseconds) const override {
        const std::size_t most = max_payload / 2 / channels_ / frame() * frame();
        return std::min(Encoder::packet_samples(milliseconds), most);
    }
    std::size_t encode(std::span<const Sample> samples, MutableBytes out) override {
        if (out.size() < samples.size() * 2 * channels_) return 0;
        std::size_t at = 0;
        for (const Sample sample : samples)
            for (unsigned c = 0; c < channels_; ++c, at += 2)
                store16(out, at, static_cast<std::uint16_t>(sample));
        return at;
    }

private:
    const unsigned channels_;
};

}  // namespace

std::unique_ptr<Decoder> g711_decoder(media::g711::Law law) {
    return std::make_unique<G711Decoder>(law);
}
std::unique_ptr<Encoder> g711_encoder(media::g711::Law law) {
    return std::make_unique<G711Encoder>(law);
}
std::unique_ptr<Decoder> linear_decoder(std::uint32_t rate, unsigned channels) {
    return std::make_unique<LinearDecoder>(rate, channels);
}
std::unique_ptr<Encoder> linear_encoder(std::uint32_t rate, unsigned channels) {
    return std::make_unique<LinearEncoder>(rate, channels);
}

}  // namespace strowger::codec
