#include "wire/srtp/aead.hpp"

#include <openssl/evp.h>

#include <algorithm>

namespace strowger::srtp {

Aead::Aead(Bytes key, Bytes salt, bool encrypt) : aes_(make_cipher(AesMode::gcm, key, encrypt)) {
    std::ranges::copy(salt.first(std::min(salt.size(), salt_.size())), salt_.begin());
}

Aead::Nonce Aead::rtp_nonce(std::uint32_t ssrc, std::uint64_t index) const {
    Nonce nonce{};
    store32(nonce, 2, ssrc);
    store32(nonce, 6, static_cast<std::uint32_t>(index >> 16));
    store16(nonce, 10, static_cast<std::uint16_t>(index));
    for (std::size_t i = 0; i < nonce.size(); ++i) nonce[i] ^= salt_[i];
    return nonce;
}

Aead::Nonce Aead::rtcp_nonce(std::uint32_t ssrc, std::uint32_t index_of_31) const {
    Nonce nonce{};
    store32(nonce, 2, ssrc);
    store32(nonce, 8, index_of_31);
    for (std::size_t i = 0; i < nonce.size(); ++i) nonce[i] ^= salt_[i];
    return nonce;
}

bool Aead::feed(const Nonce& nonce, Bytes associated, Bytes more, MutableBytes text) {
    int written = 0;
    if (EVP_CipherInit_ex2(aes_.get(), nullptr, nullptr, nonce.data(), -1, nullptr) != 1) {
        return false;
    }
    for (const Bytes part : {associated, more}) {
        if (!part.empty() && EVP_CipherUpdate(aes_.get(), nullptr, &written, part.data(),
                                              static_cast<int>(part.size())) != 1) {
            return false;
        }
    }
    return text.empty() || EVP_CipherUpdate(aes_.get(), text.data(), &written, text.data(),
                                            static_cast<int>(text.size())) == 1;
}

bool Aead::seal(const Nonce& nonce, Bytes associated, Bytes more, MutableBytes text,
                MutableBytes tag) {
    int written = 0;
    std::uint8_t none[16];
    return feed(nonce, associated, more, text) &&
           EVP_CipherFinal_ex(aes_.get(), none, &written) == 1 &&
           EVP_CIPHER_CTX_ctrl(aes_.get(), EVP_CTRL_AEAD_GET_TAG, tag_size, tag.data()) == 1;
}

bool Aead::open(const Nonce& nonce, Bytes associated, Bytes more, MutableBytes text,
                MutableBytes tag) {
    int written = 0;
    std::uint8_t none[16];
    return feed(nonce, associated, more, text) &&
           EVP_CIPHER_CTX_ctrl(aes_.get(), EVP_CTRL_AEAD_SET_TAG, tag_size, tag.data()) == 1 &&
           EVP_CipherFinal_ex(aes_.get(), none, &written) == 1;
}

}  // namespace strowger::srtp
