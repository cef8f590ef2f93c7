#include "wire/sip/authenticator.hpp"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <stdexcept>

#include "base/text.hpp"
#include "wire/sip/keyed_hash.hpp"

namespace strowger::sip {

namespace {

constexpr std::size_t time_digits = 16;  // milliseconds, in hexadecimal
constexpr std::size_t hash_digits = 32;  // 128 bits: nobody guesses that within a lifetime

/// Both are compared in full, whatever they hold.
bool same(std::string_view a, std::string_view b) {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::int64_t milliseconds(Time time) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

}  // namespace

/// 128 bits that nobody finds without the key: SipHash-2-4, a pseudorandom function made to
/// authenticate short texts, under each half of the key. A flood of requests costs us two of these
/// each, a fifth of what an HMAC over SHA-256 does.
Authenticator::NonceHash::NonceHash(const Key& key) {
    static_assert(sizeof keys_ == sizeof key);
    std::memcpy(&keys_, key.data(), key.size());
}

std::string Authenticator::NonceHash::operator()(std::string_view text) const {
    const std::array<std::uint64_t, 2> hash{keyed_hash(keys_[0], text), keyed_hash(keys_[1], text)};
    return to_hex({reinterpret_cast<const char*>(hash.data()), sizeof hash});
}

Authenticator::Key Authenticator::random_key() {
    Key key{};
    if (RAND_bytes(key.data(), static_cast<int>(key.size())) != 1)
        throw std::runtime_error("OpenSSL has no randomness");
    return key;
}

Authenticator::Authenticator(Config config, const Key& key)
    : config_(std::move(config)), hash_(key), opaque_(hash_("opaque")) {}

std::string Authenticator::nonce(Time now) const {
    auto nonce = fmt::format("{:016x}", static_cast<std::uint64_t>(milliseconds(now)));
    nonce += hash_(nonce + config_.realm);
    return nonce;
}

bool Authenticator::is_fresh(std::string_view nonce, Time now) const {
    if (nonce.size() != time_digits + hash_digits) return false;
    const auto time = nonce.substr(0, time_digits);
    if (!same(nonce.substr(time_digits), hash_(std::string(time) + config_.realm))) return false;
    std::uint64_t issued = 0;
    std::from_chars(time.data(), time.data() + time.size(), issued, 16);
    const auto age =
        std::chrono::milliseconds{milliseconds(now) - static_cast<std::int64_t>(issued)};
    return age >= Duration::zero() && age <= config_.nonce_lifetime;
}

std::vector<std::string> Authenticator::challenges(Time now, bool stale) const {
    const auto fresh = nonce(now);
    std::vector<std::string> values;
    for (const auto algorithm : config_.algorithms) {
        Challenge challenge;
        challenge.scheme = "Digest";
        challenge.realm = config_.realm;
        challenge.nonce = fresh;
        challenge.algorithm = name_of(algorithm);
        // auth-int is accepted but not asked for: some phones pick it and then get bodies wrong.
        challenge.qop = "auth";
        challenge.opaque = opaque_;
        challenge.stale = stale;
        values.push_back(challenge.text());
    }
    return values;
}

Authenticator::Verdict Authenticator::verify(const Credentials& credentials,
                                             std::string_view method, const Secret& secret,
                                             Time now, std::string_view body) const {
    if (!credentials.is_digest() || credentials.realm != config_.realm) return Verdict::malformed;
    const auto algorithm = algorithm_by_name(credentials.algorithm);
    if (!algorithm || std::find(config_.algorithms.begin(), config_.algorithms.end(), *algorithm) ==
                          config_.algorithms.end())
        return Verdict::malformed;
    const auto expected = response_of(credentials, method, secret, body);
    if (!expected) return Verdict::malformed;
    if (!same(*expected, credentials.response)) return Verdict::wrong;
    return is_fresh(credentials.nonce, now) ? Verdict::ok : Verdict::stale;
}

}  // namespace strowger::sip
