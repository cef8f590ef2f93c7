#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.hpp"

/// The WebSocket protocol (RFC 6455) as a server speaks it, without extensions.
namespace strowger::websocket {

/// Section 5.2; what is not here is reserved.
enum class Opcode : std::uint8_t {
    continuation = 0x0,
    text = 0x1,
    binary = 0x2,
    close = 0x8,
    ping = 0x9,
    pong = 0xa,
};

/// Section 7.4.1.
enum class CloseCode : std::uint16_t {
    normal = 1000,
    protocol_error = 1002,
    none = 1005,  ///< the peer gave no code; never sent
    not_utf8 = 1007,
    too_large = 1009,
    try_again_later = 1013,  ///< registered with IANA
};

/// Section 5.5: of a ping, a pong, or a close with its code.
inline constexpr std::size_t max_control_payload = 125;

/// What stands before a payload of that size: a whole message in one frame, unmasked as a server
/// sends it (section 5.1).
std::string frame_header(Opcode opcode, std::size_t payload);

/// The payload of a close frame; a reason that is too long is cut between characters.
std::string close_payload(int code, std::string_view reason);

/// Whether a peer may send this code (section 7.4).
bool is_close_code(int code);

/// The server's answer to Sec-WebSocket-Key (section 4.2.2).
std::string accept_value(std::string_view key);

/// Whether it is base64 of 16 bytes, as section 4.1 has it.
bool is_key(std::string_view key);

}  // namespace strowger::websocket
