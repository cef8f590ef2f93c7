#include "base/task.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

namespace strowger {
namespace {

/// Suspends until the test resumes it.
struct Gate {
    std::coroutine_handle<> waiter;
    auto operator co_await() {
        struct Awaiter {
            Gate& gate;
            bool await_ready() const { return false; }
            void await_suspend(std::coroutine_handle<> handle) { gate.waiter = handle; }
            void await_resume() const {}
        };
        return Awaiter{*this};
    }
};

Task<int> number(int value) { co_return value; }
Task<int> failing() {
    throw std::runtime_error("no");
    co_return 0;
}

TEST(Task, GivesItsValueToWhoAwaitsIt) {
    int sum = 0;
    spawn([](int& out) -> Task<> { out = co_await number(1) + co_await number(2); }(sum));
    EXPECT_EQ(sum, 3);
}

TEST(Task, StartsOnlyWhenAwaitedAndResumesItsAwaiter) {
    Gate gate;
    std::string order;
    const auto inner = [](Gate& g, std::string& out) -> Task<std::string> {
        out += "a";
        co_await g;
        out += "c";
        co_return "d";
    };
    const auto outer = [&](Gate& g, std::string& out) -> Task<> {
        auto task = inner(g, out);
        EXPECT_EQ(out, "");
        out += co_await std::move(task);
    };
    auto task = outer(gate, order);
    EXPECT_TRUE(task.valid());
    task.start();
    order += "b";
    EXPECT_FALSE(task.done());
    gate.waiter.resume();
    EXPECT_TRUE(task.done());
    EXPECT_EQ(order, "abcd");
}

TEST(Task, CarriesExceptions) {
    std::string caught;
    spawn([](std::string& out) -> Task<> {
        try {
            co_await failing();
        } catch (const std::runtime_error& error) {
            out = error.what();
        }
    }(caught));
    EXPECT_EQ(caught, "no");
}

TEST(Task, DestroyingItDestroysAllThatItAwaits) {
    struct Counted {
        int& alive;
        explicit Counted(int& n) : alive(n) { ++alive; }
        ~Counted() { --alive; }
    };
    Gate gate;
    int alive = 0;
    const auto inner = [](Gate& g, int& n) -> Task<> {
        const Counted counted(n);
        co_await g;
    };
    const auto outer = [&](Gate& g, int& n) -> Task<> {
        const Counted counted(n);
        co_await inner(g, n);
    };
    {
        auto task = outer(gate, alive);
        task.start();
        EXPECT_EQ(alive, 2);
    }
    EXPECT_EQ(alive, 0);
}

TEST(Task, ALongLoopOfAwaitsDoesNotGrowTheStack) {
    long sum = 0;
    spawn([](long& out) -> Task<> {
        for (int i = 0; i < 200000; ++i) out += co_await number(1);
    }(sum));
    EXPECT_EQ(sum, 200000);
}

/// Writes a letter when it goes.
struct Farewell {
    std::string& out;
    char letter;
    ~Farewell() { out += letter; }
};

Task<> wait_at(Gate& gate, std::string& out, char letter) {
    const Farewell farewell{out, letter};
    co_await gate;
    out += '!';
}

TEST(TaskScope, LetsATaskEndByItself) {
    Gate first, second;
    std::string order;
    TaskScope scope;
    scope.spawn(wait_at(first, order, 'a'));
    scope.spawn(wait_at(second, order, 'b'));
    EXPECT_FALSE(scope.empty());
    first.waiter.resume();
    EXPECT_EQ(order, "!a");
    EXPECT_FALSE(scope.empty());
    second.waiter.resume();
    EXPECT_EQ(order, "!a!b");
    EXPECT_TRUE(scope.empty());
}

TEST(TaskScope, DestroysWhatStillWaitsTheNewestFirst) {
    Gate first, second, third;
    std::string order;
    {
        TaskScope scope;
        scope.spawn(wait_at(first, order, 'a'));
        scope.spawn(wait_at(second, order, 'b'));
        scope.spawn(wait_at(third, order, 'c'));
        second.waiter.resume();
        EXPECT_EQ(order, "!b");
    }
    EXPECT_EQ(order, "!bca");
}

TEST(TaskScope, BeginsNothingMoreOnceCancelled) {
    Gate gate;
    std::string order;
    TaskScope scope;
    const auto begins_another = [](TaskScope& s, Gate& g, std::string& out) -> Task<> {
        struct Begin {
            TaskScope& scope;
            Gate& gate;
            std::string& out;
            ~Begin() { scope.spawn(wait_at(gate, out, 'z')); }
        } const at_the_end{s, g, out};
        co_await g;
    };
    scope.spawn(begins_another(scope, gate, order));
    scope.cancel();
    EXPECT_TRUE(scope.empty());
    scope.spawn(wait_at(gate, order, 'y'));
    EXPECT_TRUE(scope.empty());
    EXPECT_EQ(order, "");
}

}  // namespace
}  // namespace strowger
