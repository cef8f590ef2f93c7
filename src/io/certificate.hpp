#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"

namespace strowger::io {

/// A certificate with its key, both PEM.
struct Certificate {
    std::string certificate, key;
    std::string sha256;  ///< of the first certificate's DER form, in lower-case hexadecimal
};

/// Signs itself: ECDSA on P-256, for peers that know its hash, as pages do of WebTransport servers
/// (serverCertificateHashes takes no other kind, and none that is valid for more than 14 days).
Result<Certificate> make_certificate(const std::vector<std::string>& dns_names, WallTime from,
                                     Duration lifetime);

/// The digest of the first certificate in a PEM text.
Result<std::string> certificate_sha256(std::string_view pem);

}  // namespace strowger::io
