#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/random.hpp"

namespace strowger::io {

/// RFC 2782.
struct SrvRecord {
    std::uint16_t priority = 0;
    std::uint16_t weight = 0;
    std::uint16_t port = 0;
    std::string target;
    bool operator==(const SrvRecord&) const = default;
};

/// RFC 3403.
struct NaptrRecord {
    std::uint16_t order = 0;
    std::uint16_t preference = 0;
    std::string flags;    ///< "s", "a", "u", "p"
    std::string service;  ///< "SIP+D2U", "SIPS+D2T"
    std::string regexp;
    std::string replacement;
    bool operator==(const NaptrRecord&) const = default;
};

/// The order in which to try servers: by priority, and within one at random with the chance of each
/// in proportion to its weight (RFC 2782, "Usage rules").
void order_srv(std::vector<SrvRecord>& records, Random& random);

/// By order, then preference (RFC 3403 section 4.1).
void order_naptr(std::vector<NaptrRecord>& records);

}  // namespace strowger::io
