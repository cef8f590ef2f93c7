#include "broker/scheduler.hpp"

#include <gtest/gtest.h>

namespace strowger::broker {
namespace {

using namespace std::chrono_literals;
using connect::Code;

constexpr Time start{};

/// A scheduler and what it said, in order.
struct Desk {
    Random random{7};
    Scheduler scheduler;
    std::vector<std::pair<TaskId, ProviderId>> sent, cancelled;
    std::set<TaskId> first;
    std::map<TaskId, Code> failures;
    std::vector<ProviderId> pinged, evicted;

    explicit Desk(Scheduler::Config config = {}) : scheduler(config, random) {}

    void drain() {
        Scheduler::Event event;
        while (scheduler.poll(event)) {
            if (auto* d = std::get_if<Scheduler::Dispatch>(&event)) {
                sent.emplace_back(d->task, d->provider);
                if (d->first) first.insert(d->task);
            }
            if (auto* c = std::get_if<Scheduler::Cancel>(&event))
                cancelled.emplace_back(c->task, c->provider);
            if (auto* f = std::get_if<Scheduler::Failed>(&event)) failures[f->task] = f->code;
            if (auto* p = std::get_if<Scheduler::Ping>(&event)) pinged.push_back(p->provider);
            if (auto* e = std::get_if<Scheduler::Evict>(&event)) evicted.push_back(e->provider);
        }
    }
    void provider(ProviderId id, std::uint32_t slots, Time now = start) {
        scheduler.joined(id, now);
        scheduler.slots(id, slots, now);
        scheduler.ready(id, now);
        drain();
    }
    Result<> submit(TaskId id, std::string tenant = "a", Scheduler::Submission more = {},
                    Time now = start) {
        more.id = id;
        more.tenant = std::move(tenant);
        auto result = scheduler.submit(std::move(more), now);
        drain();
        return result;
    }
    bool done(TaskId task, Time now = start) {
        for (auto at = sent.rbegin(); at != sent.rend(); ++at) {
            if (at->first != task) continue;
            const bool expected = scheduler.done(task, at->second, now);
            drain();
            return expected;
        }
        return false;
    }
    void failed(TaskId task, ProviderId provider, Time now) {
        scheduler.failed(task, provider, Code::unavailable, "no", now);
        drain();
    }
    void run_until(Time end) {
        while (scheduler.deadline() <= end) {
            scheduler.tick(scheduler.deadline());
            drain();
        }
    }
    ProviderId where(TaskId task) const {
        for (auto at = sent.rbegin(); at != sent.rend(); ++at)
            if (at->first == task) return at->second;
        return 0;
    }
};

TEST(Scheduler, ATaskWaitsForASlotAndNothingIsSentBeforeTheProviderIsReady) {
    Desk desk;
    ASSERT_TRUE(desk.submit(1));
    desk.scheduler.joined(9, start);
    desk.scheduler.slots(9, 1, start);
    desk.drain();
    EXPECT_TRUE(desk.sent.empty());
    desk.scheduler.ready(9, start);
    desk.drain();
    EXPECT_EQ(desk.where(1), 9u);
    ASSERT_TRUE(desk.submit(2));
    EXPECT_EQ(desk.where(2), 0u);
    EXPECT_TRUE(desk.done(1, start + 1s));
    EXPECT_EQ(desk.where(2), 9u);
}

TEST(Scheduler, AResultIsExpectedOnce) {
    Desk desk;
    desk.provider(9, 1);
    ASSERT_TRUE(desk.submit(1));
    EXPECT_TRUE(desk.done(1));
    EXPECT_FALSE(desk.done(1));
    EXPECT_FALSE(desk.scheduler.done(77, 9, start));
}

TEST(Scheduler, OneTokensQueueDoesNotDelayAnothers) {
    Desk desk({.max_waiting = 20000});
    desk.provider(9, 1);
    for (TaskId id = 1; id <= 10000; ++id) ASSERT_TRUE(desk.submit(id, "many"));
    ASSERT_TRUE(desk.submit(20000, "one"));
    ASSERT_EQ(desk.sent.size(), 1u);
    EXPECT_TRUE(desk.done(1, start + 1s));
    EXPECT_TRUE(desk.done(2, start + 2s));
    EXPECT_EQ(desk.where(20000), 9u);
    // One that comes when everybody else has had a turn since waits for no other.
    EXPECT_TRUE(desk.done(20000, start + 3s));
    EXPECT_TRUE(desk.done(3, start + 4s));
    ASSERT_TRUE(desk.submit(20001, "one"));
    EXPECT_TRUE(desk.done(4, start + 5s));
    EXPECT_EQ(desk.where(20001), 9u);
}

TEST(Scheduler, WhoHasNothingAnywhereGoesBeforeWhatWasSentAhead) {
    Desk desk;
    desk.provider(9, 1);
    ASSERT_TRUE(desk.submit(1, "many"));
    EXPECT_TRUE(desk.done(1, start + 1ms));  // so quick that one more is sent ahead
    for (TaskId id = 2; id <= 100; ++id) ASSERT_TRUE(desk.submit(id, "many", {}, start + 1ms));
    EXPECT_EQ(desk.sent.size(), 3u);
    EXPECT_FALSE(desk.first.contains(3));
    ASSERT_TRUE(desk.submit(1000, "one", {}, start + 1ms));
    ASSERT_TRUE(desk.submit(1001, "one", {}, start + 1ms));
    ASSERT_TRUE(desk.submit(2000, "other", {}, start + 1ms));
    EXPECT_EQ(desk.where(1000), 9u);
    EXPECT_TRUE(desk.first.contains(1000));
    // That was the only place; all others wait for their turn.
    EXPECT_EQ(desk.where(1001), 0u);
    EXPECT_EQ(desk.where(2000), 0u);
    EXPECT_TRUE(desk.done(2, start + 2ms));
    EXPECT_EQ(desk.where(2000), 9u);
    EXPECT_TRUE(desk.first.contains(2000));
    EXPECT_TRUE(desk.done(1000, start + 3ms));
    EXPECT_EQ(desk.where(1001), 9u);
}

TEST(Scheduler, OneThatAlwaysHasATaskReadyGetsNoMoreThanItsTurn) {
    Desk desk;
    desk.provider(9, 1);
    for (TaskId id = 1; id <= 100; ++id) ASSERT_TRUE(desk.submit(id, "many"));
    unsigned others = 0;
    for (TaskId id = 1000; id < 1040; ++id) {
        ASSERT_TRUE(desk.submit(id, "one"));
        const auto running = desk.sent.back().first;
        if (running < 1000) ++others;
        ASSERT_TRUE(desk.done(running, start + 1s));
    }
    EXPECT_GE(others, 19u);
}

TEST(Scheduler, PriorityGoesFirstWithinAToken) {
    Desk desk;
    desk.provider(9, 1);
    for (TaskId id = 1; id <= 3; ++id) ASSERT_TRUE(desk.submit(id));
    ASSERT_TRUE(desk.submit(4, "a", {.priority = true}));
    ASSERT_TRUE(desk.done(1, start + 1s));
    EXPECT_EQ(desk.sent.back().first, 4u);
}

TEST(Scheduler, ImmediateNeverWaits) {
    Desk desk;
    const auto refused = desk.submit(1, "a", {.immediate = true});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), static_cast<int>(Code::resource_exhausted));
    EXPECT_FALSE(desk.scheduler.known(1));
    EXPECT_EQ(desk.scheduler.waiting(), 0u);
    desk.provider(9, 1);
    EXPECT_TRUE(desk.submit(2, "a", {.immediate = true}));
    EXPECT_EQ(desk.where(2), 9u);
    EXPECT_FALSE(desk.submit(3, "a", {.immediate = true}));
}

