#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace strowger::sip {

/// More parameters than any scheme defines are an attack.
inline constexpr std::size_t max_auth_parameters = 32;

/// WWW-Authenticate or Proxy-Authenticate (RFC 7616 section 3.3). Values are as they stand between
/// their quotes, escapes kept: that is what digests are computed over.
struct Challenge {
    static Result<Challenge> parse(std::string_view value);

    std::string_view scheme;  ///< "Digest", or one we never heard of and whose rest is not read
    std::string_view realm, nonce, opaque, algorithm, qop, domain;
    bool stale = false;

    bool is_digest() const;
    bool offers_qop(std::string_view name) const;  ///< "auth" or "auth-int"
    std::string text() const;
};

/// Authorization or Proxy-Authorization (RFC 7616 section 3.4).
struct Credentials {
    static Result<Credentials> parse(std::string_view value);

    std::string_view scheme;
    std::string_view username, realm, nonce, uri, response, algorithm, cnonce, opaque, qop, nc;

    bool is_digest() const;
    std::string text() const;
};

}  // namespace strowger::sip
