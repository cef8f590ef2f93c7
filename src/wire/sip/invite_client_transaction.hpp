#pragma once

#include "base/time.hpp"
#include "wire/sip/transaction_effects.hpp"
#include "wire/sip/transaction_timers.hpp"

namespace strowger::sip {

/// States and timers of an INVITE of ours (RFC 3261 section 17.1.1, RFC 6026 section 7.2). The
/// layer sends the request when it makes one of these.
class InviteClientTransaction {
public:
    enum class State { calling, proceeding, completed, accepted, terminated };

    InviteClientTransaction(const TransactionTimers& timers, bool reliable, Time now);

    Effect receive_response(int status, Time now);
    /// The CANCEL went out: from now on the final response is waited for only so long
    /// (section 9.1).
    void cancelled(Time now);
    /// Its dialog has ended, whatever the answer will be: it is over after so long in any case.
    void abandoned(Time now);
    Effect tick(Time now);
    Time deadline() const;

    State state() const { return state_; }
    bool over() const { return state_ == State::terminated; }

private:
    const TransactionTimers* timers_;
    Time repeat_at_ = Time::max();  ///< A
    Time end_at_ = Time::max();     ///< B, D, M, or the patience after a CANCEL
    Duration interval_{};
    State state_ = State::calling;
    bool reliable_;
    bool abandoned_ = false;
};

}  // namespace strowger::sip