TEST(Scheduler, ADeadlineEndsWhatWaitsAndCancelsWhatRuns) {
    Desk desk;
    desk.provider(9, 1);
    ASSERT_TRUE(desk.submit(1, "a", {.deadline = start + 3s}));
    ASSERT_TRUE(desk.submit(2, "a", {.deadline = start + 2s}));
    desk.run_until(start + 2s);
    EXPECT_EQ(desk.failures, (std::map<TaskId, Code>{{2, Code::deadline_exceeded}}));
    EXPECT_TRUE(desk.cancelled.empty());
    desk.run_until(start + 3s);
    EXPECT_EQ(desk.failures.count(1), 1u);
    ASSERT_EQ(desk.cancelled.size(), 1u);
    EXPECT_EQ(desk.cancelled[0], (std::pair<TaskId, ProviderId>{1, 9}));
    // The slot is free again only when the provider says that it has ended.
    ASSERT_TRUE(desk.submit(3));
    EXPECT_EQ(desk.where(3), 0u);
    EXPECT_FALSE(desk.done(1, start + 4s));
    EXPECT_EQ(desk.where(3), 9u);
    EXPECT_FALSE(desk.submit(4, "a", {.deadline = start - 1s}));
}

TEST(Scheduler, WhatIsCancelledWhileItWaitsIsNeverSent) {
    Desk desk;
    ASSERT_TRUE(desk.submit(1));
    ASSERT_TRUE(desk.submit(2));
    EXPECT_TRUE(desk.scheduler.cancel(1, "gone", start));
    EXPECT_FALSE(desk.scheduler.cancel(1, "gone", start));
    desk.provider(9, 4);
    EXPECT_EQ(desk.sent.size(), 1u);
    EXPECT_EQ(desk.sent[0].first, 2u);
    EXPECT_TRUE(desk.cancelled.empty());
}

