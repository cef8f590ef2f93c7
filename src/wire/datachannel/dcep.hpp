#pragma once

#include <optional>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "wire/datachannel/settings.hpp"

namespace strowger::datachannel {

/// The two messages of the Data Channel Establishment Protocol (RFC 8832 section 5).

/// Of label and of protocol: applications use some dozen characters, and a peer may open 256
/// channels.
constexpr std::size_t max_text = 4096;

constexpr std::uint8_t open_type = 0x03;
constexpr std::uint8_t ack_type = 0x02;

/// DATA_CHANNEL_OPEN.
Result<Settings> parse_open(Bytes message);
std::vector<std::uint8_t> write_open(const Settings& settings);

/// DATA_CHANNEL_ACK: one byte.
inline bool is_ack(Bytes message) { return message.size() == 1 && message[0] == ack_type; }

}  // namespace strowger::datachannel
