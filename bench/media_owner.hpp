#pragma once

#include <poll.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <optional>
#include <string>

#include "media/local_engine.hpp"

namespace strowger::bench {

/// Runs a request on this thread to its end, as the owner of the engine.
template <typename T>
T run(media::LocalEngine& engine, Task<Result<T>> task) {
    std::optional<Result<T>> result;
    auto wait = [](Task<Result<T>> inner, std::optional<Result<T>>& out) -> Task<> {
        out.emplace(co_await std::move(inner));
    }(std::move(task), result);
    wait.start();
    while (!wait.done()) {
        pollfd ready{.fd = engine.event_fd(), .events = POLLIN, .revents = 0};
        ::poll(&ready, 1, 1000);
        engine.dispatch();
    }
    if (!*result) {
        std::fprintf(stderr, "%s\n", result->error().text().c_str());
        std::exit(1);
    }
    if constexpr (!std::is_void_v<T>) return std::move(**result);
}

/// PCMU and telephone-event at that address.
inline std::string phone_sdp(const std::string& ip, unsigned port) {
    return "v=0\r\no=- 1 1 IN IP4 " + ip + "\r\ns=-\r\nc=IN IP4 " + ip + "\r\nt=0 0\r\nm=audio " +
           std::to_string(port) +
           " RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\n";
}

/// CPU that this process has used, all threads, user and system.
inline double process_cpu() {
    timespec used{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
}

}  // namespace strowger::bench
