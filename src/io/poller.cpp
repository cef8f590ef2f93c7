#include "io/poller.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace strowger::io {

Poller::Poller() : fd_(::epoll_create1(EPOLL_CLOEXEC)) {
    if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "epoll_create1");
}

Poller::~Poller() { ::close(fd_); }

Result<> Poller::add(int fd, std::uint64_t key) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = key;
    if (::epoll_ctl(fd_, EPOLL_CTL_ADD, fd, &event) < 0)
        return fail_with(errno, "epoll: cannot watch descriptor {}: {}", fd, std::strerror(errno));
    return {};
}

void Poller::remove(int fd) { ::epoll_ctl(fd_, EPOLL_CTL_DEL, fd, nullptr); }

std::span<const epoll_event> Poller::wait(Duration timeout) {
    const bool forever = timeout == Duration::max();
    timeout = std::max(timeout, Duration::zero());
    int count;
    if (precise_) {
        const timespec limit{.tv_sec = timeout.count() / 1'000'000'000,
                             .tv_nsec = timeout.count() % 1'000'000'000};
        count = ::epoll_pwait2(fd_, ready_.data(), batch, forever ? nullptr : &limit, nullptr);
        if (count < 0 && (errno == ENOSYS || errno == EPERM)) precise_ = false;
    }
    if (!precise_) {
        const auto millis = std::chrono::ceil<std::chrono::milliseconds>(timeout).count();
        count = ::epoll_wait(fd_, ready_.data(), batch,
                             forever ? -1 : static_cast<int>(std::min<long>(millis, 60'000)));
    }
    return {ready_.data(), static_cast<std::size_t>(std::max(count, 0))};
}

}  // namespace strowger::io
