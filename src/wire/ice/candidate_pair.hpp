#pragma once

#include <cstdint>

#include "base/address.hpp"
#include "base/time.hpp"
#include "wire/ice/role.hpp"
#include "wire/ice/transmit.hpp"
#include "wire/stun/client_transaction.hpp"

namespace strowger::ice {

/// One of our sockets and one address of the peer's, and how far their check has come (RFC 8445
/// section 6.1.2.6). Reflexive candidates of ours have merged with the socket behind them, which is
/// what they are sent from (section 6.1.2.4).
struct CandidatePair {
    enum class State : std::uint8_t { frozen, waiting, in_progress, succeeded, failed };

    SocketId socket = 0;
    std::uint16_t component = 1;
    SocketAddress remote;
    std::uint32_t foundation = 0;  ///< of both sides together, as a number
    std::uint32_t local_priority = 0;
    std::uint32_t remote_priority = 0;
    std::uint64_t priority = 0;

    State state = State::frozen;
    bool valid = false;  ///< a check of ours was answered; on the lite side, one of theirs came
    bool authenticated = false;   ///< a check of theirs came, with right integrity
    bool nominating = false;      ///< controlling: its checks carry USE-CANDIDATE
    bool peer_nominated = false;  ///< controlled: to be selected as soon as it is valid
    Time valid_since{};

    stun::ClientTransaction transaction;
    stun::TransactionId
        cancelled;  ///< a check replaced by a triggered one; its answer still counts
    Role role_sent = Role::controlled;  ///< in the last check

    bool is_open() const {
        return state == State::frozen || state == State::waiting || state == State::in_progress;
    }
};

}  // namespace strowger::ice
