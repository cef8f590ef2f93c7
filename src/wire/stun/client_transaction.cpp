#include "wire/stun/client_transaction.hpp"

namespace strowger::stun {

std::optional<ClientTransaction::Event> ClientTransaction::tick(Time now) {
    if (now < due_) return std::nullopt;
    if (sent_ == timers_.tries) {
        due_ = Time::max();
        return Event::timed_out;
    }
    ++sent_;
    sent_at_ = now;
    due_ = now + (sent_ == timers_.tries ? timers_.rto * timers_.last_wait : wait_);
    wait_ *= 2;
    return Event::send;
}

}  // namespace strowger::stun
