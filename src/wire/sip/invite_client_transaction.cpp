#include "wire/sip/invite_client_transaction.hpp"

#include <algorithm>

namespace strowger::sip {

InviteClientTransaction::InviteClientTransaction(const TransactionTimers& timers, bool reliable,
                                                 Time now)
    : timers_(&timers), end_at_(now + timers.patience), interval_(timers.t1), reliable_(reliable) {
    if (!reliable_) repeat_at_ = now + interval_;
}

Effect InviteClientTransaction::receive_response(int status, Time now) {
    const bool success = status >= 200 && status < 300;
    switch (state_) {
        case State::accepted: return success ? Effect::deliver : Effect::none;
        case State::completed: return status >= 300 ? Effect::send_ack : Effect::none;
        case State::terminated: return Effect::none;
        case State::calling:
        case State::proceeding: break;
    }
    repeat_at_ = Time::max();
    if (status < 200) {
        // B ends with the first provisional response; the patience after a CANCEL does not.
        if (state_ == State::calling && !abandoned_) end_at_ = Time::max();
        state_ = State::proceeding;
        return Effect::deliver;
    }
    if (success) {
        state_ = State::accepted;
        end_at_ = now + timers_->patience;  // M
        return Effect::deliver;
    }
    state_ = reliable_ ? State::terminated : State::completed;
    end_at_ = reliable_ ? Time::max() : now + timers_->d;
    return Effect::deliver | Effect::send_ack;
}

void InviteClientTransaction::cancelled(Time now) {
    if (state_ == State::proceeding) end_at_ = now + timers_->patience;
}

void InviteClientTransaction::abandoned(Time now) {
    abandoned_ = true;
    cancelled(now);
}

Effect InviteClientTransaction::tick(Time now) {
    if (now >= end_at_) {
        const bool unanswered = state_ == State::calling || state_ == State::proceeding;
        state_ = State::terminated;
        end_at_ = repeat_at_ = Time::max();
        return unanswered ? Effect::timeout : Effect::none;
    }
    if (now < repeat_at_) return Effect::none;
    interval_ *= 2;
    repeat_at_ = now + interval_;
    return Effect::transmit;
}

Time InviteClientTransaction::deadline() const { return std::min(repeat_at_, end_at_); }

}  // namespace strowger::sip