TEST(Scheduler, AProviderThatDoesNotEndACancelledTaskIsEvicted) {
    Desk desk;
    desk.provider(9, 1);
    ASSERT_TRUE(desk.submit(1));
    desk.scheduler.cancel(1, "gone", start);
    for (Time now = start; now < start + 30s; now += 1s) {
        desk.scheduler.heard(9, now);
        desk.run_until(now);
    }
    EXPECT_TRUE(desk.evicted.empty());
    desk.scheduler.heard(9, start + 30s);
    desk.run_until(start + 30s);
    EXPECT_EQ(desk.evicted, std::vector<ProviderId>{9});
}

TEST(Scheduler, ASilentProviderIsPingedAndThenEvictedAndItsTaskRunsElsewhere) {
    Desk desk;
    desk.provider(1, 1);
    ASSERT_TRUE(desk.submit(5));
    desk.provider(2, 1);
    EXPECT_EQ(desk.where(5), 1u);
    for (Time now = start; now <= start + 15s; now += 1s) {
        desk.scheduler.heard(2, now);
        desk.run_until(now);
    }
    EXPECT_EQ(desk.pinged, std::vector<ProviderId>{1});
    EXPECT_EQ(desk.evicted, std::vector<ProviderId>{1});
    EXPECT_EQ(desk.where(5), 2u);
    EXPECT_FALSE(desk.scheduler.done(5, 1, start + 16s));  // too late, from the wrong one
    EXPECT_TRUE(desk.scheduler.done(5, 2, start + 17s));
}

TEST(Scheduler, PingsGoOnWhileTheyAreAnswered) {
    Desk desk;
    desk.provider(1, 1);
    std::size_t answered = 0;
    for (Time now = start; now <= start + 100s; now += 100ms) {
        desk.run_until(now);
        if (desk.pinged.size() == answered) continue;
        answered = desk.pinged.size();
        desk.scheduler.heard(1, now);
    }
    EXPECT_TRUE(desk.evicted.empty());
    EXPECT_GE(answered, 18u);  // each 5 s after the answer
    EXPECT_LE(answered, 20u);
}

TEST(Scheduler, AFailedCallGoesToAnotherProvider) {
    Desk desk;
    desk.provider(1, 1);
    desk.provider(2, 1);
    ASSERT_TRUE(desk.submit(5));
    const auto first = desk.where(5);
    desk.failed(5, first, start);
    desk.run_until(start + 10ms);
    EXPECT_EQ(desk.where(5), 3 - first);
}

