#pragma once

extern "C" {
#include <libavcodec/avcodec.h>
}

#include <array>
#include <memory>
#include <span>

#include "media/codec/codec.hpp"

namespace strowger::codec {

/// The little of libavcodec that is used here. It is loaded when a codec that needs it is asked for
/// first: it brings a hundred other libraries, which no process should have to carry that meets no
/// such codec, and without it everything else works.
struct Libav {
    /// Null where it is not installed, or is of another major version than it was built for.
    static const Libav* get();

    decltype(&::avcodec_find_decoder) find_decoder;
    decltype(&::avcodec_find_encoder) find_encoder;
    decltype(&::avcodec_alloc_context3) alloc_context;
    decltype(&::avcodec_free_context) free_context;
    decltype(&::avcodec_open2) open;
    decltype(&::avcodec_send_packet) send_packet;
    decltype(&::avcodec_receive_frame) receive_frame;
    decltype(&::avcodec_send_frame) send_frame;
    decltype(&::avcodec_receive_packet) receive_packet;
    decltype(&::av_packet_alloc) packet_alloc;
    decltype(&::av_packet_free) packet_free;
    decltype(&::av_packet_unref) packet_unref;
    decltype(&::av_frame_alloc) frame_alloc;
    decltype(&::av_frame_free) frame_free;
    decltype(&::av_frame_unref) frame_unref;
    decltype(&::av_frame_get_buffer) frame_get_buffer;
    decltype(&::av_frame_make_writable) frame_make_writable;
};

struct LibavFree {
    void operator()(AVCodecContext* context) const { Libav::get()->free_context(&context); }
    void operator()(AVPacket* packet) const { Libav::get()->packet_free(&packet); }
    void operator()(AVFrame* frame) const { Libav::get()->frame_free(&frame); }
};

/// One codec of libavcodec at 8000 samples a second and in one channel, opened for decoding. It is
/// fed one frame at a time, whose length the caller has found right.
class LibavDecoder {
public:
    static constexpr std::size_t max_frame_bytes = 64;

    /// `block_align`: bytes in a frame where it cannot tell itself, else 0.
    static std::unique_ptr<LibavDecoder> make(AVCodecID id, int block_align);

    /// How many samples it gave; none when it refused the frame, or has no room for what came.
    std::size_t decode(Bytes frame, std::span<Sample> out);

private:
    LibavDecoder() = default;
    std::unique_ptr<AVCodecContext, LibavFree> context_;
    std::unique_ptr<AVPacket, LibavFree> packet_;
    std::unique_ptr<AVFrame, LibavFree> frame_;
    // It reads on behind the end, which must be zero.
    std::array<std::uint8_t, max_frame_bytes + AV_INPUT_BUFFER_PADDING_SIZE> bytes_{};
};

}  // namespace strowger::codec
