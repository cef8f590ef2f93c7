#include "wire/sip/non_invite_client_transaction.hpp"

#include <algorithm>

namespace strowger::sip {

NonInviteClientTransaction::NonInviteClientTransaction(const TransactionTimers& timers,
                                                       bool reliable, Time now)
    : timers_(&timers), end_at_(now + timers.patience), interval_(timers.t1), reliable_(reliable) {
    if (!reliable_) repeat_at_ = now + interval_;
}

Effect NonInviteClientTransaction::receive_response(int status, Time now) {
    if (state_ == State::completed || state_ == State::terminated) return Effect::none;
    if (status < 200) {
        state_ = State::proceeding;
        return Effect::deliver;
    }
    state_ = reliable_ ? State::terminated : State::completed;
    repeat_at_ = Time::max();
    end_at_ = reliable_ ? Time::max() : now + timers_->t4;  // K
    return Effect::deliver;
}

Effect NonInviteClientTransaction::tick(Time now) {
    if (now >= end_at_) {
        const bool unanswered = state_ != State::completed;
        state_ = State::terminated;
        end_at_ = repeat_at_ = Time::max();
        return unanswered ? Effect::timeout : Effect::none;
    }
    if (now < repeat_at_) return Effect::none;
    interval_ = state_ == State::proceeding ? timers_->t2 : std::min(interval_ * 2, timers_->t2);
    repeat_at_ = now + interval_;
    return Effect::transmit;
}

Time NonInviteClientTransaction::deadline() const { return std::min(repeat_at_, end_at_); }

}  // namespace strowger::sip