TEST(Scheduler, AttemptsEndAfterTenAndAboutTwoSeconds) {
    Desk desk;
    desk.provider(1, 1);
    ASSERT_TRUE(desk.submit(5));
    Time now = start;
    while (desk.failures.empty()) {
        desk.failed(5, 1, now);
        if (!desk.failures.empty()) break;
        const auto before = desk.sent.size();
        while (desk.sent.size() == before) {
            now = desk.scheduler.deadline();
            desk.scheduler.heard(1, now);
            desk.scheduler.tick(now);
            desk.drain();
        }
    }
    EXPECT_EQ(desk.sent.size(), 10u);
    EXPECT_EQ(desk.failures[5], Code::unavailable);
    EXPECT_GT(now - start, 2s);
    EXPECT_LT(now - start, 3s);
}

TEST(Scheduler, ATaskThatKillsProvidersTakesDownThreeAtMost) {
    Desk desk;
    for (ProviderId id = 1; id <= 10; ++id) desk.provider(id, 1);
    ASSERT_TRUE(desk.submit(5));
    while (desk.failures.empty()) {
        desk.scheduler.left(desk.where(5), start);
        desk.drain();
    }
    EXPECT_EQ(desk.sent.size(), 3u);
}

TEST(Scheduler, QuotasHoldPerToken) {
    Desk desk;
    desk.provider(9, 8);
    const Scheduler::Quota quota{.waiting = 2, .running = 1};
    EXPECT_TRUE(desk.submit(1, "a", {.quota = quota}));
    EXPECT_TRUE(desk.submit(2, "a", {.quota = quota}));
    EXPECT_TRUE(desk.submit(3, "a", {.quota = quota}));
    EXPECT_FALSE(desk.submit(4, "a", {.quota = quota}));
    EXPECT_EQ(desk.sent.size(), 1u);
    EXPECT_TRUE(desk.submit(5, "b"));
    EXPECT_EQ(desk.where(5), 9u);
    EXPECT_TRUE(desk.done(1));
    EXPECT_EQ(desk.where(2), 9u);
}

TEST(Scheduler, TheQueueIsBounded) {
    Desk desk({.max_waiting = 2});
    EXPECT_TRUE(desk.submit(1));
    EXPECT_TRUE(desk.submit(2));
    const auto refused = desk.submit(3);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().text(), "429: Queue Full");
}

TEST(Scheduler, AProviderThatHasTheFileIsPreferred) {
    Desk desk;
    for (ProviderId id = 1; id <= 8; ++id) desk.provider(id, 1);
    desk.scheduler.holds(5, "sha256:x", true);
    ASSERT_TRUE(desk.submit(1, "a", {.files = {"sha256:x"}}));
    EXPECT_EQ(desk.where(1), 5u);
}

TEST(Scheduler, AShortTaskIsSentOneAheadAndALongOneIsNot) {
    Desk desk;
    desk.provider(9, 1);
    ASSERT_TRUE(desk.submit(1));
    ASSERT_TRUE(desk.done(1, start + 1ms));
    for (TaskId id = 2; id <= 4; ++id) ASSERT_TRUE(desk.submit(id, "a", {}, start + 1ms));
    EXPECT_EQ(desk.where(2), 9u);
    EXPECT_EQ(desk.where(3), 9u);
    EXPECT_EQ(desk.where(4), 0u);
    ASSERT_TRUE(desk.done(2, start + 10s));
    EXPECT_EQ(desk.where(4), 0u);
}

TEST(Scheduler, AProviderGetsAheadWhatItWants) {
    Desk desk;
    desk.provider(9, 2);
    desk.scheduler.slots(9, 2, start, 5);
    for (TaskId id = 1; id <= 20; ++id) ASSERT_TRUE(desk.submit(id));
    EXPECT_EQ(desk.sent.size(), 7u);
    EXPECT_EQ(desk.scheduler.spare(), 0u);
    // Another's goes first nevertheless, and there is no more than a bounded number.
    ASSERT_TRUE(desk.submit(100, "one"));
    EXPECT_TRUE(desk.first.contains(100));
    desk.scheduler.slots(9, 2, start, 1'000'000);
    desk.drain();
    EXPECT_EQ(desk.sent.size(), 21u);
    for (TaskId id = 21; id <= 60; ++id) ASSERT_TRUE(desk.submit(id));
    EXPECT_EQ(desk.sent.size(), 2u + 2 * Scheduler::max_ahead);
}

