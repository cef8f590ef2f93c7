#pragma once

#include "base/time.hpp"
#include "wire/sip/transaction_effects.hpp"
#include "wire/sip/transaction_timers.hpp"

namespace strowger::sip {

/// States and timers of any other request that came to us (RFC 3261 section 17.2.2).
class NonInviteServerTransaction {
public:
    enum class State { trying, proceeding, completed, terminated };

    /// A user that gives no final response within the client's own patience is told so and the
    /// transaction dropped: an answer would reach nobody (RFC 4320 section 4.2).
    NonInviteServerTransaction(const TransactionTimers& timers, bool reliable, Time now);

    Effect receive_request() const;  ///< a copy of the request
    Effect respond(int status, Time now);
    Effect tick(Time now);
    Time deadline() const { return end_at_; }

    State state() const { return state_; }
    bool over() const { return state_ == State::terminated; }

private:
    const TransactionTimers* timers_;
    Time end_at_;  ///< J, or the client's patience
    State state_ = State::trying;
    bool reliable_;
};

}  // namespace strowger::sip
