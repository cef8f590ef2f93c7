#pragma once

#include <openssl/sha.h>

#include <array>

#include "base/bytes.hpp"

namespace strowger::srtp {

/// HMAC-SHA1 (RFC 2104) with its key worked in: a packet costs a copy of two states.
///
/// It stands on SHA1_Update rather than on EVP_MAC, whose every start allocates in OpenSSL 3.0.
class HmacSha1 {
public:
    static constexpr std::size_t size = 20;
    using Value = std::array<std::uint8_t, size>;

    explicit HmacSha1(Bytes key);  ///< of at most 64 bytes

    Value of(Bytes first, Bytes second) const;  ///< of one text in two parts

private:
    SHA_CTX inner_;
    SHA_CTX outer_;
};

}  // namespace strowger::srtp
