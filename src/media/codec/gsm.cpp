// GSM full rate, 06.10, by libgsm (RFC 3551 section 4.5.8): 33 bytes for 20 ms.

#include <gsm.h>

#include <algorithm>
#include <array>

#include "media/codec/made.hpp"

namespace strowger::codec {
namespace {

constexpr std::size_t frame_samples = 160;
constexpr std::size_t frame_bytes = sizeof(gsm_frame);
static_assert(frame_bytes == 33 && sizeof(gsm_signal) == sizeof(Sample));

struct Destroy {
    void operator()(gsm_state* state) const { gsm_destroy(state); }
};
using State = std::unique_ptr<gsm_state, Destroy>;

class GsmDecoder final : public Decoder {
public:
    GsmDecoder() : Decoder(8000) {}
    std::size_t decode(Bytes payload, std::span<Sample> out) override {
        std::size_t done = 0;
        while (payload.size() >= frame_bytes && out.size() - done >= frame_samples) {
            gsm_frame frame;  // libgsm takes no constant
            std::copy_n(payload.begin(), frame_bytes, frame);
            if (gsm_decode(state_.get(), frame, out.data() + done) < 0) return done;
            payload = payload.subspan(frame_bytes);
            done += frame_samples;
        }
        return done;
    }

private:
    const State state_{gsm_create()};
};

class GsmEncoder final : public Encoder {
public:
    GsmEncoder() : Encoder(8000, frame_samples) {}
    std::size_t encode(std::span<const Sample> samples, MutableBytes out) override {
        std::size_t done = 0;
        for (; samples.size() >= frame_samples; samples = samples.subspan(frame_samples)) {
            if (out.size() - done < frame_bytes) return 0;
            std::array<gsm_signal, frame_samples> frame;
            std::copy_n(samples.begin(), frame_samples, frame.begin());
            gsm_encode(state_.get(), frame.data(), out.data() + done);
            done += frame_bytes;
        }
        return done;
    }

private:
    const State state_{gsm_create()};
};

}  // namespace

std::unique_ptr<Decoder> gsm_decoder() { return std::make_unique<GsmDecoder>(); }
std::unique_ptr<Encoder> gsm_encoder() { return std::make_unique<GsmEncoder>(); }

}  // namespace strowger::codec
