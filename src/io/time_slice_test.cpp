#include "io/time_slice.hpp"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <thread>

namespace strowger::io {
namespace {

// struct sched_attr of <linux/sched/types.h> as words: the runtime is the fourth.
std::uint64_t slice() {
    std::array<std::uint64_t, 6> words{};
    syscall(SYS_sched_getattr, 0, words.data(), sizeof words, 0);
    return words[3];
}

TEST(TimeSlice, IsShortFromThenOnAndForThreadsStartedLater) {
    std::thread([] {
        if (slice() == 0) GTEST_SKIP() << "this kernel has one slice for all";
        const int nice = getpriority(PRIO_PROCESS, 0);
        ask_for_short_time_slice();
        EXPECT_EQ(slice(), 100'000u);
        EXPECT_EQ(getpriority(PRIO_PROCESS, 0), nice);
        EXPECT_EQ(sched_getscheduler(0), SCHED_OTHER);
        std::uint64_t later = 0;
        std::thread([&] { later = slice(); }).join();
        EXPECT_EQ(later, 100'000u);
    }).join();
}

}  // namespace
}  // namespace strowger::io
