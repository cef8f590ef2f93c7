#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace strowger::srtp {

/// The ways to protect media that we know, in the order in which we offer them: the best first.
enum class Suite : std::uint8_t {
    aead_aes_256_gcm,
    aead_aes_128_gcm,
    aes_256_cm_hmac_sha1_80,
    aes_256_cm_hmac_sha1_32,
    aes_192_cm_hmac_sha1_80,
    aes_192_cm_hmac_sha1_32,
    aes_cm_128_hmac_sha1_80,
    aes_cm_128_hmac_sha1_32,
    f8_128_hmac_sha1_80,
    f8_128_hmac_sha1_32,
    null_hmac_sha1_80,
    null_hmac_sha1_32,
};

enum class Cipher : std::uint8_t { aes_gcm, aes_cm, aes_f8, null };

/// What a suite fixes; sizes in bytes.
struct SuiteInfo {
    Suite suite;
    std::string_view name;  ///< in `a=crypto` (RFC 4568 section 6.2, RFC 6188, RFC 7714)
    Cipher cipher;
    std::uint8_t key_size;
    std::uint8_t salt_size;
    std::uint8_t rtp_tag;
    std::uint8_t
        rtcp_tag;  ///< the short tags of the _32 suites are for RTP alone (RFC 4568 section 6.2)
    std::uint16_t
        dtls_profile;  ///< in the use_srtp extension of DTLS (RFC 5764 section 4.1.2); 0: none
};

constexpr std::array<SuiteInfo, 12> suites{{
    {Suite::aead_aes_256_gcm, "AEAD_AES_256_GCM", Cipher::aes_gcm, 32, 12, 16, 16, 0x0008},
    {Suite::aead_aes_128_gcm, "AEAD_AES_128_GCM", Cipher::aes_gcm, 16, 12, 16, 16, 0x0007},
    {Suite::aes_256_cm_hmac_sha1_80, "AES_256_CM_HMAC_SHA1_80", Cipher::aes_cm, 32, 14, 10, 10, 0},
    {Suite::aes_256_cm_hmac_sha1_32, "AES_256_CM_HMAC_SHA1_32", Cipher::aes_cm, 32, 14, 4, 10, 0},
    {Suite::aes_192_cm_hmac_sha1_80, "AES_192_CM_HMAC_SHA1_80", Cipher::aes_cm, 24, 14, 10, 10, 0},
    {Suite::aes_192_cm_hmac_sha1_32, "AES_192_CM_HMAC_SHA1_32", Cipher::aes_cm, 24, 14, 4, 10, 0},
    {Suite::aes_cm_128_hmac_sha1_80, "AES_CM_128_HMAC_SHA1_80", Cipher::aes_cm, 16, 14, 10, 10,
     0x0001},
    {Suite::aes_cm_128_hmac_sha1_32, "AES_CM_128_HMAC_SHA1_32", Cipher::aes_cm, 16, 14, 4, 10,
     0x0002},
    {Suite::f8_128_hmac_sha1_80, "F8_128_HMAC_SHA1_80", Cipher::aes_f8, 16, 14, 10, 10, 0},
    {Suite::f8_128_hmac_sha1_32, "F8_128_HMAC_SHA1_32", Cipher::aes_f8, 16, 14, 4, 10, 0},
    {Suite::null_hmac_sha1_80, "NULL_HMAC_SHA1_80", Cipher::null, 16, 14, 10, 10, 0},
    {Suite::null_hmac_sha1_32, "NULL_HMAC_SHA1_32", Cipher::null, 16, 14, 4, 10, 0},
}};

constexpr const SuiteInfo& info_of(Suite suite) { return suites[static_cast<std::size_t>(suite)]; }

/// By its name in `a=crypto`, in any case; also the spelling AES_CM_256_… that older phones use.
std::optional<Suite> suite_named(std::string_view name);

/// By its number in the use_srtp extension.
std::optional<Suite> suite_of_dtls_profile(std::uint16_t profile);

}  // namespace strowger::srtp
