#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.hpp"
#include "wire/sip/uri.hpp"

namespace strowger::sip {

/// One Contact value (RFC 3261 section 20.10) with what a registrar reads from it.
struct Contact {
    static constexpr int highest_q = 1000;
    static constexpr std::uint32_t default_expires = 3600;  ///< for a malformed one, section 20.10

    static Result<Contact> parse(std::string_view value);

    bool wildcard = false;  ///< "*": every binding; nothing else is set then
    NameAddress address;
    std::optional<std::uint32_t> expires;  ///< seconds
    int q = highest_q;                     ///< in thousandths
    std::string_view instance;            ///< +sip.instance as it came, "<urn:uuid:...>" (RFC 5626)
    std::optional<std::uint32_t> reg_id;  ///< 1 or more
};

}  // namespace strowger::sip
