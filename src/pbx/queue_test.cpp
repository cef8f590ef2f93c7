#include "pbx/queue.hpp"

#include <gtest/gtest.h>

#include <map>

#include "pbx/queue_announcement.hpp"

namespace strowger::pbx {
namespace {

using namespace std::chrono_literals;
using Strategy = config::Queue::Strategy;
using Names = std::vector<std::vector<std::string>>;

struct Line {
    std::shared_ptr<config::Queue> settings = std::make_shared<config::Queue>();
    std::map<std::string, DeviceState> states;
    Time now{1h};
    Random random{1};
    Queue queue{"q",
                [this](const QueueMember& member) {
                    const auto found = states.find(member.interface);
                    return found == states.end() ? DeviceState::not_inuse : found->second;
                },
                [this] { return now; }, random};

    explicit Line(Strategy strategy, std::vector<std::pair<std::string, int>> members) {
        settings->strategy = strategy;
        settings->ringinuse = false;
        for (const auto& [name, penalty] : members) {
            config::Queue::Member member;
            member.interface = name;
            member.penalty = penalty;
            settings->members.push_back(std::move(member));
        }
        queue.configure(settings, now);
    }
    Names order(const QueueCaller& caller = {}) const {
        Names names;
        for (const auto& group : queue.order(caller)) {
            names.emplace_back();
            for (const auto& member : group) names.back().push_back(member->interface);
        }
        return names;
    }
    QueueMember& member(const std::string& name) { return *queue.find(name); }
};

TEST(Queue, RingallRingsEverybodyOfTheLowestPenaltyAtOnce) {
    Line line(Strategy::ringall, {{"a", 1}, {"b", 0}, {"c", 1}, {"d", 0}});
    EXPECT_EQ(line.order(), (Names{{"b", "d"}, {"a", "c"}}));
    line.states["b"] = DeviceState::inuse;
    line.member("d").paused = true;
    EXPECT_EQ(line.order(), (Names{{"a", "c"}}));
}

TEST(Queue, LinearBeginsAtTheTopForEachCaller) {
    Line line(Strategy::linear, {{"a", 0}, {"b", 0}, {"c", 0}});
    QueueCaller first, second;
    EXPECT_EQ(line.order(first), (Names{{"a"}, {"b"}, {"c"}}));
    first.last_tried = "a";
    EXPECT_EQ(line.order(first), (Names{{"b"}, {"c"}, {"a"}}));
    EXPECT_EQ(line.order(second), (Names{{"a"}, {"b"}, {"c"}}));
}

TEST(Queue, RoundRobinGoesOnBehindTheLastOneWhoeverCalls) {
    Line line(Strategy::rrmemory, {{"a", 0}, {"b", 0}, {"c", 0}});
    EXPECT_EQ(line.order(), (Names{{"a"}, {"b"}, {"c"}}));
    line.queue.rung(line.member("b"));
    EXPECT_EQ(line.order(), (Names{{"c"}, {"a"}, {"b"}}));
    line.queue.rung(line.member("c"));
    EXPECT_EQ(line.order(), (Names{{"a"}, {"b"}, {"c"}}));
}

TEST(Queue, FewestCallsAndLeastRecentLookAtWhatMembersHaveDone) {
    Line few(Strategy::fewestcalls, {{"a", 0}, {"b", 0}});
    few.member("a").calls = 2;
    EXPECT_EQ(few.order(), (Names{{"b"}, {"a"}}));
    Line recent(Strategy::leastrecent, {{"a", 0}, {"b", 0}, {"c", 0}});
    recent.member("a").last_call = recent.now - 1min;
    recent.member("b").last_call = recent.now - 5min;
    EXPECT_EQ(recent.order(), (Names{{"c"}, {"b"}, {"a"}}));
}

TEST(Queue, RandomKeepsPenaltiesApartAndWeightedRandomDoesNot) {
    Line line(Strategy::random, {{"a", 1}, {"b", 0}});
    for (int i = 0; i < 20; ++i) EXPECT_EQ(line.order(), (Names{{"b"}, {"a"}}));
    // Weights 0 to 1000 and 0 to 3000: the second one comes first in a sixth of the cases.
    Line weighted(Strategy::wrandom, {{"a", 0}, {"b", 2}});
    int second = 0;
    for (int i = 0; i < 6000; ++i) second += weighted.order().front().front() == "b";
    EXPECT_NEAR(second, 1000, 150);
}

TEST(Queue, PenaltyLimitsLeaveMembersOutAndRaiseMakesThemEqual) {
    Line line(Strategy::ringall, {{"a", 0}, {"b", 3}, {"c", 5}});
    QueueCaller caller;
    caller.limits.min = 1;
    caller.limits.max = 4;
    EXPECT_EQ(line.order(caller), (Names{{"b"}}));
    caller.limits = {};
    caller.limits.raise = 3;
    EXPECT_EQ(line.order(caller), (Names{{"a", "b"}, {"c"}}));
    line.settings->penaltymemberslimit = 3;
    EXPECT_EQ(line.order(), (Names{{"a", "b", "c"}}));
}

// The example of queuerules.conf.
TEST(Queue, RulesChangeLimitsAbsolutelyAndRelatively) {
    PenaltyLimits limits;
    limits.max = 2;
    limits.min = 1;
    limits.apply({30, config::QueueRule::Limit{3, true}, {}, {}});
    EXPECT_EQ(limits.max, 5);
    EXPECT_EQ(limits.min, 1);
    limits.apply({60, config::QueueRule::Limit{10, false}, config::QueueRule::Limit{5, false}, {}});
    EXPECT_EQ(limits.max, 10);
    EXPECT_EQ(limits.min, 5);
    limits.apply({75, {}, config::QueueRule::Limit{-9, true}, config::QueueRule::Limit{20, false}});
    EXPECT_EQ(limits.min, 0);
    EXPECT_EQ(limits.raise, 20);
}

TEST(Queue, WrapupTimeKeepsAMemberFree) {
    Line line(Strategy::ringall, {{"a", 0}});
    line.settings->wrapuptime = 10;
    line.member("a").last_call = line.now - 4s;
    EXPECT_EQ(line.queue.wrapup_left(line.member("a")), 6s);
    EXPECT_TRUE(line.order().empty());
    line.now += 6s;
    EXPECT_EQ(line.order(), (Names{{"a"}}));
}

TEST(Queue, RingInUseRingsThoseThatTalk) {
    Line line(Strategy::ringall, {{"a", 0}});
    line.states["a"] = DeviceState::inuse;
    EXPECT_TRUE(line.order().empty());
    line.member("a").ring_in_use = true;
    EXPECT_EQ(line.order(), (Names{{"a"}}));
    line.states["a"] = DeviceState::unavailable;
    EXPECT_TRUE(line.order().empty());
}

TEST(Queue, CallersStandInLineByPriorityThenTime) {
    Line line(Strategy::ringall, {{"a", 0}});
    QueueCaller first, second, urgent, placed;
    urgent.priority = 5;
    line.queue.join(first);
    line.queue.join(second);
    line.queue.join(urgent);
    EXPECT_EQ(line.queue.position_of(urgent), 1u);
    EXPECT_EQ(line.queue.position_of(first), 2u);
    EXPECT_EQ(second.original_position, 2u);
    line.queue.join(placed, 1);  // but not before somebody more urgent
    EXPECT_EQ(line.queue.position_of(placed), 2u);
    line.queue.leave(urgent);
    EXPECT_EQ(line.queue.position_of(second), 3u);
    EXPECT_EQ(line.queue.position_of(urgent), 0u);
}

TEST(Queue, OnlyTheFirstCallerRingsUnlessAutofillFindsMoreMembers) {
    Line line(Strategy::linear, {{"a", 0}, {"b", 0}});
    QueueCaller first, second, third;
    for (auto* caller : {&first, &second, &third}) line.queue.join(*caller);
    EXPECT_TRUE(line.queue.is_turn_of(first));
    EXPECT_FALSE(line.queue.is_turn_of(second));
    line.settings->autofill = true;
    EXPECT_TRUE(line.queue.is_turn_of(second));
    EXPECT_FALSE(line.queue.is_turn_of(third));
    // The first one's member is no longer free, and the first one needs none.
    line.member("a").ringing = 1;
    first.is_ringing = true;
    EXPECT_TRUE(line.queue.is_turn_of(second));
    EXPECT_FALSE(line.queue.is_turn_of(third));
}

TEST(Queue, IsEmptyByTheConditionsThatCount) {
    Line line(Strategy::ringall, {{"a", 0}, {"b", 3}});
    using Q = config::Queue;
    const PenaltyLimits anybody;
    EXPECT_FALSE(line.queue.is_empty(Q::paused, anybody));
    line.member("a").paused = line.member("b").paused = true;
    EXPECT_TRUE(line.queue.is_empty(Q::paused, anybody));
    EXPECT_FALSE(line.queue.is_empty(Q::inuse, anybody));
    EXPECT_FALSE(line.queue.is_empty(0, anybody));
    line.member("b").paused = false;
    PenaltyLimits low;
    low.max = 2;
    EXPECT_FALSE(line.queue.is_empty(Q::paused, low));
    EXPECT_TRUE(line.queue.is_empty(Q::paused | Q::penalty, low));
    Line nobody(Strategy::ringall, {});
    EXPECT_TRUE(nobody.queue.is_empty(Q::invalid, anybody));
}

TEST(Queue, AReloadKeepsWhatIsKnownOfMembersAndThoseThatWereAdded) {
    Line line(Strategy::ringall, {{"a", 0}, {"b", 0}});
    line.member("a").calls = 7;
    line.member("a").paused = true;
    auto added = std::make_shared<QueueMember>();
    added->interface = "d";
    added->dynamic = true;
    line.queue.add(added);
    auto next = std::make_shared<config::Queue>(*line.settings);
    next->members.pop_back();
    next->members.front().penalty = 4;
    line.queue.configure(next, line.now);
    ASSERT_EQ(line.queue.members().size(), 2u);
    EXPECT_EQ(line.member("a").calls, 7u);
    EXPECT_TRUE(line.member("a").paused);
    EXPECT_EQ(line.member("a").penalty, 4);
    EXPECT_TRUE(line.queue.find("d"));
    EXPECT_FALSE(line.queue.find("b"));
}

TEST(QueueAnnouncement, TellsThePositionAndTheTime) {
    config::Queue queue;
    const auto& english = Speech::of("en");
    EXPECT_EQ(queue_announcement(queue, 1, {}, english), "queue-youarenext&queue-thankyou");
    EXPECT_EQ(queue_announcement(queue, 3, 100s, english),
              "queue-thereare&digits/3&queue-callswaiting&queue-holdtime&digits/2&queue-minutes&"
              "queue-thankyou");
    queue.announce_round_seconds = 30;
    EXPECT_EQ(queue_announcement(queue, 1, 100s, english),
              "queue-youarenext&queue-holdtime&digits/1&queue-minute&digits/30&queue-seconds&"
              "queue-thankyou");
}

TEST(QueueAnnouncement, KnowsALimitBeyondWhichItIsVagueOrSilent) {
    config::Queue queue;
    queue.announce_position_limit = 2;
    const auto& english = Speech::of("en");
    queue.announce_position = config::Queue::AnnouncePosition::more;
    EXPECT_EQ(queue_announcement(queue, 5, {}, english),
              "queue-quantity1&digits/2&queue-quantity2&queue-thankyou");
    queue.announce_position = config::Queue::AnnouncePosition::limit;
    EXPECT_EQ(queue_announcement(queue, 5, {}, english), "");
    EXPECT_NE(queue_announcement(queue, 2, {}, english), "");
    queue.announce_position = config::Queue::AnnouncePosition::no;
    EXPECT_EQ(queue_announcement(queue, 1, {}, english), "");
    queue.thankyou.clear();
    queue.announce_position = config::Queue::AnnouncePosition::yes;
    EXPECT_EQ(queue_announcement(queue, 1, {}, english), "queue-youarenext");
}

}  // namespace
}  // namespace strowger::pbx
