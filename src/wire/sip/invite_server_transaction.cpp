#include "wire/sip/invite_server_transaction.hpp"

#include <algorithm>

namespace strowger::sip {

InviteServerTransaction::InviteServerTransaction(const TransactionTimers& timers, bool reliable,
                                                 Time now)
    : timers_(&timers), repeat_at_(now + timers.trying), reliable_(reliable) {}

Effect InviteServerTransaction::receive_invite() {
    const bool answer_again =
        state_ == State::completed || (state_ == State::proceeding && responded_);
    return answer_again ? Effect::transmit : Effect::none;
}

Effect InviteServerTransaction::receive_ack(Time now) {
    if (state_ == State::accepted) return Effect::deliver;
    if (state_ != State::completed) return Effect::none;
    state_ = reliable_ ? State::terminated : State::confirmed;
    repeat_at_ = Time::max();
    end_at_ = reliable_ ? Time::max() : now + timers_->t4;  // I
    return Effect::none;
}

Effect InviteServerTransaction::respond(int status, Time now) {
    const bool success = status >= 200 && status < 300;
    if (state_ == State::accepted) return success ? Effect::transmit : Effect::none;
    if (state_ != State::proceeding) return Effect::none;
    responded_ = true;
    repeat_at_ = Time::max();
    if (status < 200) return Effect::transmit;
    end_at_ = now + timers_->patience;  // L or H
    state_ = success ? State::accepted : State::completed;
    if (!success && !reliable_) {
        interval_ = timers_->t1;
        repeat_at_ = now + interval_;  // G
    }
    return Effect::transmit;
}

Effect InviteServerTransaction::tick(Time now) {
    if (now >= end_at_) {
        const bool unacknowledged = state_ == State::completed;
        state_ = State::terminated;
        end_at_ = repeat_at_ = Time::max();
        return unacknowledged ? Effect::timeout : Effect::none;
    }
    if (now < repeat_at_) return Effect::none;
    if (state_ == State::proceeding) {
        repeat_at_ = Time::max();
        responded_ = true;
        return Effect::send_trying;
    }
    interval_ = std::min(interval_ * 2, timers_->t2);
    repeat_at_ = now + interval_;
    return Effect::transmit;
}

Time InviteServerTransaction::deadline() const { return std::min(repeat_at_, end_at_); }

}  // namespace strowger::sip
