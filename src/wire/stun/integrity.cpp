// The low-level hashes are the only ones of OpenSSL 3 whose state is a plain value.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "wire/stun/integrity.hpp"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <string>

#include "wire/stun/message.hpp"

namespace strowger::stun {
namespace {

constexpr std::size_t block = 64;  // of SHA-1 and SHA-256 alike

std::array<std::uint8_t, block> pad(Bytes key, std::uint8_t with) {
    std::array<std::uint8_t, block> bytes{};
    std::copy(key.begin(), key.end(), bytes.begin());
    for (auto& byte : bytes) byte ^= with;
    return bytes;
}

// RFC 2104: a key longer than a block is replaced by its hash. The two hashes then differ in key.
Bytes fit_sha1(Bytes key, std::array<std::uint8_t, SHA_DIGEST_LENGTH>& room) {
    if (key.size() <= block) return key;
    SHA1(key.data(), key.size(), room.data());
    return room;
}

Bytes fit_sha256(Bytes key, std::array<std::uint8_t, SHA256_DIGEST_LENGTH>& room) {
    if (key.size() <= block) return key;
    SHA256(key.data(), key.size(), room.data());
    return room;
}

/// The header with another length.
std::array<std::uint8_t, header_size> header_with(Bytes message, std::uint16_t length) {
    std::array<std::uint8_t, header_size> header;
    std::copy_n(message.begin(), header_size, header.begin());
    store16(header, 2, length);
    return header;
}

/// What the length says when the message ends with an attribute at `at` that holds `size` bytes.
std::uint16_t length_through(std::size_t at, std::size_t size) {
    return static_cast<std::uint16_t>(at - header_size + Attribute::header_size + size);
}

std::string joined(std::string_view username, std::string_view realm, std::string_view password) {
    return fmt::format("{}:{}:{}", username, realm, password);
}

IntegrityKey hashed(const EVP_MD* digest, const std::string& text) {
    std::array<std::uint8_t, EVP_MAX_MD_SIZE> key;
    unsigned size = 0;
    EVP_Digest(text.data(), text.size(), key.data(), &size, digest, nullptr);
    return IntegrityKey(Bytes(key).first(size));
}

}  // namespace

IntegrityKey::IntegrityKey(Bytes key) {
    Sha1 room1;
    const Bytes key1 = fit_sha1(key, room1);
    SHA1_Init(&inner1_);
    SHA1_Update(&inner1_, pad(key1, 0x36).data(), block);
    SHA1_Init(&outer1_);
    SHA1_Update(&outer1_, pad(key1, 0x5c).data(), block);
    Sha256 room256;
    const Bytes key256 = fit_sha256(key, room256);
    SHA256_Init(&inner256_);
    SHA256_Update(&inner256_, pad(key256, 0x36).data(), block);
    SHA256_Init(&outer256_);
    SHA256_Update(&outer256_, pad(key256, 0x5c).data(), block);
}

IntegrityKey IntegrityKey::short_term(std::string_view password) {
    return IntegrityKey(as_bytes(password));
}

IntegrityKey IntegrityKey::long_term_md5(std::string_view username, std::string_view realm,
                                         std::string_view password) {
    return hashed(EVP_md5(), joined(username, realm, password));
}

IntegrityKey IntegrityKey::long_term_sha256(std::string_view username, std::string_view realm,
                                            std::string_view password) {
    return hashed(EVP_sha256(), joined(username, realm, password));
}

IntegrityKey::Sha1 IntegrityKey::sha1(Bytes before, std::uint16_t covered_length) const {
    Sha1 digest;
    SHA_CTX context = inner1_;
    SHA1_Update(&context, header_with(before, covered_length).data(), header_size);
    SHA1_Update(&context, before.data() + header_size, before.size() - header_size);
    SHA1_Final(digest.data(), &context);
    context = outer1_;
    SHA1_Update(&context, digest.data(), digest.size());
    SHA1_Final(digest.data(), &context);
    return digest;
}

IntegrityKey::Sha256 IntegrityKey::sha256(Bytes before, std::uint16_t covered_length) const {
    Sha256 digest;
    SHA256_CTX context = inner256_;
    SHA256_Update(&context, header_with(before, covered_length).data(), header_size);
    SHA256_Update(&context, before.data() + header_size, before.size() - header_size);
    SHA256_Final(digest.data(), &context);
    context = outer256_;
    SHA256_Update(&context, digest.data(), digest.size());
    SHA256_Final(digest.data(), &context);
    return digest;
}

Integrity IntegrityKey::verifies(const Message& message) const {
    const Bytes bytes = message.bytes();
    const auto matches = [&](std::size_t at, Bytes expected, std::size_t size) {
        return CRYPTO_memcmp(bytes.data() + at + Attribute::header_size, expected.data(), size) ==
               0;
    };
    if (const auto at = message.sha256_at_) {
        // Section 14.6: it may be cut, to 16 bytes at least and in steps of four.
        const std::size_t size = load16(bytes, at + 2);
        if (size < 16 || size > SHA256_DIGEST_LENGTH || size % 4 != 0) return Integrity::none;
        const auto expected = sha256(bytes.first(at), length_through(at, size));
        return matches(at, expected, size) ? Integrity::sha256 : Integrity::none;
    }
    if (const auto at = message.sha1_at_) {
        if (load16(bytes, at + 2) != SHA_DIGEST_LENGTH) return Integrity::none;
        const auto expected = sha1(bytes.first(at), length_through(at, SHA_DIGEST_LENGTH));
        return matches(at, expected, SHA_DIGEST_LENGTH) ? Integrity::sha1 : Integrity::none;
    }
    return Integrity::none;
}

}  // namespace strowger::stun
