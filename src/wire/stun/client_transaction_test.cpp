#include "wire/stun/client_transaction.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace strowger::stun {
namespace {

using namespace std::chrono_literals;
using Event = ClientTransaction::Event;

// Section 6.2.1: "requests will be sent at times 0 ms, 500 ms, 1500 ms, 3500 ms, 7500 ms, 15500 ms,
// and 31500 ms. If the client has not received a response after 39500 ms, the client will consider
// the transaction to have timed out."
TEST(StunClientTransaction, SendsAndGivesUpAtTheTimesOfTheStandard) {
    Random random{1};
    ClientTransaction transaction(TransactionId::make(random), {}, Time{});
    std::vector<int> sent;
    Duration timed_out{};
    while (transaction.deadline() != Time::max()) {
        const Time now = transaction.deadline();
        const auto event = transaction.tick(now);
        ASSERT_TRUE(event);
        const auto at = now.time_since_epoch();
        if (*event == Event::send) {
            sent.push_back(static_cast<int>(at / 1ms));
        } else {
            timed_out = at;
        }
    }
    EXPECT_EQ(sent, (std::vector{0, 500, 1500, 3500, 7500, 15500, 31500}));
    EXPECT_EQ(timed_out, 39500ms);
}

TEST(StunClientTransaction, IsSilentBetweenItsTimesAndOnceStopped) {
    ClientTransaction transaction({}, {100ms, 3, 4}, Time{});
    EXPECT_EQ(transaction.tick(Time{}), Event::send);
    EXPECT_FALSE(transaction.tick(Time{} + 99ms));
    EXPECT_EQ(transaction.deadline(), Time{} + 100ms);
    transaction.stop();
    EXPECT_EQ(transaction.deadline(), Time::max());
    EXPECT_FALSE(transaction.tick(Time{} + 10s));
}

}  // namespace
}  // namespace strowger::stun
