// The block functions are what is fast here, and OpenSSL 3 calls them deprecated.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "wire/srtp/hmac_sha1.hpp"

#include <algorithm>

namespace strowger::srtp {

namespace {

constexpr std::size_t block_size = 64;

SHA_CTX started(Bytes key, std::uint8_t pad) {
    std::array<std::uint8_t, block_size> block{};
    std::ranges::copy(key.first(std::min(key.size(), block_size)), block.begin());
    for (auto& byte : block) byte ^= pad;
    SHA_CTX state;
    SHA1_Init(&state);
    SHA1_Update(&state, block.data(), block.size());
    return state;
}

}  // namespace

HmacSha1::HmacSha1(Bytes key) : inner_(started(key, 0x36)), outer_(started(key, 0x5c)) {}

HmacSha1::Value HmacSha1::of(Bytes first, Bytes second) const {
    Value value;
    SHA_CTX state = inner_;
    SHA1_Update(&state, first.data(), first.size());
    SHA1_Update(&state, second.data(), second.size());
    SHA1_Final(value.data(), &state);
    state = outer_;
    SHA1_Update(&state, value.data(), value.size());
    SHA1_Final(value.data(), &state);
    return value;
}

}  // namespace strowger::srtp
