#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/base64.hpp"
#include "base/result.hpp"
#include "wire/srtp/master_key.hpp"
#include "wire/srtp/policy.hpp"

namespace strowger::srtp {

/// One key of an `a=crypto`.
struct SdesKey {
    IdentifiedKey key;
    std::optional<std::uint64_t> lifetime;  ///< in packets

    bool operator==(const SdesKey&) const = default;
};

enum class FecOrder : std::uint8_t { fec_first, srtp_first };

/// The value of one `a=crypto` attribute (RFC 4568 section 9.1):
/// `1 AES_CM_128_HMAC_SHA1_80 inline:BASE64|2^20|1:4 UNENCRYPTED_SRTCP`.
struct Crypto {
    std::uint32_t tag = 1;
    Policy policy;
    std::vector<SdesKey> keys;                      ///< at least one
    std::optional<std::uint32_t> window_size_hint;  ///< WSH; our windows are wider than any seen
    std::optional<FecOrder> fec_order;

    bool operator==(const Crypto&) const = default;

    /// The keys alone, as `Receiver::make` takes them.
    std::vector<IdentifiedKey> identified_keys() const;
};

/// Why an attribute is of no use, as the code of the Error.
enum class SdesFault : int { malformed = 1, unknown_suite, unsupported };

/// Section 9.1 sets no bounds; a line beyond these is no key of anybody's.
constexpr std::size_t max_crypto_size = 4096;

/// `value` is what follows `a=crypto:`. A suite, a key derivation rate or a session parameter that
/// we do not know makes the attribute one that the offerer meant for somebody else: skip it and
/// look at the next (section 5.1.2). Parameters that begin with "-" are ignored (section 6.3.7),
/// and so is FEC_KEY, as we never decode FEC.
Result<Crypto> parse_crypto(std::string_view value);

/// What follows `a=crypto:`. Older phones cannot read padded keys, others insist on them.
std::string print(const Crypto& crypto, Padding padding = Padding::omitted);

}  // namespace strowger::srtp
