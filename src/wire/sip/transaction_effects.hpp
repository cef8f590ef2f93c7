#pragma once

#include <cstdint>

namespace strowger::sip {

/// What a step of a transaction machine asks of the layer that holds it; several at once.
enum class Effect : std::uint8_t {
    none = 0,
    transmit = 1,  ///< send (again) the request or the last response
    deliver = 2,   ///< hand the message to the transaction user
    timeout = 4,   ///< tell the user that nobody answered
    send_ack = 8,  ///< send the ACK of section 17.1.1.3
    send_trying = 16,
};

constexpr Effect operator|(Effect a, Effect b) {
    return static_cast<Effect>(static_cast<std::uint8_t>(a) | static_cast<std::uint8_t>(b));
}
constexpr bool has(Effect effects, Effect one) {
    return (static_cast<std::uint8_t>(effects) & static_cast<std::uint8_t>(one)) != 0;
}

}  // namespace strowger::sip
