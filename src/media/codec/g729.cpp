// G.729 Annex A and B by bcg729 (RFC 3551 section 4.5.6): 10 bytes for 10 ms, 2 for a description
// of the silence at a packet's end.

// The library does not say itself that it is of C.
extern "C" {
#include <bcg729/decoder.h>
#include <bcg729/encoder.h>
}

#include <algorithm>
#include <array>

#include "media/codec/made.hpp"

namespace strowger::codec {
namespace {

constexpr std::size_t frame_samples = 80;
constexpr std::size_t frame_bytes = 10, silence_bytes = 2;

struct Close {
    void operator()(bcg729DecoderChannelContextStruct* state) const {
        closeBcg729DecoderChannel(state);
    }
    void operator()(bcg729EncoderChannelContextStruct* state) const {
        closeBcg729EncoderChannel(state);
    }
};

class Decoding final : public Decoder {
public:
    Decoding() : Decoder(8000) {}
    std::size_t decode(Bytes payload, std::span<Sample> out) override {
        std::size_t done = 0;
        while (payload.size() >= silence_bytes && out.size() - done >= frame_samples) {
            const bool silence = payload.size() < frame_bytes;
            const std::size_t size = silence ? silence_bytes : frame_bytes;
            std::array<std::uint8_t, frame_bytes> frame{};  // bcg729 takes no constant
            std::copy_n(payload.begin(), size, frame.begin());
            bcg729Decoder(state_.get(), frame.data(), static_cast<std::uint8_t>(size), 0, silence,
                          0, out.data() + done);
            done += frame_samples;
            payload = payload.subspan(size);
            if (silence) break;
        }
        return done;
    }
    bool conceal(Bytes, std::span<Sample> out) override {
        if (out.size() % frame_samples != 0) return false;
        for (; !out.empty(); out = out.subspan(frame_samples))
            bcg729Decoder(state_.get(), nullptr, 0, 1, 0, 0, out.data());
        return true;
    }

private:
    const std::unique_ptr<bcg729DecoderChannelContextStruct, Close> state_{
        initBcg729DecoderChannel()};
};

class Encoding final : public Encoder {
public:
    Encoding() : Encoder(8000, frame_samples) {}
    std::size_t encode(std::span<const Sample> samples, MutableBytes out) override {
        std::size_t done = 0;
        for (; samples.size() >= frame_samples; samples = samples.subspan(frame_samples)) {
            if (out.size() - done < frame_bytes) return 0;
            std::array<Sample, frame_samples> frame;
            std::copy_n(samples.begin(), frame_samples, frame.begin());
            std::uint8_t size = 0;
            bcg729Encoder(state_.get(), frame.data(), out.data() + done, &size);
            done += size;
        }
        return done;
    }

private:
    // Without voice activity detection: a packet every time is what all receivers understand.
    const std::unique_ptr<bcg729EncoderChannelContextStruct, Close> state_{
        initBcg729EncoderChannel(0)};
};

}  // namespace

std::unique_ptr<Decoder> g729_decoder() { return std::make_unique<Decoding>(); }
std::unique_ptr<Encoder> g729_encoder() { return std::make_unique<Encoding>(); }

}  // namespace strowger::codec
