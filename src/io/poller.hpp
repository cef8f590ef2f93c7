#pragma once

#include <sys/epoll.h>

#include <array>
#include <cstdint>
#include <span>

#include "base/result.hpp"
#include "base/time.hpp"

namespace strowger::io {

/// Which of many descriptors have something to read (epoll, level-triggered). The bare thing for
/// the media threads; everything else uses the Loop.
class Poller {
public:
    Poller();
    ~Poller();
    Poller(const Poller&) = delete;
    Poller& operator=(const Poller&) = delete;

    /// `key` is what `wait` gives back for it.
    Result<> add(int fd, std::uint64_t key);
    /// Needed only for a descriptor that lives on; closing one removes it.
    void remove(int fd);

    /// Sleeps until something is readable or `timeout` has passed (max(): no limit). What is
    /// returned is valid until the next call.
    std::span<const epoll_event> wait(Duration timeout);

private:
    static constexpr int batch = 256;  // spec/relay-datapath.md section 3

    int fd_;
    bool precise_ = true;  ///< the kernel has epoll_pwait2 (5.11 and later)
    std::array<epoll_event, batch> ready_;
};

}  // namespace strowger::io
