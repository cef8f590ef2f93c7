#include "wire/sip/digest.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <memory>
#include <stdexcept>

#include "base/text.hpp"

namespace strowger::sip {

namespace {

constexpr std::array<std::string_view, 6> names{"MD5",          "MD5-sess",    "SHA-256",
                                                "SHA-256-sess", "SHA-512-256", "SHA-512-256-sess"};

struct FreeContext {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
struct FreeHash {
    void operator()(EVP_MD* hash) const { EVP_MD_free(hash); }
};

std::unique_ptr<EVP_MD, FreeHash> fetch(const char* name) {
    std::unique_ptr<EVP_MD, FreeHash> hash(EVP_MD_fetch(nullptr, name, nullptr));
    if (!hash) throw std::runtime_error(fmt::format("this OpenSSL has no {}", name));
    return hash;
}

/// Fetched once: looking a hash up by name costs OpenSSL 3 more than computing it.
const EVP_MD* hash_of(Algorithm algorithm) {
    static const auto md5 = fetch("MD5");
    static const auto sha256 = fetch("SHA2-256");
    static const auto sha512_256 = fetch("SHA2-512/256");
    switch (algorithm) {
        case Algorithm::md5:
        case Algorithm::md5_sess: return md5.get();
        case Algorithm::sha256:
        case Algorithm::sha256_sess: return sha256.get();
        default: return sha512_256.get();
    }
}

/// One a thread, for its memory only: every digest starts it anew.
EVP_MD_CTX* context() {
    thread_local const std::unique_ptr<EVP_MD_CTX, FreeContext> instance(EVP_MD_CTX_new());
    return instance.get();
}

bool is_session(Algorithm algorithm) {
    return algorithm == Algorithm::md5_sess || algorithm == Algorithm::sha256_sess ||
           algorithm == Algorithm::sha512_256_sess;
}

}  // namespace

std::string_view name_of(Algorithm algorithm) { return names[static_cast<std::size_t>(algorithm)]; }

std::optional<Algorithm> algorithm_by_name(std::string_view name) {
    if (name.empty()) return Algorithm::md5;
    for (std::size_t i = 0; i < names.size(); ++i)
        if (iequals(names[i], name)) return static_cast<Algorithm>(i);
    return std::nullopt;
}

HexDigest digest_of(Algorithm algorithm, std::initializer_list<std::string_view> parts) {
    static constexpr std::string_view digits = "0123456789abcdef";
    std::array<unsigned char, EVP_MAX_MD_SIZE> hash{};
    unsigned size = 0;
    auto* const state = context();
    bool good = EVP_DigestInit_ex2(state, hash_of(algorithm), nullptr) == 1;
    bool first = true;
    for (const auto part : parts) {
        if (!first) good = good && EVP_DigestUpdate(state, ":", 1) == 1;
        good = good && EVP_DigestUpdate(state, part.data(), part.size()) == 1;
        first = false;
    }
    good = good && EVP_DigestFinal_ex(state, hash.data(), &size) == 1;
    if (!good) throw std::runtime_error("OpenSSL could not compute a digest");
    HexDigest hex;
    for (unsigned i = 0; i < size; ++i) {
        hex.text[2 * i] = digits[hash[i] >> 4];
        hex.text[2 * i + 1] = digits[hash[i] & 15];
    }
    hex.size = static_cast<std::uint8_t>(2 * size);
    return hex;
}

HexDigest ha1_of(Algorithm algorithm, std::string_view username, std::string_view realm,
                 std::string_view password) {
    return digest_of(algorithm, {username, realm, password});
}

std::optional<HexDigest> response_of(const Credentials& credentials, std::string_view method,
                                     const Secret& secret, std::string_view body) {
    const auto algorithm = algorithm_by_name(credentials.algorithm);
    if (!algorithm) return std::nullopt;
    const bool integrity = iequals(credentials.qop, "auth-int");
    const bool has_qop = !credentials.qop.empty();
    if (has_qop && !integrity && !iequals(credentials.qop, "auth")) return std::nullopt;
    if (has_qop && (credentials.nc.empty() || credentials.cnonce.empty())) return std::nullopt;

    HexDigest ha1;
    if (secret.kind == Secret::Kind::ha1) {
        if (secret.text.size() > ha1.text.size()) return std::nullopt;
        std::transform(secret.text.begin(), secret.text.end(), ha1.text.begin(), lower);
        ha1.size = static_cast<std::uint8_t>(secret.text.size());
    } else {
        ha1 = ha1_of(*algorithm, credentials.username, credentials.realm, secret.text);
    }
    if (is_session(*algorithm))
        ha1 = digest_of(*algorithm, {ha1, credentials.nonce, credentials.cnonce});
    const auto ha2 =
        integrity ? digest_of(*algorithm, {method, credentials.uri, digest_of(*algorithm, {body})})
                  : digest_of(*algorithm, {method, credentials.uri});
    // Without qop as in RFC 2069, which RFC 3261 section 22.4 still takes.
    if (!has_qop) return digest_of(*algorithm, {ha1, credentials.nonce, ha2});
    return digest_of(*algorithm, {ha1, credentials.nonce, credentials.nc, credentials.cnonce,
                                  credentials.qop, ha2});
}

Result<std::string> answer_challenge(const Challenge& challenge, std::string_view user,
                                     const Secret& secret, std::string_view method,
                                     std::string_view uri, std::string_view cnonce,
                                     std::uint32_t nc, std::string_view body) {
    if (!challenge.is_digest())
        return fail("challenge '{}': only Digest can be answered", challenge.scheme);
    const auto algorithm = algorithm_by_name(challenge.algorithm);
    if (!algorithm) return fail("digest algorithm '{}' is not known", challenge.algorithm);
    Credentials credentials;
    credentials.scheme = "Digest";
    credentials.username = user;
    credentials.realm = challenge.realm;
    credentials.nonce = challenge.nonce;
    credentials.uri = uri;
    credentials.algorithm = challenge.algorithm;
    credentials.opaque = challenge.opaque;
    if (challenge.offers_qop("auth"))
        credentials.qop = "auth";
    else if (challenge.offers_qop("auth-int"))
        credentials.qop = "auth-int";
    else if (!challenge.qop.empty())
        return fail("digest qop '{}' is not known", challenge.qop);
    const auto count = fmt::format("{:08x}", nc);
    if (!credentials.qop.empty()) credentials.nc = count;
    if (!credentials.qop.empty() || is_session(*algorithm)) credentials.cnonce = cnonce;
    const auto response = response_of(credentials, method, secret, body);
    if (!response) return fail("the digest needs a cnonce");
    credentials.response = *response;
    return credentials.text();
}

}  // namespace strowger::sip
