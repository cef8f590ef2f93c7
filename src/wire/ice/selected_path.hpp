#pragma once

#include <algorithm>
#include <array>
#include <optional>

#include "base/random.hpp"
#include "base/time.hpp"
#include "wire/ice/consent.hpp"
#include "wire/ice/transmit.hpp"
#include "wire/stun/transaction_id.hpp"

namespace strowger::ice {

/// The pair that a component's data goes over, and the consent to send it (RFC 7675).
struct SelectedPath {
    SocketId socket = 0;
    SocketAddress remote;
    std::uint32_t local_priority = 0;
    std::uint64_t priority = 0;
    Time nominated_at{};       ///< the last time
    bool of_previous = false;  ///< chosen before the ICE restart that is under way
    Consent consent;

    /// Checks that may still be answered: those of about twenty seconds. An answer to an older one
    /// says too little about now.
    std::array<stun::TransactionId, 4> outstanding{};
    std::size_t checks = 0;

    /// Authentic checks come from elsewhere: the peer has another path as well, or a NAT has given
    /// it another port and this path is dead. Which of the two, the old path is asked.
    struct Move {
        SocketId socket = 0;
        SocketAddress remote;
        Time since{};
        Time next_question{};
        bool confirmed = false;  ///< the peer has answered a check of ours from there
    };
    std::optional<Move> move;

    bool is(SocketId other_socket, const SocketAddress& other) const {
        return socket == other_socket && remote == other;
    }

    stun::TransactionId new_check(Random& random) {
        return outstanding[checks++ % outstanding.size()] = stun::TransactionId::make(random);
    }
    bool has_check(const stun::TransactionId& id) const {
        return id != stun::TransactionId{} &&
               std::find(outstanding.begin(), outstanding.end(), id) != outstanding.end();
    }
};

}  // namespace strowger::ice
