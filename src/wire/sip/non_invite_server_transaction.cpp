#include "wire/sip/non_invite_server_transaction.hpp"

namespace strowger::sip {

NonInviteServerTransaction::NonInviteServerTransaction(const TransactionTimers& timers,
                                                       bool reliable, Time now)
    : timers_(&timers), end_at_(now + timers.patience), reliable_(reliable) {}

Effect NonInviteServerTransaction::receive_request() const {
    const bool answered = state_ == State::proceeding || state_ == State::completed;
    return answered ? Effect::transmit : Effect::none;
}

Effect NonInviteServerTransaction::respond(int status, Time now) {
    if (state_ == State::completed || state_ == State::terminated) return Effect::none;
    if (status < 200) {
        state_ = State::proceeding;
        return Effect::transmit;
    }
    state_ = reliable_ ? State::terminated : State::completed;
    end_at_ = reliable_ ? Time::max() : now + timers_->patience;  // J
    return Effect::transmit;
}

Effect NonInviteServerTransaction::tick(Time now) {
    if (now < end_at_) return Effect::none;
    const bool unanswered = state_ != State::completed;
    state_ = State::terminated;
    end_at_ = Time::max();
    return unanswered ? Effect::timeout : Effect::none;
}

}  // namespace strowger::sip
