#pragma once

#include <cstdint>
#include <string>

#include "base/address.hpp"
#include "wire/sip/method.hpp"

namespace strowger::sip {

/// Where bytes came from or go to. `flow` names the bound socket (UDP) or the connection (streams)
/// within the owner; 0 asks the owner to choose or to open one. Replies go where requests came
/// from.
struct Flow {
    Transport transport = Transport::udp;
    SocketAddress local;
    SocketAddress remote;
    std::uint64_t id = 0;

    bool operator==(const Flow&) const = default;
};

/// Bytes that a machine wants sent.
struct Transmit {
    Flow flow;
    std::string bytes;
};

}  // namespace strowger::sip
