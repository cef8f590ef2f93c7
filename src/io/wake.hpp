#pragma once

#include <atomic>

namespace strowger::io {

/// Wakes a thread that sleeps in a Poller or any other loop (eventfd). Many calls of `wake` before
/// the sleeper looks cost one system call together.
class Wake {
public:
    Wake();
    ~Wake();
    Wake(const Wake&) = delete;
    Wake& operator=(const Wake&) = delete;

    int fd() const { return fd_; }  ///< readable once woken

    /// From any thread, after the work to be seen has been published.
    void wake();

    /// By the sleeper before it looks for work; what is published afterwards wakes anew.
    void acknowledge();

private:
    int fd_;
    std::atomic<bool> pending_ = false;
};

}  // namespace strowger::io
