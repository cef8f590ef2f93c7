#pragma once

#include <array>

#include "wire/srtp/cipher_context.hpp"
#include "wire/srtp/key_derivation.hpp"

namespace strowger::srtp {

/// The additive ciphers of RFC 3711 section 4.1: AES in counter mode, AES in f8 mode, and none.
/// A packet is XORed with the stream of its own initialisation vector, either way.
class Keystream {
public:
    using Iv = std::array<std::uint8_t, 16>;

    Keystream(Cipher cipher, Bytes key, Bytes salt);

    /// `header` is the whole clear header, `index` the 48-bit index of the packet.
    bool apply_rtp(Bytes header, std::uint64_t index, MutableBytes payload);
    /// `header` is the first eight bytes, `e_and_index` the word with the E flag.
    bool apply_rtcp(Bytes header, std::uint32_t e_and_index, MutableBytes payload);

    bool apply(const Iv& iv, MutableBytes data);

private:
    Iv counter_iv(std::uint32_t ssrc, std::uint64_t index) const;
    bool apply_f8(const Iv& iv, MutableBytes data);

    Cipher cipher_;
    std::array<std::uint8_t, max_salt_size> salt_{};
    CipherContext aes_;
    CipherContext masked_aes_;  ///< f8 only: the key that hides the IV
};

}  // namespace strowger::srtp
