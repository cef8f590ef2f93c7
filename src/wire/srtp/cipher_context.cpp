#include "wire/srtp/cipher_context.hpp"

#include <openssl/evp.h>

#include <stdexcept>

namespace strowger::srtp {

namespace {

// Looking an algorithm up takes OpenSSL 3 longer than a packet takes: once a process.
const EVP_CIPHER* fetched(AesMode mode, std::size_t key_size) {
    static const struct Ciphers {
        const EVP_CIPHER* by_mode[3][3];
        Ciphers()
            : by_mode{{fetch("AES-128-CTR"), fetch("AES-192-CTR"), fetch("AES-256-CTR")},
                      {fetch("AES-128-ECB"), fetch("AES-192-ECB"), fetch("AES-256-ECB")},
                      {fetch("AES-128-GCM"), fetch("AES-192-GCM"), fetch("AES-256-GCM")}} {}
        static const EVP_CIPHER* fetch(const char* name) {
            return EVP_CIPHER_fetch(nullptr, name, nullptr);
        }
    } ciphers;
    if (key_size != 16 && key_size != 24 && key_size != 32) return nullptr;
    return ciphers.by_mode[static_cast<std::size_t>(mode)][key_size / 8 - 2];
}

}  // namespace

void FreeCipherContext::operator()(evp_cipher_ctx_st* context) const {
    EVP_CIPHER_CTX_free(context);
}

CipherContext make_cipher(AesMode mode, Bytes key, bool encrypt) {
    CipherContext context(EVP_CIPHER_CTX_new());
    const EVP_CIPHER* cipher = fetched(mode, key.size());
    if (!context || cipher == nullptr ||
        EVP_CipherInit_ex2(context.get(), cipher, key.data(), nullptr, encrypt ? 1 : 0, nullptr) !=
            1) {
        throw std::runtime_error("OpenSSL cannot do AES");
    }
    EVP_CIPHER_CTX_set_padding(context.get(), 0);
    return context;
}

}  // namespace strowger::srtp
