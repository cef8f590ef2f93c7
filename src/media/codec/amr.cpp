// AMR and AMR-WB by opencore-amr and vo-amrwbenc, in the two payload formats of RFC 4867 section 4:
// octet-aligned and bandwidth-efficient.

#include <opencore-amrnb/interf_dec.h>
#include <opencore-amrnb/interf_enc.h>
#include <opencore-amrwb/dec_if.h>
#include <vo-amrwbenc/enc_if.h>

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "media/codec/made.hpp"

namespace strowger::codec {
namespace {

// Speech bits by frame type (3GPP TS 26.101 table 1, TS 26.201 table 1a); the last is the
// description of comfort noise.
constexpr std::array<unsigned, 9> narrow_bits{95, 103, 118, 134, 148, 159, 204, 244, 39};
constexpr std::array<unsigned, 10> wide_bits{132, 177, 253, 285, 317, 365, 397, 461, 477, 40};
constexpr unsigned no_data = 15;
constexpr std::size_t longest_frame = 61;  // 477 bits and the head
// 120 ms; a table of contents that promises more is hostile.
constexpr std::size_t max_frames = 6;

unsigned bits_of(bool wideband, unsigned type) {
    if (wideband) return type < wide_bits.size() ? wide_bits[type] : 0;
    return type < narrow_bits.size() ? narrow_bits[type] : 0;
}
// Lost speech (14, of AMR-WB alone) and nothing to say carry no bits; what lies between is not
// defined, or of other systems.
bool is_known(bool wideband, unsigned type) {
    return bits_of(wideband, type) != 0 || type == no_data || (wideband && type == 14);
}

class BitReader {
public:
    explicit BitReader(Bytes bytes) : bytes_(bytes) {}
    bool has(std::size_t bits) const { return at_ + bits <= bytes_.size() * 8; }
    unsigned take(unsigned bits) {
        unsigned value = 0;
        for (; bits > 0; --bits, ++at_)
            value = value << 1 | (bytes_[at_ / 8] >> (7 - at_ % 8) & 1U);
        return value;
    }
    void align() { at_ = (at_ + 7) / 8 * 8; }

private:
    Bytes bytes_;
    std::size_t at_ = 0;
};

class BitWriter {
public:
    explicit BitWriter(MutableBytes bytes) : bytes_(bytes) { std::ranges::fill(bytes_, 0); }
    void put(unsigned value, unsigned bits) {
        while (bits-- > 0) {
            bytes_[at_ / 8] |= static_cast<std::uint8_t>((value >> bits & 1U) << (7 - at_ % 8));
            ++at_;
        }
    }
    void align() { at_ = (at_ + 7) / 8 * 8; }
    std::size_t size() const { return (at_ + 7) / 8; }

private:
    MutableBytes bytes_;
    std::size_t at_ = 0;
};

// The two libraries under one face. Frames are in storage format: a head with type and quality,
// then the speech bits, each frame on whole octets (RFC 4867 section 5.3).
class NarrowDecoder {
public:
    static constexpr std::uint32_t rate = 8000;
    ~NarrowDecoder() { Decoder_Interface_exit(state_); }
    void decode(const std::uint8_t* frame, bool bad, Sample* out) {
        Decoder_Interface_Decode(state_, frame, out, bad ? 1 : 0);
    }

private:
    void* const state_ = Decoder_Interface_init();
};
class WideDecoder {
public:
    static constexpr std::uint32_t rate = 16000;
    ~WideDecoder() { D_IF_exit(state_); }
    void decode(const std::uint8_t* frame, bool bad, Sample* out) {
        D_IF_decode(state_, frame, out, bad ? 1 : 0);
    }

private:
    void* const state_ = D_IF_init();
};
class NarrowEncoder {
public:
    static constexpr std::uint32_t rate = 8000;
    ~NarrowEncoder() { Encoder_Interface_exit(state_); }
    std::size_t encode(unsigned mode, const Sample* samples, std::uint8_t* frame) {
        return static_cast<std::size_t>(
            Encoder_Interface_Encode(state_, static_cast<Mode>(mode), samples, frame, 0));
    }

private:
    void* const state_ = Encoder_Interface_init(0);
};
class WideEncoder {
public:
    static constexpr std::uint32_t rate = 16000;
    ~WideEncoder() { E_IF_exit(state_); }
    std::size_t encode(unsigned mode, const Sample* samples, std::uint8_t* frame) {
        std::array<Sample, 320> input;  // the library takes no constant
        std::copy_n(samples, input.size(), input.begin());
        return static_cast<std::size_t>(
            E_IF_encode(state_, static_cast<int>(mode), input.data(), frame, 0));
    }

private:
    void* const state_ = E_IF_init();
};

template <typename Library>
class Decoding final : public Decoder {
public:
    explicit Decoding(bool octet_aligned) : Decoder(Library::rate), aligned_(octet_aligned) {}

