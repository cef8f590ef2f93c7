#include "wire/srtp/keystream.hpp"

#include <openssl/evp.h>

#include <algorithm>

namespace strowger::srtp {

namespace {

// Section 4.1.2.2: the salt, filled with 0x55 to the size of the key.
CipherContext masked_cipher(Bytes key, Bytes salt) {
    std::array<std::uint8_t, max_key_size> masked;
    masked.fill(0x55);
    std::ranges::copy(salt.first(std::min(salt.size(), key.size())), masked.begin());
    for (std::size_t i = 0; i < key.size(); ++i) masked[i] ^= key[i];
    return make_cipher(AesMode::ecb, Bytes(masked).first(key.size()), true);
}

bool encrypt_block(evp_cipher_ctx_st* cipher, Keystream::Iv& block) {
    int written = 0;
    return EVP_EncryptUpdate(cipher, block.data(), &written, block.data(),
                             static_cast<int>(block.size())) == 1;
}

}  // namespace

Keystream::Keystream(Cipher cipher, Bytes key, Bytes salt) : cipher_(cipher) {
    std::ranges::copy(salt.first(std::min(salt.size(), salt_.size())), salt_.begin());
    if (cipher == Cipher::aes_cm) aes_ = make_cipher(AesMode::ctr, key, true);
    if (cipher == Cipher::aes_f8) {
        aes_ = make_cipher(AesMode::ecb, key, true);
        masked_aes_ = masked_cipher(key, salt);
    }
}

// Section 4.1.1: (salt * 2^16) XOR (SSRC * 2^64) XOR (index * 2^16).
Keystream::Iv Keystream::counter_iv(std::uint32_t ssrc, std::uint64_t index) const {
    Iv iv{};
    std::ranges::copy(salt_, iv.begin());
    for (std::size_t i = 0; i < 4; ++i)
        iv[4 + i] ^= static_cast<std::uint8_t>(ssrc >> (24 - 8 * i));
    for (std::size_t i = 0; i < 6; ++i)
        iv[8 + i] ^= static_cast<std::uint8_t>(index >> (40 - 8 * i));
    return iv;
}

bool Keystream::apply_rtp(Bytes header, std::uint64_t index, MutableBytes payload) {
    if (cipher_ == Cipher::null) return true;
    if (cipher_ == Cipher::aes_cm) return apply(counter_iv(load32(header, 8), index), payload);
    Iv iv{};  // section 4.1.2.2: the header without its first byte, then the rollover counter
    std::copy_n(header.begin() + 1, 11, iv.begin() + 1);
    store32(iv, 12, static_cast<std::uint32_t>(index >> 16));
    return apply(iv, payload);
}

bool Keystream::apply_rtcp(Bytes header, std::uint32_t e_and_index, MutableBytes payload) {
    if (cipher_ == Cipher::null) return true;
    if (cipher_ == Cipher::aes_cm) {
        return apply(counter_iv(load32(header, 4), e_and_index & 0x7fffffff), payload);
    }
    Iv iv{};  // section 4.1.2.3
    store32(iv, 4, e_and_index);
    std::copy_n(header.begin(), 8, iv.begin() + 8);
    return apply(iv, payload);
}

bool Keystream::apply(const Iv& iv, MutableBytes data) {
    if (cipher_ == Cipher::null) return true;
    if (cipher_ == Cipher::aes_f8) return apply_f8(iv, data);
    int written = 0;
    return EVP_EncryptInit_ex2(aes_.get(), nullptr, nullptr, iv.data(), nullptr) == 1 &&
           EVP_EncryptUpdate(aes_.get(), data.data(), &written, data.data(),
                             static_cast<int>(data.size())) == 1;
}

// Section 4.1.2.1: S(j) = E(k, IV' XOR j XOR S(j-1)), where IV' = E(k XOR m, IV).
bool Keystream::apply_f8(const Iv& iv, MutableBytes data) {
    Iv hidden = iv;
    if (!encrypt_block(masked_aes_.get(), hidden)) return false;
    Iv stream{};
    for (std::uint32_t j = 0; !data.empty(); ++j) {
        for (std::size_t i = 0; i < stream.size(); ++i) stream[i] ^= hidden[i];
        store32(stream, 12, load32(stream, 12) ^ j);
        if (!encrypt_block(aes_.get(), stream)) return false;
        const auto part = data.first(std::min(data.size(), stream.size()));
        for (std::size_t i = 0; i < part.size(); ++i) part[i] ^= stream[i];
        data = data.subspan(part.size());
    }
    return true;
}

}  // namespace strowger::srtp
