// Speex by libspeex (RFC 5574): 20 ms a frame at 8, 16 or 32 kHz.

#include <speex/speex.h>

#include <algorithm>
#include <array>

#include "media/codec/made.hpp"

namespace strowger::codec {
namespace {

constexpr int quality = 8;     // of 0 to 10
constexpr int complexity = 3;  // of 1 to 10; more is hardly heard
// libspeex writes a line to standard error for each one: whoever sends more sends no Speex.
constexpr int max_malformed = 10;

const SpeexMode* mode_of(std::uint32_t rate) {
    return speex_lib_get_mode(rate == 32000   ? SPEEX_MODEID_UWB
                              : rate == 16000 ? SPEEX_MODEID_WB
                                              : SPEEX_MODEID_NB);
}

class BitStream {
public:
    BitStream() { speex_bits_init(&bits_); }
    ~BitStream() { speex_bits_destroy(&bits_); }
    BitStream(const BitStream&) = delete;
    BitStream& operator=(const BitStream&) = delete;
    SpeexBits* get() { return &bits_; }

private:
    SpeexBits bits_;
};

struct DestroyDecoder {
    void operator()(void* state) const { speex_decoder_destroy(state); }
};
struct DestroyEncoder {
    void operator()(void* state) const { speex_encoder_destroy(state); }
};

class Decoding final : public Decoder {
public:
    explicit Decoding(std::uint32_t rate)
        : Decoder(rate), frame_(rate / 50), state_(speex_decoder_init(mode_of(rate))) {
        int on = 1;
        speex_decoder_ctl(state_.get(), SPEEX_SET_ENH, &on);
    }
    std::size_t decode(Bytes payload, std::span<Sample> out) override {
        if (malformed_ >= max_malformed) return 0;
        speex_bits_read_from(bits_.get(), reinterpret_cast<const char*>(payload.data()),
                             static_cast<int>(payload.size()));
        std::size_t done = 0;
        // Below 5 bits nothing but padding can be left.
        while (out.size() - done >= frame_ && speex_bits_remaining(bits_.get()) >= 5) {
            const int result = speex_decode_int(state_.get(), bits_.get(), out.data() + done);
            if (result == -2) ++malformed_;
            if (result != 0) break;
            // It read beyond the end: what it made of that is noise.
            if (speex_bits_remaining(bits_.get()) < 0) break;
            done += frame_;
        }
        return done;
    }
    bool conceal(Bytes, std::span<Sample> out) override {
        if (out.size() % frame_ != 0) return false;
        for (; !out.empty(); out = out.subspan(frame_))
            speex_decode_int(state_.get(), nullptr, out.data());
        return true;
    }

private:
    const std::size_t frame_;
    const std::unique_ptr<void, DestroyDecoder> state_;
    BitStream bits_;
    int malformed_ = 0;
};

class Encoding final : public Encoder {
public:
    explicit Encoding(std::uint32_t rate)
        : Encoder(rate, rate / 50), state_(speex_encoder_init(mode_of(rate))) {
        int value = quality;
        speex_encoder_ctl(state_.get(), SPEEX_SET_QUALITY, &value);
        value = complexity;
        speex_encoder_ctl(state_.get(), SPEEX_SET_COMPLEXITY, &value);
    }
    std::size_t encode(std::span<const Sample> samples, MutableBytes out) override {
        speex_bits_reset(bits_.get());
        for (; samples.size() >= frame(); samples = samples.subspan(frame())) {
            std::array<Sample, 640> input;  // libspeex works in place
            std::copy_n(samples.begin(), frame(), input.begin());
            speex_encode_int(state_.get(), input.data(), bits_.get());
        }
        speex_bits_insert_terminator(bits_.get());
        if (static_cast<std::size_t>(speex_bits_nbytes(bits_.get())) > out.size()) return 0;
        return static_cast<std::size_t>(speex_bits_write(
            bits_.get(), reinterpret_cast<char*>(out.data()), static_cast<int>(out.size())));
    }

private:
    const std::unique_ptr<void, DestroyEncoder> state_;
    BitStream bits_;
};

}  // namespace

std::unique_ptr<Decoder> speex_decoder(std::uint32_t rate) {
    return std::make_unique<Decoding>(rate);
}
std::unique_ptr<Encoder> speex_encoder(std::uint32_t rate) {
    return std::make_unique<Encoding>(rate);
}

}  // namespace strowger::codec
