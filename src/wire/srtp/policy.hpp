#pragma once

#include "base/result.hpp"
#include "wire/srtp/suite.hpp"

namespace strowger::srtp {

/// A suite, with what the session parameters of SDES take away from it (RFC 4568 section 6.3).
struct Policy {
    Suite suite = Suite::aes_cm_128_hmac_sha1_80;
    bool encrypt_rtp = true;       ///< false: UNENCRYPTED_SRTP
    bool encrypt_rtcp = true;      ///< false: UNENCRYPTED_SRTCP
    bool authenticate_rtp = true;  ///< false: UNAUTHENTICATED_SRTP; RTCP always is

    bool operator==(const Policy&) const = default;
};

/// RFC 7714 section 8.2: RTP under AEAD is always encrypted and authenticated.
inline Result<> check(const Policy& policy) {
    const auto& info = info_of(policy.suite);
    if (info.cipher == Cipher::aes_gcm && !(policy.encrypt_rtp && policy.authenticate_rtp)) {
        return fail("{} goes neither with UNENCRYPTED_SRTP nor with UNAUTHENTICATED_SRTP",
                    info.name);
    }
    return {};
}

}  // namespace strowger::srtp