TEST(Scheduler, WhereNothingIsSentAheadNothingIsThatAProviderWants) {
    Desk desk({.prefetch = 0});
    desk.provider(9, 1);
    desk.scheduler.slots(9, 1, start, 5);
    for (TaskId id = 1; id <= 3; ++id) ASSERT_TRUE(desk.submit(id));
    EXPECT_EQ(desk.sent.size(), 1u);
}

TEST(Scheduler, OtherBrokersGetWhatNoProviderHasRoomFor) {
    Desk desk;
    desk.scheduler.joined_elsewhere(99, start);
    desk.scheduler.ready(99, start);
    desk.scheduler.slots(99, 2, start);
    desk.provider(1, 1);
    EXPECT_EQ(desk.scheduler.providers(), 1u);
    EXPECT_EQ(desk.scheduler.total_slots(), 1u);
    EXPECT_EQ(desk.scheduler.spare(), 1u);
    for (TaskId id = 1; id <= 4; ++id) ASSERT_TRUE(desk.submit(id));
    ASSERT_TRUE(desk.submit(5, "b", {.stays = true}));
    EXPECT_EQ(desk.where(1), 1u);
    EXPECT_EQ(desk.where(2), 99u);
    EXPECT_EQ(desk.where(3), 99u);
    EXPECT_EQ(desk.where(4), 0u);
    EXPECT_EQ(desk.where(5), 0u);
    // What came from another broker is not passed on, whoever is free.
    ASSERT_TRUE(desk.done(2));
    EXPECT_EQ(desk.where(4), 99u);
    ASSERT_TRUE(desk.done(3));
    EXPECT_EQ(desk.where(5), 0u);
    ASSERT_TRUE(desk.done(1));
    EXPECT_EQ(desk.where(5), 1u);
}

TEST(Scheduler, WhenTheOtherBrokersGoTheirTasksWaitAgainHoweverOften) {
    Desk desk;
    ASSERT_TRUE(desk.submit(1));
    for (int i = 0; i < 20; ++i) {
        desk.scheduler.joined_elsewhere(99, start);
        desk.scheduler.ready(99, start);
        desk.scheduler.slots(99, 1, start);
        desk.drain();
        ASSERT_EQ(desk.sent.size(), std::size_t(2 * i + 1));
        desk.failed(1, 99, start);  // it came back undone, and goes there again at once
        ASSERT_EQ(desk.sent.size(), std::size_t(2 * i + 2));
        desk.scheduler.left(99, start);
        desk.drain();
    }
    EXPECT_EQ(desk.scheduler.waiting(), 1u);
    EXPECT_TRUE(desk.failures.empty());
    // Nobody pings them, or evicts them for their silence.
    desk.scheduler.joined_elsewhere(99, start);
    desk.scheduler.tick(start + 1h);
    desk.drain();
    EXPECT_TRUE(desk.pinged.empty());
    EXPECT_TRUE(desk.evicted.empty());
}

/// Two providers that know the program, and a task of it that has begun.
struct Late : Desk {
    Late() : Desk({.second_copy = 3}) {
        provider(1, 1);
        provider(2, 1);
        for (TaskId id = 1; id <= 3; ++id) {
            EXPECT_TRUE(submit(id, "a", program()));
            EXPECT_TRUE(done(id, start + 200ms));
        }
        EXPECT_TRUE(submit(9, "a", program()));
        first = where(9);
    }
    static Scheduler::Submission program() { return {.files = {"sha256:x"}}; }
    void at(Time now) {
        scheduler.tick(now);
        drain();
    }
    ProviderId first;
};

