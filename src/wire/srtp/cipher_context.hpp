#pragma once

#include <memory>

#include "base/bytes.hpp"

struct evp_cipher_ctx_st;

namespace strowger::srtp {

struct FreeCipherContext {
    void operator()(evp_cipher_ctx_st* context) const;
};

/// An OpenSSL cipher with its key set; a packet costs it an initialisation vector only.
using CipherContext = std::unique_ptr<evp_cipher_ctx_st, FreeCipherContext>;

enum class AesMode : std::uint8_t { ctr, ecb, gcm };

/// For a key of 16, 24 or 32 bytes. Throws when OpenSSL cannot.
CipherContext make_cipher(AesMode mode, Bytes key, bool encrypt);

}  // namespace strowger::srtp
