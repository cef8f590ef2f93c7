#pragma once

#include <usrsctp.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

namespace strowger::sctp {

/// Puts the checksum into a packet of a test's own.
inline void seal(std::vector<std::uint8_t>& packet) {
    std::fill(packet.begin() + 8, packet.begin() + 12, std::uint8_t{0});
    const auto sum = usrsctp_crc32c(packet.data(), packet.size());
    std::memcpy(packet.data() + 8, &sum, sizeof sum);
}

}  // namespace strowger::sctp
