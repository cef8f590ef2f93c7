#include "io/loop.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "base/random.hpp"
#include "base/task.hpp"
#include "io/clock.hpp"
#include "io/completion.hpp"

namespace strowger::io {
namespace {

using namespace std::chrono_literals;

TEST(Loop, RunsTimersInTheOrderOfTheirDeadlines) {
    Loop loop;
    std::vector<int> order;
    const Time now = loop.now();
    auto third = loop.at(now + 6ms, [&] { order.push_back(3); });
    auto first = loop.at(now + 2ms, [&] { order.push_back(1); });
    auto second = loop.at(now + 2ms, [&] { order.push_back(2); });
    EXPECT_TRUE(loop.run_until([&] { return order.size() == 3; }, 2s));
    EXPECT_EQ(order, (std::vector{1, 2, 3}));
    EXPECT_GE(loop.now(), now + 6ms);
    EXPECT_FALSE(first.pending());
}

TEST(Loop, ACancelledTimerIsNeverCalled) {
    Loop loop;
    int calls = 0;
    auto timer = loop.after(1ms, [&] { ++calls; });
    auto moved = std::move(timer);
    EXPECT_TRUE(moved.pending());
    moved.cancel();
    {
        auto dropped = loop.after(1ms, [&] { ++calls; });
    }
    bool over = false;
    auto end = loop.after(10ms, [&] { over = true; });
    EXPECT_TRUE(loop.run_until([&] { return over; }, 2s));
    EXPECT_EQ(calls, 0);
}

TEST(Loop, ThousandsOfTimersSetAndCancelledAtRandomFireExactlyOnce) {
    Loop loop;
    Random random{7};
    std::vector<Timer> timers(5000);
    std::vector<int> fired(timers.size());
    std::vector<bool> cancelled(timers.size());
    const Time start = loop.now();
    Time last = start;
    bool ordered = true;
    for (std::size_t i = 0; i < timers.size(); ++i) {
        const Time when = start + 1us * static_cast<int>(random.below(20000));
        timers[i] = loop.at(when, [&, i, when] {
            ++fired[i];
            ordered = ordered && when >= last;
            last = when;
        });
    }
    for (std::size_t i = 0; i < timers.size(); i += 3) {
        timers[i].cancel();
        cancelled[i] = true;
    }
    bool over = false;
    auto end = loop.at(start + 21ms, [&] { over = true; });
    EXPECT_TRUE(loop.run_until([&] { return over; }, 5s));
    EXPECT_TRUE(ordered);
    for (std::size_t i = 0; i < timers.size(); ++i) ASSERT_EQ(fired[i], cancelled[i] ? 0 : 1) << i;
}

TEST(Loop, ATimerMayDestroyAnotherThatIsDueInTheSameRound) {
    Loop loop;
    const Time now = loop.now();
    std::optional<Timer> victim;
    bool called = false, over = false;
    auto killer = loop.at(now, [&] { victim.reset(); });
    victim = loop.at(now, [&] { called = true; });
    auto end = loop.at(now + 2ms, [&] { over = true; });
    EXPECT_TRUE(loop.run_until([&] { return over; }, 2s));
    EXPECT_FALSE(called);
}

TEST(Loop, TakesWorkFromOtherThreads) {
    Loop loop;
    int sum = 0;
    std::thread other([&] {
        for (int i = 1; i <= 100; ++i) loop.post([&sum, i] { sum += i; });
        loop.post([&loop] { loop.stop(); });
    });
    loop.run();
    other.join();
    EXPECT_EQ(sum, 5050);
}

TEST(Loop, CallsRoundEndFunctionsBeforeItWaitsAgain) {
    Loop loop;
    std::vector<std::string> events;
    loop.post([&] {
        loop.at_round_end([&] { events.push_back("end"); });
        events.push_back("handler");
    });
    loop.post([&] { events.push_back("next"); });
    EXPECT_TRUE(loop.run_until([&] { return events.size() == 3; }, 2s));
    EXPECT_EQ(events, (std::vector<std::string>{"handler", "end", "next"}));
}

TEST(Loop, TellsOfSignalsOnItsThread) {
    Loop loop;
    int number = 0;
    loop.on_signal(SIGUSR1, [&](int n) { number = n; });
    raise(SIGUSR1);
    EXPECT_TRUE(loop.run_until([&] { return number != 0; }, 2s));
    EXPECT_EQ(number, SIGUSR1);
    number = 0;
    raise(SIGUSR1);
    EXPECT_TRUE(loop.run_until([&] { return number != 0; }, 2s));
    loop.on_signal(SIGUSR1, nullptr);
}

TEST(Loop, SleepsAndWaitsForDescriptorsInCoroutines) {
    Loop loop;
    int pipe_ends[2];
    ASSERT_EQ(pipe(pipe_ends), 0);
    std::string read_text;
    const Time start = monotonic_now();
    Time slept{};
    spawn([](Loop& l, int fd, std::string& out, Time& at) -> Task<> {
        co_await l.sleep(5ms);
        at = monotonic_now();
        co_await l.wait_readable(fd);
        char buffer[16];
        out.assign(buffer, static_cast<std::size_t>(read(fd, buffer, sizeof buffer)));
    }(loop, pipe_ends[0], read_text, slept));
    auto writer = loop.after(10ms, [&] { ASSERT_EQ(write(pipe_ends[1], "ping", 4), 4); });
    EXPECT_TRUE(loop.run_until([&] { return !read_text.empty(); }, 2s));
    EXPECT_EQ(read_text, "ping");
    EXPECT_GE(slept - start, 5ms);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
}

TEST(Loop, ASleepingTaskThatIsDestroyedNeverWakes) {
    Loop loop;
    bool woke = false, over = false;
    {
        Task<> task = [](Loop& l, bool& flag) -> Task<> {
            co_await l.sleep(1ms);
            flag = true;
        }(loop, woke);
        task.start();
    }
    auto end = loop.after(5ms, [&] { over = true; });
    EXPECT_TRUE(loop.run_until([&] { return over; }, 2s));
    EXPECT_FALSE(woke);
}

TEST(Watch, MayReplaceItsFunctionAndBeDestroyedInside) {
    Loop loop;
    int pipe_ends[2];
    ASSERT_EQ(pipe(pipe_ends), 0);
    ASSERT_EQ(write(pipe_ends[1], "xy", 2), 2);
    auto watch = std::make_unique<Watch>(loop, pipe_ends[0]);
    int first = 0, second = 0;
    watch->on_readable([&] {
        ++first;
        watch->on_readable([&] {
            ++second;
            watch.reset();
        });
    });
    EXPECT_TRUE(loop.run_until([&] { return !watch; }, 2s));
    EXPECT_EQ(first, 1);
    EXPECT_EQ(second, 1);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
}

TEST(Completion, AnswersInEitherOrderAndForgetsADestroyedWaiter) {
    Completion<int> early, late, never;
    early.resolve(1);
    early.resolve(9);  // too late to count
    int sum = 0;
    spawn([](Completion<int> a, Completion<int> b, int& out) -> Task<> {
        out += co_await a;
        out += co_await b;
    }(early, late, sum));
    EXPECT_EQ(sum, 1);
    late.resolve(10);
    EXPECT_EQ(sum, 11);
    {
        Task<> task = [](Completion<int> c, int& out) -> Task<> { out += co_await c; }(never, sum);
        task.start();
    }
    never.resolve(100);
    EXPECT_EQ(sum, 11);
}

}  // namespace
}  // namespace strowger::io
