#pragma once

#include "base/time.hpp"
#include "wire/sip/transaction_effects.hpp"
#include "wire/sip/transaction_timers.hpp"

namespace strowger::sip {

/// States and timers of any other request of ours (RFC 3261 section 17.1.2).
class NonInviteClientTransaction {
public:
    enum class State { trying, proceeding, completed, terminated };

    NonInviteClientTransaction(const TransactionTimers& timers, bool reliable, Time now);

    Effect receive_response(int status, Time now);
    Effect tick(Time now);
    Time deadline() const;

    State state() const { return state_; }
    bool over() const { return state_ == State::terminated; }

private:
    const TransactionTimers* timers_;
    Time repeat_at_ = Time::max();  ///< E
    Time end_at_;                   ///< F, then K
    Duration interval_;
    State state_ = State::trying;
    bool reliable_;
};

}  // namespace strowger::sip
