#pragma once

#include <cstdint>
#include <string>

#include "wire/sctp/association.hpp"

namespace strowger::datachannel {

/// What a channel is like, in both directions (RFC 8831 section 6.4).
struct Settings {
    std::string label;
    std::string protocol;
    bool ordered = true;
    sctp::Reliability reliability;
    std::uint16_t priority = 256;  ///< "normal", RFC 8831 section 6.4

    bool operator==(const Settings&) const = default;
};

}  // namespace strowger::datachannel
