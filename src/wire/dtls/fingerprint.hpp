#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace strowger::dtls {

/// The hashes of RFC 8122 that we compare by, the weakest first. MD5 and MD2 are none of them.
enum class Hash : std::uint8_t { sha_1, sha_224, sha_256, sha_384, sha_512 };

std::string_view name_of(Hash hash);  ///< as in SDP: "sha-256"
std::optional<Hash> hash_named(std::string_view name);

/// The value of `a=fingerprint` (RFC 8122 section 5): the hash of a certificate in DER.
class Fingerprint {
public:
    static Fingerprint of(Hash hash, Bytes certificate);
    /// `sha-256 4A:AD:…`, in any case. The code of the Error is `unknown_hash` for a hash that we
    /// do not know, which is a line to skip, and 0 for a line that is broken.
    static Result<Fingerprint> parse(std::string_view value);
    static constexpr int unknown_hash = 1;

    Hash hash() const { return hash_; }
    Bytes bytes() const { return Bytes(bytes_).first(size_); }
    std::string text() const;  ///< as it stands in SDP, in capitals

    bool operator==(const Fingerprint&) const = default;

private:
    static constexpr std::size_t max_size = 64;

    Hash hash_ = Hash::sha_256;
    std::uint8_t size_ = 0;
    std::array<std::uint8_t, max_size> bytes_{};
};

/// More than one a certificate and hash makes no sense of any size beyond this.
constexpr std::size_t max_fingerprints = 16;

/// Is this the certificate that was announced? It must match one fingerprint of the strongest hash
/// among them (RFC 8122 section 5); SHA-1 alone is trusted only where `accept_sha_1`.
Result<> check_certificate(std::span<const Fingerprint> announced, Bytes certificate,
                           bool accept_sha_1);

}  // namespace strowger::dtls
