#include "io/wake.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>

namespace strowger::io {

Wake::Wake() : fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}

Wake::~Wake() { ::close(fd_); }

void Wake::wake() {
    if (pending_.exchange(true, std::memory_order_acq_rel)) return;
    const std::uint64_t one = 1;
    // Fails only when the counter is full, and then the sleeper is woken already.
    [[maybe_unused]] const auto written = ::write(fd_, &one, sizeof one);
}

void Wake::acknowledge() {
    std::uint64_t count;
    [[maybe_unused]] const auto got = ::read(fd_, &count, sizeof count);
    pending_.exchange(false, std::memory_order_acq_rel);
}

}  // namespace strowger::io
