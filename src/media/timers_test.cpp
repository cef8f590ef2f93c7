#include "media/timers.hpp"

#include <gtest/gtest.h>

#include <memory>

#include "base/random.hpp"

namespace strowger::media {
namespace {

using namespace std::chrono_literals;

constexpr Time start{};

TEST(Timers, RunInTheOrderOfTheirDeadlinesWhateverTheOrderOfArming) {
    Timers timers;
    Random random{3};
    std::vector<std::unique_ptr<Timer>> all;
    std::vector<Time> ran;
    for (int i = 0; i < 500; ++i) {
        all.push_back(std::make_unique<Timer>([&ran, &all, i](Time) {
            ran.push_back(all[static_cast<std::size_t>(i)]->deadline());
        }));
        timers.arm(*all.back(), start + std::chrono::milliseconds{random.below(1000)});
    }
    for (int i = 0; i < 500; i += 3)  // moved
        timers.arm(*all[static_cast<std::size_t>(i)],
                   start + std::chrono::milliseconds{random.below(1000)});
    for (int i = 1; i < 500; i += 3) timers.disarm(*all[static_cast<std::size_t>(i)]);
    timers.run(start + 1s);
    EXPECT_EQ(ran.size(), 333U);
    EXPECT_TRUE(std::ranges::is_sorted(ran));
    EXPECT_EQ(timers.next(), Time::max());
}

TEST(Timers, LeaveWhatIsNotDueAndForgetWhatIsDestroyed) {
    Timers timers;
    int runs = 0;
    Timer later([&](Time) { ++runs; });
    {
        Timer gone([&](Time) { runs += 100; });
        timers.arm(gone, start + 1ms);
    }
    timers.arm(later, start + 10ms);
    timers.run(start + 10ms - 1ns);
    EXPECT_EQ(runs, 0);
    EXPECT_EQ(timers.next(), start + 10ms);
    timers.run(start + 10ms);
    EXPECT_EQ(runs, 1);
    EXPECT_FALSE(later.armed());
}

TEST(Timers, MayRearmThemselvesWhileRunning) {
    Timers timers;
    int runs = 0;
    Timer* self = nullptr;
    Timer again([&](Time) {
        if (++runs < 5) timers.arm(*self, self->deadline() + 20ms);
    });
    self = &again;
    timers.arm(again, start);
    timers.run(start + 60ms);
    EXPECT_EQ(runs, 4);
}

}  // namespace
}  // namespace strowger::media
