#pragma once

#include <array>

#include "wire/srtp/cipher_context.hpp"
#include "wire/srtp/key_derivation.hpp"

namespace strowger::srtp {

/// AES-GCM as SRTP uses it (RFC 7714): what is not encrypted is associated data, and the tag
/// follows the text.
class Aead {
public:
    static constexpr std::size_t tag_size = 16;
    using Nonce = std::array<std::uint8_t, 12>;

    /// Seals when `encrypt`, opens when not; one of the two for its life.
    Aead(Bytes key, Bytes salt, bool encrypt);

    Nonce rtp_nonce(std::uint32_t ssrc, std::uint64_t index) const;         ///< section 8.1
    Nonce rtcp_nonce(std::uint32_t ssrc, std::uint32_t index_of_31) const;  ///< section 9.1

    /// Encrypts `text` in place; `tag` receives 16 bytes. Associated data in two parts.
    bool seal(const Nonce& nonce, Bytes associated, Bytes more, MutableBytes text,
              MutableBytes tag);
    /// Decrypts `text` in place; false when it is not authentic, and `text` is garbage then.
    bool open(const Nonce& nonce, Bytes associated, Bytes more, MutableBytes text,
              MutableBytes tag);

private:
    bool feed(const Nonce& nonce, Bytes associated, Bytes more, MutableBytes text);

    std::array<std::uint8_t, 12> salt_{};
    CipherContext aes_;
};

}  // namespace strowger::srtp
