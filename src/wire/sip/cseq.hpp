#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace strowger::sip {

/// CSeq (RFC 3261 section 20.16): "4711 INVITE".
struct CSeq {
    static constexpr std::uint32_t max_number = 0x7fffffff;  ///< section 8.1.1.5

    static Result<CSeq> parse(std::string_view value);

    std::uint32_t number = 0;
    std::string_view method;
};

/// RAck (RFC 3262 section 7.2): which reliable provisional response a PRACK acknowledges.
struct RAck {
    static Result<RAck> parse(std::string_view value);

    std::uint32_t rseq = 0;
    std::uint32_t cseq = 0;
    std::string_view method;

    std::string text() const;  ///< "776656 1 INVITE"
};

}  // namespace strowger::sip
