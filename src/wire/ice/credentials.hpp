#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace strowger::ice {

/// The user name fragment and password of one side (RFC 8839 section 5.4).
struct Credentials {
    static constexpr std::size_t min_ufrag = 4, min_pwd = 22, max_size = 256;  // both at most 256

    std::string ufrag;
    std::string pwd;

    /// Fresh ones from OpenSSL's generator, as they are keys: 48 and 144 bits of chance (RFC 8445
    /// section 5.3 asks for 24 and 128).
    static Credentials generate();
    /// As a peer gave them; fails on lengths and characters that the standard does not allow.
    static Result<Credentials> check(std::string_view ufrag, std::string_view pwd);

    bool empty() const { return ufrag.empty(); }
    bool operator==(const Credentials&) const = default;
};

/// A character of fragments, passwords and foundations: letters, digits, '+' and '/'.
bool is_ice_char(char c);

}  // namespace strowger::ice
