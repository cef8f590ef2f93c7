#include "wire/dtls/fingerprint.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <stdexcept>

#include "base/text.hpp"

namespace strowger::dtls {

namespace {

struct Known {
    Hash hash;
    std::string_view name;
    const EVP_MD* (*digest)();
    std::size_t size;
};

constexpr Known hashes[] = {{Hash::sha_1, "sha-1", EVP_sha1, 20},
                            {Hash::sha_224, "sha-224", EVP_sha224, 28},
                            {Hash::sha_256, "sha-256", EVP_sha256, 32},
                            {Hash::sha_384, "sha-384", EVP_sha384, 48},
                            {Hash::sha_512, "sha-512", EVP_sha512, 64}};

const Known& known(Hash hash) { return hashes[static_cast<std::size_t>(hash)]; }

std::optional<std::uint8_t> nibble(char c) {
    if (is_digit(c)) return static_cast<std::uint8_t>(c - '0');
    c = lower(c);
    if (c >= 'a' && c <= 'f') return static_cast<std::uint8_t>(c - 'a' + 10);
    return std::nullopt;
}

}  // namespace

std::string_view name_of(Hash hash) { return known(hash).name; }

std::optional<Hash> hash_named(std::string_view name) {
    for (const auto& one : hashes) {
        if (iequals(one.name, name)) return one.hash;
    }
    return std::nullopt;
}

Fingerprint Fingerprint::of(Hash hash, Bytes certificate) {
    Fingerprint made;
    made.hash_ = hash;
    made.size_ = static_cast<std::uint8_t>(known(hash).size);
    if (EVP_Digest(certificate.data(), certificate.size(), made.bytes_.data(), nullptr,
                   known(hash).digest(), nullptr) != 1) {
        throw std::runtime_error("OpenSSL cannot hash a certificate");
    }
    return made;
}

Result<Fingerprint> Fingerprint::parse(std::string_view value) {
    const auto [name, rest] = split_once(trim(value), ' ');
    const auto hash = hash_named(name);
    if (!hash) return fail_with(unknown_hash, "fingerprint: unknown hash '{}'", name);
    const auto text = trim(rest);
    Fingerprint made;
    made.hash_ = *hash;
    made.size_ = static_cast<std::uint8_t>(known(*hash).size);
    if (text.size() != made.size_ * std::size_t{3} - 1) {
        return fail("fingerprint: {} has {} bytes as AB:CD:…, but '{}' came", name, made.size_,
                    text);
    }
    for (std::size_t i = 0; i < made.size_; ++i) {
        const auto high = nibble(text[i * 3]);
        const auto low = nibble(text[i * 3 + 1]);
        if (!high || !low || (i + 1 < made.size_ && text[i * 3 + 2] != ':')) {
            return fail("fingerprint: '{}' is not hexadecimal with colons", text);
        }
        made.bytes_[i] = static_cast<std::uint8_t>(*high << 4 | *low);
    }
    return made;
}

std::string Fingerprint::text() const {
    std::string text(name_of(hash_));
    char separator = ' ';
    for (const std::uint8_t byte : bytes()) {
        text += fmt::format("{}{:02X}", separator, byte);
        separator = ':';
    }
    return text;
}

Result<> check_certificate(std::span<const Fingerprint> announced, Bytes certificate,
                           bool accept_sha_1) {
    if (announced.empty()) return fail("no fingerprint to compare the certificate with");
    const auto strongest = std::ranges::max(announced, {}, &Fingerprint::hash).hash();
    if (strongest == Hash::sha_1 && !accept_sha_1) {
        return fail("the certificate is announced by its sha-1 fingerprint only");
    }
    const auto shown = Fingerprint::of(strongest, certificate);
    if (std::ranges::find(announced, shown) == announced.end()) {
        return fail("the certificate has the fingerprint {}, which is not the announced one",
                    shown.text());
    }
    return {};
}

}  // namespace strowger::dtls
