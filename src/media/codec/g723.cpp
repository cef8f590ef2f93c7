// G.723.1 by libavcodec (RFC 3551 section 4.5.3): 30 ms in 24 bytes at 6.3 kbit/s, in 20 at 5.3, a
// description of the silence in 4. It encodes at 6.3.

#include <algorithm>
#include <array>

#include "media/codec/libav.hpp"
#include "media/codec/made.hpp"

namespace strowger::codec {
namespace {

constexpr std::size_t frame_samples = 240;
constexpr std::size_t frame_bytes = 24;
// By the two lowest bits of a frame; the last is that nothing was sent.
constexpr std::array<std::size_t, 4> sizes{24, 20, 4, 1};

class G723Decoder final : public Decoder {
public:
    explicit G723Decoder(std::unique_ptr<LibavDecoder> decoder)
        : Decoder(8000), decoder_(std::move(decoder)) {}
    std::size_t decode(Bytes payload, std::span<Sample> out) override {
        std::size_t done = 0;
        while (!payload.empty() && out.size() - done >= frame_samples) {
            const std::size_t size = sizes[payload[0] & 3];
            if (payload.size() < size) break;
            const auto count = decoder_->decode(payload.first(size), out.subspan(done));
            if (count != frame_samples) break;
            done += count;
            payload = payload.subspan(size);
        }
        return done;
    }

private:
    const std::unique_ptr<LibavDecoder> decoder_;
};

class G723Encoder final : public Encoder {
public:
    static std::unique_ptr<Encoder> make() {
        const Libav* const libav = Libav::get();
        const AVCodec* const codec = libav ? libav->find_encoder(AV_CODEC_ID_G723_1) : nullptr;
        if (!codec) return nullptr;
        std::unique_ptr<G723Encoder> made(new G723Encoder);
        made->context_.reset(libav->alloc_context(codec));
        made->packet_.reset(libav->packet_alloc());
        made->frame_.reset(libav->frame_alloc());
        if (!made->context_ || !made->packet_ || !made->frame_) return nullptr;
        AVCodecContext& context = *made->context_;
        context.sample_rate = 8000;
        context.sample_fmt = AV_SAMPLE_FMT_S16;
        context.ch_layout = AV_CHANNEL_LAYOUT_MONO;
        context.bit_rate = 6300;
        context.thread_count = 1;
        if (libav->open(&context, codec, nullptr) < 0) return nullptr;
        AVFrame& frame = *made->frame_;
        frame.nb_samples = frame_samples;
        frame.format = AV_SAMPLE_FMT_S16;
        frame.ch_layout = AV_CHANNEL_LAYOUT_MONO;
        if (libav->frame_get_buffer(&frame, 0) < 0) return nullptr;
        return made;
    }
    std::size_t encode(std::span<const Sample> samples, MutableBytes out) override {
        const Libav& libav = *Libav::get();
        std::size_t done = 0;
        for (; samples.size() >= frame_samples; samples = samples.subspan(frame_samples)) {
            if (out.size() - done < frame_bytes) return 0;
            if (libav.frame_make_writable(frame_.get()) < 0) return 0;
            std::copy_n(samples.begin(), frame_samples, reinterpret_cast<Sample*>(frame_->data[0]));
            if (libav.send_frame(context_.get(), frame_.get()) < 0 ||
                libav.receive_packet(context_.get(), packet_.get()) < 0)
                return 0;
            const auto size = static_cast<std::size_t>(packet_->size);
            if (size == frame_bytes)
                std::copy_n(packet_->data, size, out.begin() + static_cast<std::ptrdiff_t>(done));
            libav.packet_unref(packet_.get());
            if (size != frame_bytes) return 0;
            done += size;
        }
        return done;
    }

private:
    G723Encoder() : Encoder(8000, frame_samples) {}
    std::unique_ptr<AVCodecContext, LibavFree> context_;
    std::unique_ptr<AVPacket, LibavFree> packet_;
    std::unique_ptr<AVFrame, LibavFree> frame_;
};

}  // namespace

std::unique_ptr<Decoder> g723_decoder() {
    auto decoder = LibavDecoder::make(AV_CODEC_ID_G723_1, 0);
    return decoder ? std::make_unique<G723Decoder>(std::move(decoder)) : nullptr;
}
std::unique_ptr<Encoder> g723_encoder() { return G723Encoder::make(); }
bool has_g723() {
    const Libav* const libav = Libav::get();
    return libav && libav->find_decoder(AV_CODEC_ID_G723_1) &&
           libav->find_encoder(AV_CODEC_ID_G723_1);
}

}  // namespace strowger::codec
