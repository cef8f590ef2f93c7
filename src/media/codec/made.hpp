#pragma once

#include "media/codec/codec.hpp"

// How each codec is made; one source file a codec, or a family of them. Null: the library refused.
namespace strowger::codec {

std::unique_ptr<Decoder> g711_decoder(media::g711::Law law);
std::unique_ptr<Encoder> g711_encoder(media::g711::Law law);
std::unique_ptr<Decoder> linear_decoder(std::uint32_t rate, unsigned channels);
std::unique_ptr<Encoder> linear_encoder(std::uint32_t rate, unsigned channels);
std::unique_ptr<Decoder> g722_decoder();
std::unique_ptr<Encoder> g722_encoder();
/// `bits` a sample, 2 to 5. The first sample of a byte is in its lowest bits (RFC 3551 section
/// 4.5.4), or for AAL2 in its highest.
std::unique_ptr<Decoder> g726_decoder(unsigned bits, bool aal2);
std::unique_ptr<Encoder> g726_encoder(unsigned bits, bool aal2);
std::unique_ptr<Decoder> gsm_decoder();
std::unique_ptr<Encoder> gsm_encoder();
std::unique_ptr<Decoder> g729_decoder();
std::unique_ptr<Encoder> g729_encoder();
std::unique_ptr<Decoder> speex_decoder(std::uint32_t rate);
std::unique_ptr<Encoder> speex_encoder(std::uint32_t rate);
std::unique_ptr<Decoder> opus_decoder(std::uint32_t wanted_rate);
std::unique_ptr<Encoder> opus_encoder(std::uint32_t wanted_rate, std::string_view fmtp);
std::unique_ptr<Decoder> amr_decoder(bool wideband, bool octet_aligned);
std::unique_ptr<Encoder> amr_encoder(bool wideband, std::string_view fmtp);
/// Null as well where libavcodec is not installed, as `has_g723` and `has_ilbc` tell.
std::unique_ptr<Decoder> g723_decoder();
std::unique_ptr<Encoder> g723_encoder();
bool has_g723();
/// `short_frames`: of 20 ms instead of 30; what comes tells by its length.
std::unique_ptr<Decoder> ilbc_decoder(bool short_frames);
bool has_ilbc();

}  // namespace strowger::codec
