#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"
#include "wire/sip/auth.hpp"
#include "wire/sip/digest.hpp"

namespace strowger::sip {

/// The server's side of digest authentication for one realm (RFC 3261 section 22, RFC 8760).
///
/// Keeps no state a challenge: a nonce is its time of issue and a keyed hash over it, so a flood of
/// requests without credentials fills no memory. Within its lifetime a nonce may be used again; a
/// nonce that is too old, or was issued before a restart, is answered with stale=true when the
/// digest itself was right, and a phone then tries again without asking its user.
class Authenticator {
public:
    using Key = std::array<std::uint8_t, 32>;
    static Key random_key();  ///< from OpenSSL

    struct Config {
        std::string realm;
        /// One challenge each, in this order; clients take the first that they know.
        std::vector<Algorithm> algorithms = {Algorithm::md5};
        Duration nonce_lifetime =
            std::chrono::seconds{32};  ///< covers the retransmissions of one request
    };

    enum class Verdict : std::uint8_t {
        ok,
        wrong,      ///< the digest does not fit the secret: challenge again
        stale,      ///< the digest fits, the nonce does not: challenge with `stale`
        malformed,  ///< not digest, another realm, or an algorithm or qop never offered
    };

    Authenticator(Config config, const Key& key);

    /// The WWW-Authenticate or Proxy-Authenticate values of one response.
    std::vector<std::string> challenges(Time now, bool stale = false) const;

    /// For an unknown user pass any secret and ignore the verdict: so the answer takes as long as
    /// for a known one. The digest's own `uri` is what is hashed; whether it means the Request-URI
    /// is not checked, since proxies on the way may have rewritten that (section 22.1).
    Verdict verify(const Credentials& credentials, std::string_view method, const Secret& secret,
                   Time now, std::string_view body = {}) const;

    const std::string& realm() const { return config_.realm; }

private:
    class NonceHash {
    public:
        explicit NonceHash(const Key& key);
        std::string operator()(std::string_view text) const;

    private:
        std::array<std::array<std::uint64_t, 2>, 2> keys_;
    };

    std::string nonce(Time now) const;
    bool is_fresh(std::string_view nonce, Time now) const;

    Config config_;
    NonceHash hash_;
    std::string opaque_;  ///< old clients expect one; it tells nothing and is not checked
};

}  // namespace strowger::sip