TEST(Scheduler, ALateTaskIsBegunASecondTimeAndTheFirstResultCounts) {
    Late desk;
    desk.at(start + 599ms);
    EXPECT_EQ(desk.scheduler.copies(), 0u);
    desk.at(start + 601ms);
    ASSERT_EQ(desk.scheduler.copies(), 1u);
    const auto second = desk.where(9);
    EXPECT_NE(second, desk.first);
    EXPECT_TRUE(desk.scheduler.done(9, second, start + 700ms));
    desk.drain();
    EXPECT_EQ(desk.cancelled.back(), std::pair(TaskId{9}, desk.first));
    EXPECT_FALSE(desk.scheduler.done(9, desk.first, start + 1s));
    EXPECT_EQ(desk.scheduler.running(), 0u);
    EXPECT_EQ(desk.scheduler.spare(), 2u);
}

TEST(Scheduler, WhenOneOfTwoThatRunATaskIsLostTheOtherGoesOn) {
    for (const bool first_is_lost : {true, false}) {
        Late desk;
        desk.at(start + 601ms);
        const auto second = desk.where(9);
        const auto sent = desk.sent.size();
        desk.scheduler.left(first_is_lost ? desk.first : second, start + 700ms);
        desk.drain();
        EXPECT_EQ(desk.sent.size(), sent);
        EXPECT_TRUE(desk.scheduler.done(9, first_is_lost ? second : desk.first, start + 1s));
    }
}

TEST(Scheduler, ATaskThatWaitsIsNotHeldUpByASecondCopy) {
    Late desk;
    ASSERT_TRUE(desk.submit(10, "a", Late::program()));
    ASSERT_TRUE(desk.submit(11, "a", Late::program()));
    desk.at(start + 601ms);
    EXPECT_EQ(desk.scheduler.copies(), 0u);
    ASSERT_TRUE(desk.scheduler.cancel(9, "", start + 700ms));
    desk.drain();
    EXPECT_EQ(desk.cancelled.back(), std::pair(TaskId{9}, desk.first));
}

TEST(Scheduler, WhatIsToRunAgainGoesToAProviderThatHasNotRunIt) {
    Desk desk;
    desk.provider(1, 2);
    ASSERT_TRUE(desk.submit(1));
    ASSERT_TRUE(desk.scheduler.again(1, 1, start));
    desk.drain();
    EXPECT_EQ(desk.sent.size(), 1u) << "nobody else is there yet";
    EXPECT_EQ(desk.scheduler.waiting(), 1u);
    desk.provider(2, 1);
    EXPECT_EQ(desk.where(1), 2u);
    EXPECT_FALSE(desk.scheduler.again(1, 1, start)) << "it does not run there";
    EXPECT_TRUE(desk.done(1));
    EXPECT_EQ(desk.scheduler.running() + desk.scheduler.waiting(), 0u);
    EXPECT_EQ(desk.scheduler.spare(), 3u);
}

TEST(Scheduler, AnImmediateTaskFailsWhenNobodyIsFreeToRunItAgain) {
    Desk desk;
    desk.provider(1, 2);
    ASSERT_TRUE(desk.submit(1, "a", {.immediate = true}));
    ASSERT_TRUE(desk.scheduler.again(1, 1, start));
    desk.drain();
    EXPECT_EQ(desk.failures.at(1), Code::resource_exhausted);
}

TEST(Scheduler, NothingIsLeftWhenEverybodyHasGone) {
    Desk desk;
    desk.provider(1, 2);
    for (TaskId id = 1; id <= 5; ++id) ASSERT_TRUE(desk.submit(id, fmt::format("t{}", id)));
    for (TaskId id = 1; id <= 5; ++id) EXPECT_TRUE(desk.scheduler.cancel(id, "", start));
    desk.scheduler.left(1, start);
    desk.drain();
    EXPECT_EQ(desk.scheduler.waiting(), 0u);
    EXPECT_EQ(desk.scheduler.running(), 0u);
    EXPECT_EQ(desk.scheduler.providers(), 0u);
    EXPECT_EQ(desk.scheduler.total_slots(), 0u);
    EXPECT_EQ(desk.scheduler.deadline(), Time::max());
}

}  // namespace
}  // namespace strowger::broker
