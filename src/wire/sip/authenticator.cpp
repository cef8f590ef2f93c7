#include "wire/sip/authenticator.hpp"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <charconv>
#include <stdexcept>

#include "base/text.hpp"

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

/// HMAC-SHA-256 (RFC 2104) with the two states after the key kept, so that a nonce costs two short
/// hashes and no set-up.
class Authenticator::NonceHash {
public:
    explicit NonceHash(const Key& key)
        : sha256_(EVP_MD_fetch(nullptr, "SHA2-256", nullptr)),
          inner_(keyed(key, 0x36)),
          outer_(keyed(key, 0x5c)),
          work_(EVP_MD_CTX_new()) {}

    std::string operator()(std::string_view text) const {
        std::array<unsigned char, EVP_MAX_MD_SIZE> hash{};
        unsigned size = 0;
        const bool good = EVP_MD_CTX_copy_ex(work_.get(), inner_.get()) == 1 &&
                          EVP_DigestUpdate(work_.get(), text.data(), text.size()) == 1 &&
                          EVP_DigestFinal_ex(work_.get(), hash.data(), &size) == 1 &&
                          EVP_MD_CTX_copy_ex(work_.get(), outer_.get()) == 1 &&
                          EVP_DigestUpdate(work_.get(), hash.data(), size) == 1 &&
                          EVP_DigestFinal_ex(work_.get(), hash.data(), &size) == 1;
        if (!good) throw std::runtime_error("OpenSSL could not compute an HMAC");
        return to_hex({reinterpret_cast<const char*>(hash.data()), hash_digits / 2});
    }

private:
    struct Free {
        void operator()(EVP_MD* hash) const { EVP_MD_free(hash); }
        void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
    };
    using Context = std::unique_ptr<EVP_MD_CTX, Free>;

    Context keyed(const Key& key, std::uint8_t pad) const {
        std::array<std::uint8_t, 64> block{};  // the block size of SHA-256
        std::copy(key.begin(), key.end(), block.begin());
        for (auto& byte : block) byte ^= pad;
        Context context(EVP_MD_CTX_new());
        if (!sha256_ || EVP_DigestInit_ex2(context.get(), sha256_.get(), nullptr) != 1 ||
            EVP_DigestUpdate(context.get(), block.data(), block.size()) != 1)
            throw std::runtime_error("OpenSSL has no SHA-256");
        return context;
    }

    std::unique_ptr<EVP_MD, Free> sha256_;
    Context inner_, outer_, work_;
};

Authenticator::Key Authenticator::random_key() {
    Key key{};
    if (RAND_bytes(key.data(), static_cast<int>(key.size())) != 1)
        throw std::runtime_error("OpenSSL has no randomness");
    return key;
}

Authenticator::Authenticator(Config config, const Key& key)
    : config_(std::move(config)),
      hash_(std::make_unique<NonceHash>(key)),
      opaque_((*hash_)("opaque")) {}
Authenticator::~Authenticator() = default;
Authenticator::Authenticator(Authenticator&&) noexcept = default;
Authenticator& Authenticator::operator=(Authenticator&&) noexcept = default;

std::string Authenticator::nonce(Time now) const {
    auto nonce = fmt::format("{:016x}", static_cast<std::uint64_t>(milliseconds(now)));
    nonce += (*hash_)(nonce + config_.realm);
    return nonce;
}

bool Authenticator::is_fresh(std::string_view nonce, Time now) const {
    if (nonce.size() != time_digits + hash_digits) return false;
    const auto time = nonce.substr(0, time_digits);
    if (!same(nonce.substr(time_digits), (*hash_)(std::string(time) + config_.realm))) return false;
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
