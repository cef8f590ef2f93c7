#include "wire/ice/check_list.hpp"

#include <gtest/gtest.h>

namespace strowger::ice {
namespace {

using State = CandidatePair::State;

CandidatePair pair(std::uint16_t port, std::uint64_t priority, std::uint32_t foundation = 1,
                   std::uint16_t component = 1) {
    CandidatePair pair;
    pair.remote = {IpAddress::v4({192, 0, 2, 1}), port};
    pair.priority = priority;
    pair.foundation = foundation;
    pair.component = component;
    return pair;
}

/// The ports in the order of their checks, each of which is then under way or answered.
std::vector<std::uint16_t> order(CheckList& list, State after) {
    std::vector<std::uint16_t> ports;
    while (auto* next = list.next(true)) {
        ports.push_back(next->remote.port);
        next->state = after;
        if (after == State::succeeded) list.unfreeze_alike(*next);
    }
    return ports;
}

TEST(IceCheckList, DifferentFoundationsAreCheckedByPriority) {
    CheckList list;
    list.add(pair(1, 10, 1));
    list.add(pair(2, 30, 2));
    list.add(pair(3, 20, 3));
    EXPECT_EQ(order(list, State::in_progress), (std::vector<std::uint16_t>{2, 3, 1}));
}

TEST(IceCheckList, OfOneFoundationOneIsCheckedAndTheOthersFollowItsSuccess) {
    CheckList list;
    list.add(pair(1, 30));
    list.add(pair(2, 20));
    list.add(pair(3, 10, 2));
    EXPECT_EQ(order(list, State::in_progress), (std::vector<std::uint16_t>{1, 3}));
    list.pairs()[0].state = State::succeeded;
    list.unfreeze_alike(list.pairs()[0]);
    EXPECT_EQ(order(list, State::in_progress), (std::vector<std::uint16_t>{2}));
}

TEST(IceCheckList, TheOthersOfAFoundationAreCheckedAfterItsFailure) {
    CheckList list;
    list.add(pair(1, 30));
    list.add(pair(2, 20));
    EXPECT_EQ(order(list, State::failed), (std::vector<std::uint16_t>{1, 2}));
}

TEST(IceCheckList, TheLowestComponentOfAFoundationGoesFirst) {
    CheckList list;
    list.add(pair(2, 30, 1, 2));
    list.add(pair(1, 20, 1, 1));
    EXPECT_EQ(list.next(true)->remote.port, 1);
}

TEST(IceCheckList, ATriggeredCheckGoesBeforeAllOthersAndOnce) {
    CheckList list;
    list.add(pair(1, 30, 1));
    list.add(pair(2, 20, 2));
    list.trigger(list.pairs()[1]);
    list.trigger(list.pairs()[1]);
    EXPECT_EQ(list.next(true)->remote.port, 2);
    list.pairs()[1].state = State::in_progress;
    EXPECT_EQ(list.next(true)->remote.port, 1);
    list.pairs()[0].state = State::in_progress;
    EXPECT_FALSE(list.next(true));
}

TEST(IceCheckList, WithoutOrdinaryChecksOnlyTriggeredOnesAreNext) {
    CheckList list;
    list.add(pair(1, 30));
    EXPECT_FALSE(list.has_next(false));
    EXPECT_FALSE(list.next(false));
    list.trigger(list.pairs()[0]);
    EXPECT_TRUE(list.has_next(false));
    EXPECT_EQ(list.next(false)->remote.port, 1);
}

TEST(IceCheckList, AFullListKeepsTheBestPairsAndThoseInUse) {
    CheckList list;
    for (std::uint16_t i = 0; i < CheckList::max_pairs; ++i) list.add(pair(i, 100 + i));
    list.pairs()[0].state = State::in_progress;
    list.pairs()[1].valid = true;
    EXPECT_FALSE(list.add(pair(1000, 50)));
    ASSERT_TRUE(list.add(pair(1001, 200)));
    EXPECT_EQ(list.pairs().size(), CheckList::max_pairs);
    EXPECT_TRUE(list.find(0, pair(0, 0).remote));
    EXPECT_TRUE(list.find(0, pair(1, 0).remote));
    EXPECT_FALSE(list.find(0, pair(2, 0).remote)) << "the least of the rest";
}

}  // namespace
}  // namespace strowger::ice
