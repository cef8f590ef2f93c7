#include "io/cpu_profile.hpp"

#include <execinfo.h>
#include <malloc.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include "io/file.hpp"
#include "io/loop.hpp"

namespace strowger::io {

namespace {

constexpr long period_us = 10'000;
constexpr std::size_t max_depth = 64, max_samples = 8192;
// The handler itself, and what the kernel returns to from it.
constexpr int own_frames = 2;

struct Sample {
    int depth = 0;
    std::array<void*, max_depth> stack;
};

// A signal handler has nowhere else to look.
std::atomic<Sample*> samples = nullptr;
std::atomic<std::size_t> taken = 0;

void take_sample(int) {
    const int before = errno;
    if (auto* all = samples.load(std::memory_order_acquire)) {
        const auto at = taken.fetch_add(1, std::memory_order_relaxed);
        if (at < max_samples)
            all[at].depth = ::backtrace(all[at].stack.data(), static_cast<int>(max_depth));
    }
    errno = before;
}

void every(long microseconds) {
    const itimerval timer{{0, microseconds}, {0, microseconds}};
    ::setitimer(ITIMER_PROF, &timer, nullptr);
}

// Of the kernel, so that addresses become names.
std::string maps() {
    std::string text;
    if (std::unique_ptr<FILE, decltype(&std::fclose)> file(std::fopen("/proc/self/maps", "r"),
                                                           std::fclose);
        file) {
        std::array<char, 4096> piece;
        while (const auto size = std::fread(piece.data(), 1, piece.size(), file.get()))
            text.append(piece.data(), size);
    }
    return text;
}

struct Running {
    std::vector<Sample> room{max_samples};
    struct sigaction before{};

    Running() {
        std::array<void*, 1> first;
        (void)::backtrace(first.data(), 1);  // loads what it needs, which a handler must not
        taken = 0;
        samples.store(room.data(), std::memory_order_release);
        struct sigaction action{};
        action.sa_handler = take_sample;
        action.sa_flags = SA_RESTART;
        ::sigaction(SIGPROF, &action, &before);
        every(period_us);
    }
    ~Running() {
        every(0);
        samples.store(nullptr, std::memory_order_release);
        struct sigaction ignored{};
        ignored.sa_handler = SIG_IGN;  // one may still be on its way
        ::sigaction(SIGPROF, &ignored, nullptr);
    }
    Running(const Running&) = delete;
};

}  // namespace

Task<std::string> cpu_profile(Loop& loop, Duration duration) {
    if (samples.load() != nullptr) co_return std::string();
    auto running = std::make_unique<Running>();
    co_await loop.sleep(duration);
    every(0);
    // Words of the machine: a header, then a count, a depth and the addresses of each stack.
    std::vector<std::uintptr_t> words{0, 3, 0, static_cast<std::uintptr_t>(period_us), 0};
    const auto count = std::min(taken.load(), max_samples);
    for (std::size_t i = 0; i < count; ++i) {
        const auto& sample = running->room[i];
        if (sample.depth <= own_frames) continue;
        words.push_back(1);
        words.push_back(static_cast<std::uintptr_t>(sample.depth - own_frames));
        for (int frame = own_frames; frame < sample.depth; ++frame)
            words.push_back(
                reinterpret_cast<std::uintptr_t>(sample.stack[static_cast<std::size_t>(frame)]));
    }
    words.insert(words.end(), {0, 1, 0});
    running.reset();
    std::string made(reinterpret_cast<const char*>(words.data()), words.size() * sizeof words[0]);
    co_return made + maps();
}

std::string heap_report() {
    char* text = nullptr;
    std::size_t size = 0;
    FILE* file = ::open_memstream(&text, &size);
    if (!file) return {};
    const bool told = ::malloc_info(0, file) == 0;
    std::fclose(file);  // only now the text is whole
    std::string report(text, told ? size : 0);
    std::free(text);
    return report;
}

}  // namespace strowger::io
