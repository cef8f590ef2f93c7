#pragma once

#include <cstdint>
#include <optional>

#include "base/time.hpp"
#include "wire/stun/transaction_id.hpp"

namespace strowger::stun {

/// When a request over UDP is sent, sent again and given up (RFC 8489 section 6.2.1).
///
/// The owner sends the request whenever `tick` says so, the first time at once, and drops the
/// transaction when its response has come.
class ClientTransaction {
public:
    struct Timers {
        Duration rto = std::chrono::milliseconds{500};  ///< before the first repetition; doubles
        std::uint8_t tries = 7;                         ///< Rc: times that the request is sent
        std::uint8_t last_wait = 16;                    ///< Rm: in RTO, after the last of them
    };
    enum class Event : std::uint8_t { send, timed_out };

    ClientTransaction() = default;  ///< one that has nothing to do
    ClientTransaction(const TransactionId& id, const Timers& timers, Time now)
        : id_(id), timers_(timers), wait_(timers.rto), due_(now) {}

    const TransactionId& id() const { return id_; }
    unsigned sent() const { return sent_; }
    Time sent_at() const { return sent_at_; }  ///< the last time

    /// `Time::max()` once timed out.
    Time deadline() const { return due_; }
    std::optional<Event> tick(Time now);
    /// Nothing more is sent; a response may still come.
    void stop() { due_ = Time::max(); }

private:
    TransactionId id_;
    Timers timers_;
    Duration wait_{};
    Time due_ = Time::max();
    Time sent_at_{};
    std::uint8_t sent_ = 0;
};

}  // namespace strowger::stun
