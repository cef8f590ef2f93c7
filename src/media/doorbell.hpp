#pragma once

#include <atomic>

#include "io/wake.hpp"

namespace strowger::media {

/// For a thread that waits in a poller and finds work in rings as well: others wake it only when it
/// sleeps, so that a busy one costs them no system call.
///
///     bell.lie_down();
///     poller.wait(anything_in_rings() ? Duration::zero() : timeout);
///     bell.get_up();                       // and `acknowledge`, if its descriptor was readable
class Doorbell {
public:
    int fd() const { return wake_.fd(); }

    // By the owner.
    void lie_down() { asleep_.exchange(true, std::memory_order_acq_rel); }
    void get_up() { asleep_.store(false, std::memory_order_relaxed); }
    void acknowledge() { wake_.acknowledge(); }

    /// By others, after what they have for it is to be seen. Of the two exchanges one is first: the
    /// owner's, which the other then sees; or this one, and then the owner sees the work.
    void ring() {
        if (asleep_.exchange(false, std::memory_order_acq_rel)) wake_.wake();
    }

private:
    io::Wake wake_;
    std::atomic<bool> asleep_{false};
};

}  // namespace strowger::media
