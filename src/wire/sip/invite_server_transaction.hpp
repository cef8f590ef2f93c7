#pragma once

#include "base/time.hpp"
#include "wire/sip/transaction_effects.hpp"
#include "wire/sip/transaction_timers.hpp"

namespace strowger::sip {

/// States and timers of an INVITE that came to us (RFC 3261 section 17.2.1, RFC 6026 section 7.1).
/// It holds no message; the layer does what the returned effects say.
class InviteServerTransaction {
public:
    enum class State { proceeding, completed, confirmed, accepted, terminated };

    InviteServerTransaction(const TransactionTimers& timers, bool reliable, Time now);

    Effect receive_invite();  ///< a copy of the INVITE
    Effect receive_ack(Time now);
    /// `none` when that response is out of place (after a final one, other than 2xx after 2xx).
    Effect respond(int status, Time now);
    Effect tick(Time now);
    Time deadline() const;

    State state() const { return state_; }
    bool over() const { return state_ == State::terminated; }

private:
    const TransactionTimers* timers_;
    Time repeat_at_ = Time::max();  ///< G, and the 200 ms until a 100
    Time end_at_ = Time::max();     ///< H, I or L
    Duration interval_{};
    State state_ = State::proceeding;
    bool reliable_;
    bool responded_ = false;
};

}  // namespace strowger::sip
