#include "media/codec/libav.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <optional>

namespace strowger::codec {
namespace {

constexpr const char* library = "libavcodec.so." AV_STRINGIFY(LIBAVCODEC_VERSION_MAJOR);

// Of libavutil are the functions that libavcodec itself depends on.
std::optional<Libav> load() {
    void* const handle = ::dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (!handle) return std::nullopt;
    bool complete = true;
    const auto find = [&]<typename Function>(Function& function, const char* name) {
        function = reinterpret_cast<Function>(::dlsym(handle, name));
        complete = complete && function;
    };
    Libav libav{};
    find(libav.find_decoder, "avcodec_find_decoder");
    find(libav.find_encoder, "avcodec_find_encoder");
    find(libav.alloc_context, "avcodec_alloc_context3");
    find(libav.free_context, "avcodec_free_context");
    find(libav.open, "avcodec_open2");
    find(libav.send_packet, "avcodec_send_packet");
    find(libav.receive_frame, "avcodec_receive_frame");
    find(libav.send_frame, "avcodec_send_frame");
    find(libav.receive_packet, "avcodec_receive_packet");
    find(libav.packet_alloc, "av_packet_alloc");
    find(libav.packet_free, "av_packet_free");
    find(libav.packet_unref, "av_packet_unref");
    find(libav.frame_alloc, "av_frame_alloc");
    find(libav.frame_free, "av_frame_free");
    find(libav.frame_unref, "av_frame_unref");
    find(libav.frame_get_buffer, "av_frame_get_buffer");
    find(libav.frame_make_writable, "av_frame_make_writable");
    decltype(&::av_log_set_level) set_log_level = nullptr;
    find(set_log_level, "av_log_set_level");
    if (!complete) return std::nullopt;
    set_log_level(AV_LOG_QUIET);  // else every malformed packet would be told on stderr
    return libav;
}

}  // namespace

const Libav* Libav::get() {
    static const auto loaded = load();
    return loaded ? &*loaded : nullptr;
}

std::unique_ptr<LibavDecoder> LibavDecoder::make(AVCodecID id, int block_align) {
    const Libav* const libav = Libav::get();
    const AVCodec* const codec = libav ? libav->find_decoder(id) : nullptr;
    if (!codec) return nullptr;
    std::unique_ptr<LibavDecoder> made(new LibavDecoder);
    made->context_.reset(libav->alloc_context(codec));
    made->packet_.reset(libav->packet_alloc());
    made->frame_.reset(libav->frame_alloc());
    if (!made->context_ || !made->packet_ || !made->frame_) return nullptr;
    AVCodecContext& context = *made->context_;
    context.sample_rate = 8000;
    context.ch_layout = AV_CHANNEL_LAYOUT_MONO;
    context.block_align = block_align;
    context.thread_count = 1;
    if (libav->open(&context, codec, nullptr) < 0) return nullptr;
    return made;
}

std::size_t LibavDecoder::decode(Bytes frame, std::span<Sample> out) {
    const Libav& libav = *Libav::get();
    if (frame.empty() || frame.size() > max_frame_bytes) return 0;
    std::ranges::copy(frame, bytes_.begin());
    std::fill(bytes_.begin() + static_cast<std::ptrdiff_t>(frame.size()), bytes_.end(),
              std::uint8_t{0});
    packet_->data = bytes_.data();
    packet_->size = static_cast<int>(frame.size());
    const int sent = libav.send_packet(context_.get(), packet_.get());
    packet_->data = nullptr;
    packet_->size = 0;
    if (sent < 0 || libav.receive_frame(context_.get(), frame_.get()) < 0) return 0;
    const auto count = static_cast<std::size_t>(std::max(frame_->nb_samples, 0));
    // In one channel planar and interleaved samples lie the same way.
    const bool linear = frame_->format == AV_SAMPLE_FMT_S16 || frame_->format == AV_SAMPLE_FMT_S16P;
    const bool fits = linear && frame_->ch_layout.nb_channels == 1 && count <= out.size();
    if (fits) std::copy_n(reinterpret_cast<const Sample*>(frame_->data[0]), count, out.begin());
    libav.frame_unref(frame_.get());
    return fits ? count : 0;
}

}  // namespace strowger::codec
