#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "wire/sip/auth.hpp"

namespace strowger::sip {

/// The hashes of digest authentication (RFC 7616 section 3.2, RFC 8760).
enum class Algorithm : std::uint8_t {
    md5,
    md5_sess,
    sha256,
    sha256_sess,
    sha512_256,
    sha512_256_sess,
};

std::string_view name_of(Algorithm algorithm);  ///< "MD5", "SHA-256", "SHA-512-256-sess" ...
/// Case-insensitive; an empty name means MD5 (RFC 7616 section 3.3).
std::optional<Algorithm> algorithm_by_name(std::string_view name);

/// A hash in lower-case hexadecimal, held in place.
struct HexDigest {
    std::array<char, 64> text{};
    std::uint8_t size = 0;

    operator std::string_view() const { return {text.data(), size}; }
};

/// The hash of the parts joined by colons.
HexDigest digest_of(Algorithm algorithm, std::initializer_list<std::string_view> parts);

/// H(username:realm:password): what a server may keep instead of the password. For one realm and
/// one hash; the -sess variants use that of their plain hash.
HexDigest ha1_of(Algorithm algorithm, std::string_view username, std::string_view realm,
                 std::string_view password);

/// What the digest is proved with.
struct Secret {
    enum class Kind : std::uint8_t { password, ha1 };
    Kind kind = Kind::password;
    std::string_view text;  ///< the password, or H(username:realm:password) in hexadecimal

    static Secret password(std::string_view text) { return {Kind::password, text}; }
    static Secret ha1(std::string_view text) { return {Kind::ha1, text}; }
};

/// The response that belongs to these credentials (their own `response` is not looked at); nothing
/// when algorithm or qop are unknown, or qop lacks its nc or cnonce. `body` counts for auth-int
/// only.
std::optional<HexDigest> response_of(const Credentials& credentials, std::string_view method,
                                     const Secret& secret, std::string_view body = {});

/// The Authorization value that answers a challenge, over `uri` (the Request-URI). Prefers qop auth
/// to auth-int to none. `cnonce` is chance from the caller, `nc` counts the uses of this nonce from
/// 1. Fails on schemes and algorithms that we do not have.
Result<std::string> answer_challenge(const Challenge& challenge, std::string_view user,
                                     const Secret& secret, std::string_view method,
                                     std::string_view uri, std::string_view cnonce,
                                     std::uint32_t nc, std::string_view body = {});

}  // namespace strowger::sip