    std::size_t decode(Bytes payload, std::span<Sample> out) override {
        BitReader bits(payload);
        if (!bits.has(aligned_ ? 8 : 4)) return 0;
        bits.take(aligned_ ? 8 : 4);  // the mode that the other end asks for
        struct Entry {
            unsigned type;
            bool good;
        };
        std::array<Entry, max_frames> entries{};
        std::size_t count = 0;
        for (bool more = true; more; ++count) {
            if (count == max_frames || !bits.has(aligned_ ? 8 : 6)) return 0;
            more = bits.take(1) == 1;
            entries[count] = {bits.take(4), false};
            entries[count].good = bits.take(1) == 1;
            if (aligned_) bits.take(2);
            // Section 4.3.2: with a type that is not defined the whole packet is discarded.
            if (!is_known(wideband, entries[count].type)) return 0;
        }
        std::size_t done = 0;
        for (const auto& [type, good] : std::span(entries).first(count)) {
            const unsigned size = bits_of(wideband, type);
            if (!bits.has(size) || out.size() - done < frame_) return done;
            std::array<std::uint8_t, longest_frame> frame{};
            BitWriter writer(frame);
            writer.put(type << 3 | (good ? 1U : 0U) << 2, 8);
            for (unsigned i = 0; i < size; ++i) writer.put(bits.take(1), 1);
            if (aligned_) bits.align();
            library_.decode(frame.data(), !good, out.data() + done);
            done += frame_;
        }
        return done;
    }
    bool conceal(Bytes, std::span<Sample> out) override {
        if (out.size() % frame_ != 0) return false;
        static constexpr std::array<std::uint8_t, longest_frame> nothing{no_data << 3 | 1 << 2};
        for (; !out.empty(); out = out.subspan(frame_))
            library_.decode(nothing.data(), true, out.data());
        return true;
    }

private:
    static constexpr bool wideband = Library::rate == 16000;
    static constexpr std::size_t frame_ = Library::rate / 50;
    const bool aligned_;
    Library library_;
};

// The best mode of those that the receiver names (section 8.1), or of all.
unsigned best_mode(bool wideband, std::string_view fmtp) {
    const unsigned best = wideband ? 8 : 7;
    auto names = sdp::fmtp_value(fmtp, "mode-set").value_or("");
    std::optional<unsigned> chosen;
    while (!names.empty()) {
        const auto [name, rest] = split_once(names, ',');
        names = rest;
        const auto mode = parse_number<unsigned>(trim(name));
        if (mode && *mode <= best && (!chosen || *mode > *chosen)) chosen = *mode;
    }
    return chosen.value_or(best);
}

template <typename Library>
class Encoding final : public Encoder {
public:
    explicit Encoding(std::string_view fmtp)
        : Encoder(Library::rate, frame_),
          aligned_(sdp::fmtp_value(fmtp, "octet-align").value_or("0") == "1"),
          mode_(best_mode(wideband, fmtp)) {}

    std::size_t packet_samples(unsigned milliseconds) const override {
        return std::min(Encoder::packet_samples(milliseconds), max_frames * frame_);
    }
    std::size_t encode(std::span<const Sample> samples, MutableBytes out) override {
        const std::size_t count = std::min(samples.size() / frame_, max_frames);
        if (out.size() < 1 + count * (1 + longest_frame)) return 0;
        std::array<std::array<std::uint8_t, longest_frame + 3>, max_frames> frames{};
        for (std::size_t i = 0; i < count; ++i)
            library_.encode(mode_, samples.data() + i * frame_, frames[i].data());
        BitWriter bits(out.first(1 + count * (1 + longest_frame)));
        bits.put(no_data, 4);  // we ask for no mode
        if (aligned_) bits.put(0, 4);
        for (std::size_t i = 0; i < count; ++i) {
            bits.put(i + 1 < count ? 1 : 0, 1);
            bits.put(frames[i][0] >> 2 & 0x1f, 5);
            if (aligned_) bits.put(0, 2);
        }
        for (std::size_t i = 0; i < count; ++i) {
            const unsigned size = bits_of(wideband, frames[i][0] >> 3 & 0xf);
            BitReader speech(Bytes(frames[i]).subspan(1));
            for (unsigned bit = 0; bit < size; ++bit) bits.put(speech.take(1), 1);
            if (aligned_) bits.align();
        }
        return bits.size();
    }

private:
    static constexpr bool wideband = Library::rate == 16000;
    static constexpr std::size_t frame_ = Library::rate / 50;
    const bool aligned_;
    const unsigned mode_;
    Library library_;
};

}  // namespace

std::unique_ptr<Decoder> amr_decoder(bool wideband, bool octet_aligned) {
    if (wideband) return std::make_unique<Decoding<WideDecoder>>(octet_aligned);
    return std::make_unique<Decoding<NarrowDecoder>>(octet_aligned);
}
std::unique_ptr<Encoder> amr_encoder(bool wideband, std::string_view fmtp) {
    if (wideband) return std::make_unique<Encoding<WideEncoder>>(fmtp);
    return std::make_unique<Encoding<NarrowEncoder>>(fmtp);
}

}  // namespace strowger::codec
