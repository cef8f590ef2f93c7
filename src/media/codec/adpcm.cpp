// Sub-band and plain ADPCM of the ITU, by spandsp: G.722 (RFC 3551 section 4.5.2) and G.726
// (section 4.5.4, and for AAL2 RFC 3551 section 4.5.4 with I.366.2 Annex E's order of bits).

#include <spandsp.h>

#include <algorithm>

#include "media/codec/made.hpp"

namespace strowger::codec {
namespace {

constexpr int g722_bit_rate = 64000;  // the only one that RTP carries

struct FreeG722Decoder {
    void operator()(g722_decode_state_t* state) const { g722_decode_free(state); }
};
struct FreeG722Encoder {
    void operator()(g722_encode_state_t* state) const { g722_encode_free(state); }
};
struct FreeG726 {
    void operator()(g726_state_t* state) const { g726_free(state); }
};
using G726State = std::unique_ptr<g726_state_t, FreeG726>;

class G722Decoder final : public Decoder {
public:
    G722Decoder() : Decoder(16000) {}
    std::size_t decode(Bytes payload, std::span<Sample> out) override {
        payload = payload.first(std::min(payload.size(), out.size() / 2));
        return static_cast<std::size_t>(g722_decode(state_.get(), out.data(), payload.data(),
                                                    static_cast<int>(payload.size())));
    }

private:
    std::unique_ptr<g722_decode_state_t, FreeG722Decoder> state_{
        g722_decode_init(nullptr, g722_bit_rate, 0)};
};

class G722Encoder final : public Encoder {
public:
    G722Encoder() : Encoder(16000, 160) {}
    std::size_t encode(std::span<const Sample> samples, MutableBytes out) override {
        if (out.size() < samples.size() / 2) return 0;
        return static_cast<std::size_t>(g722_encode(state_.get(), out.data(), samples.data(),
                                                    static_cast<int>(samples.size())));
    }

private:
    std::unique_ptr<g722_encode_state_t, FreeG722Encoder> state_{
        g722_encode_init(nullptr, g722_bit_rate, 0)};
};

G726State g726(unsigned bits, bool aal2) {
    return G726State(g726_init(nullptr, static_cast<int>(bits) * 8000, G726_ENCODING_LINEAR,
                               aal2 ? G726_PACKING_LEFT : G726_PACKING_RIGHT));
}

class G726Decoder final : public Decoder {
public:
    G726Decoder(unsigned bits, bool aal2) : Decoder(8000), bits_(bits), state_(g726(bits, aal2)) {}
    std::size_t decode(Bytes payload, std::span<Sample> out) override {
        payload = payload.first(std::min(payload.size(), out.size() * bits_ / 8));
        return static_cast<std::size_t>(g726_decode(state_.get(), out.data(), payload.data(),
                                                    static_cast<int>(payload.size())));
    }

private:
    const unsigned bits_;
    const G726State state_;
};

class G726Encoder final : public Encoder {
public:
    G726Encoder(unsigned bits, bool aal2)
        : Encoder(8000, 80), bits_(bits), state_(g726(bits, aal2)) {}
    std::size_t encode(std::span<const Sample> samples, MutableBytes out) override {
        if (out.size() < samples.size() * bits_ / 8) return 0;
        return static_cast<std::size_t>(g726_encode(state_.get(), out.data(), samples.data(),
                                                    static_cast<int>(samples.size())));
    }

private:
    const unsigned bits_;
    const G726State state_;
};

}  // namespace

std::unique_ptr<Decoder> g722_decoder() { return std::make_unique<G722Decoder>(); }
std::unique_ptr<Encoder> g722_encoder() { return std::make_unique<G722Encoder>(); }
std::unique_ptr<Decoder> g726_decoder(unsigned bits, bool aal2) {
    return std::make_unique<G726Decoder>(bits, aal2);
}
std::unique_ptr<Encoder> g726_encoder(unsigned bits, bool aal2) {
    return std::make_unique<G726Encoder>(bits, aal2);
}

}  // namespace strowger::codec
