#include "wire/srtp/key_derivation.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <stdexcept>

#include "wire/srtp/cipher_context.hpp"

namespace strowger::srtp {

namespace {

constexpr std::uint8_t encryption_label = 0, authentication_label = 1, salt_label = 2;
constexpr std::uint8_t rtcp_labels = 3;

}  // namespace

void derive(std::uint8_t label, Bytes key, Bytes salt, MutableBytes out) {
    std::array<std::uint8_t, 16> iv{};
    // RFC 7714 section 11: the 12-byte salt of AEAD is filled with zeros behind.
    std::ranges::copy(salt, iv.begin());
    iv[7] ^= label;  // section 4.3.1: label || (index DIV rate), 56 bits that end with the salt
    const auto cipher = make_cipher(AesMode::ctr, key, true);
    std::ranges::fill(out, std::uint8_t{0});
    int written = 0;
    if (EVP_EncryptInit_ex2(cipher.get(), nullptr, nullptr, iv.data(), nullptr) != 1 ||
        EVP_EncryptUpdate(cipher.get(), out.data(), &written, out.data(),
                          static_cast<int>(out.size())) != 1) {
        throw std::runtime_error("OpenSSL cannot derive a session key");
    }
}

SessionKeys derive(Suite suite, const MasterKey& master, PacketKind kind) {
    const auto& info = info_of(suite);
    const std::uint8_t first = kind == PacketKind::rtp ? 0 : rtcp_labels;
    SessionKeys keys;
    keys.key_size = info.key_size;
    keys.salt_size = info.salt_size;
    const auto label = [first](std::uint8_t offset) {
        return static_cast<std::uint8_t>(first + offset);
    };
    derive(label(encryption_label), master.key(), master.salt(),
           MutableBytes(keys.key).first(keys.key_size));
    derive(label(salt_label), master.key(), master.salt(),
           MutableBytes(keys.salt).first(keys.salt_size));
    if (info.cipher != Cipher::aes_gcm) {
        derive(label(authentication_label), master.key(), master.salt(), keys.authentication);
    }
    return keys;
}

}  // namespace strowger::srtp
