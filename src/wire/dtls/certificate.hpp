#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "base/time.hpp"
#include "wire/dtls/fingerprint.hpp"

struct x509_st;
struct evp_pkey_st;

namespace strowger::dtls {

/// A certificate with its private key. In DTLS-SRTP it need not be signed by anybody: its
/// fingerprint in the signalling is what the peer trusts (RFC 5763 section 5).
class Certificate {
public:
    enum class Key : std::uint8_t { ecdsa_p256, rsa };

    /// How one of our own is made.
    struct Terms {
        Key key = Key::ecdsa_p256;
        unsigned rsa_bits = 2048;  ///< of an RSA key
        Hash signature = Hash::sha_256;
        bool operator==(const Terms&) const = default;
    };
    /// OpenSSL takes no shorter key, and a longer one takes seconds to make.
    static constexpr unsigned min_rsa_bits = 2048, max_rsa_bits = 4096;

    /// A new key and a certificate that it signs itself; good for thirty days, and since yesterday
    /// for peers whose clock is slow.
    static Certificate self_signed(const Terms& terms, WallTime today);
    static Certificate self_signed(Key key, WallTime today) {
        return self_signed(Terms{.key = key}, today);
    }
    /// Texts in PEM; of several certificates the first is ours.
    static Result<Certificate> from_pem(std::string_view certificate, std::string_view key);

    Bytes der() const { return der_; }
    Fingerprint fingerprint(Hash hash = Hash::sha_256) const { return Fingerprint::of(hash, der_); }

    x509_st* x509() const { return x509_.get(); }
    evp_pkey_st* key() const { return key_.get(); }

private:
    struct Free {
        void operator()(x509_st* x509) const;
        void operator()(evp_pkey_st* key) const;
    };
    using X509Pointer = std::unique_ptr<x509_st, Free>;
    using KeyPointer = std::unique_ptr<evp_pkey_st, Free>;

    Certificate(X509Pointer x509, KeyPointer key);

    X509Pointer x509_;
    KeyPointer key_;
    std::vector<std::uint8_t> der_;
};

}  // namespace strowger::dtls
