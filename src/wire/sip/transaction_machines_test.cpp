#include <gtest/gtest.h>

#include "wire/sip/invite_client_transaction.hpp"
#include "wire/sip/invite_server_transaction.hpp"
#include "wire/sip/non_invite_client_transaction.hpp"
#include "wire/sip/non_invite_server_transaction.hpp"

namespace strowger::sip {
namespace {

using namespace std::chrono_literals;
using Milliseconds = std::vector<long long>;

constexpr Time start{};
const TransactionTimers timers;

/// When the machine transmits from now on, in milliseconds since the start; stops at the end or
/// when it times out, which is written as a negative time.
template <typename Machine>
Milliseconds transmissions(Machine& machine, Time end = start + 1h) {
    Milliseconds times;
    while (machine.deadline() <= end) {
        const Time now = machine.deadline();
        const auto effects = machine.tick(now);
        const auto at = std::chrono::duration_cast<std::chrono::milliseconds>(now - start).count();
        if (has(effects, Effect::transmit)) times.push_back(at);
        if (has(effects, Effect::timeout)) times.push_back(-at);
    }
    return times;
}

// Section 17.1.1.2: T1, doubling without bound, until 64 times T1.
TEST(InviteClientTransaction, RepeatsWithDoublingIntervalsAndGivesUpAfter64T1) {
    InviteClientTransaction machine{timers, false, start};
    EXPECT_EQ(transmissions(machine), (Milliseconds{500, 1500, 3500, 7500, 15500, 31500, -32000}));
    EXPECT_TRUE(machine.over());
}

TEST(InviteClientTransaction, DoesNotRepeatOverAStream) {
    InviteClientTransaction machine{timers, true, start};
    EXPECT_EQ(transmissions(machine), Milliseconds{-32000});
}

TEST(InviteClientTransaction, WaitsForeverOnceSomethingIsHappening) {
    InviteClientTransaction machine{timers, false, start};
    EXPECT_EQ(machine.receive_response(180, start + 100ms), Effect::deliver);
    EXPECT_EQ(machine.deadline(), Time::max());
    machine.cancelled(start + 10s);
    EXPECT_EQ(machine.receive_response(180, start + 11s), Effect::deliver);
    EXPECT_EQ(transmissions(machine), Milliseconds{-42000});  // section 9.1
}

TEST(InviteClientTransaction, AcknowledgesEachCopyOfAFailureFor32Seconds) {
    InviteClientTransaction machine{timers, false, start};
    EXPECT_EQ(machine.receive_response(486, start), Effect::deliver | Effect::send_ack);
    EXPECT_EQ(machine.receive_response(486, start + 1s), Effect::send_ack);
    EXPECT_EQ(machine.receive_response(180, start + 1s), Effect::none);
    EXPECT_EQ(machine.deadline(), start + 32s);
    InviteClientTransaction stream{timers, true, start};
    stream.receive_response(486, start);
    EXPECT_TRUE(stream.over());  // D is zero
}

// RFC 6026 section 7.2.
TEST(InviteClientTransaction, DeliversEveryCopyOfA2xxForM) {
    InviteClientTransaction machine{timers, true, start};
    EXPECT_EQ(machine.receive_response(200, start), Effect::deliver);
    EXPECT_EQ(machine.state(), InviteClientTransaction::State::accepted);
    EXPECT_EQ(machine.receive_response(200, start + 31s), Effect::deliver);
    EXPECT_EQ(machine.receive_response(486, start + 31s), Effect::none);
    EXPECT_EQ(machine.deadline(), start + 32s);
    EXPECT_EQ(transmissions(machine), Milliseconds{});
    EXPECT_TRUE(machine.over());
}

TEST(InviteServerTransaction, SaysTryingAfter200MillisecondsUnlessTheUserWasFaster) {
    InviteServerTransaction machine{timers, false, start};
    EXPECT_EQ(machine.deadline(), start + 200ms);
    EXPECT_EQ(machine.tick(start + 200ms), Effect::send_trying);
    EXPECT_EQ(machine.receive_invite(), Effect::transmit);
    InviteServerTransaction faster{timers, false, start};
    EXPECT_EQ(faster.receive_invite(), Effect::none);
    EXPECT_EQ(faster.respond(180, start + 100ms), Effect::transmit);
    EXPECT_EQ(faster.deadline(), Time::max());
    EXPECT_EQ(faster.receive_invite(), Effect::transmit);
}

// Section 17.2.1: G doubles up to T2, H gives up.
TEST(InviteServerTransaction, RepeatsAFailureUntilItsAck) {
    InviteServerTransaction machine{timers, false, start};
    EXPECT_EQ(machine.respond(486, start), Effect::transmit);
    EXPECT_EQ(machine.receive_invite(), Effect::transmit);
    EXPECT_EQ(transmissions(machine), (Milliseconds{500, 1500, 3500, 7500, 11500, 15500, 19500,
                                                    23500, 27500, 31500, -32000}));
    InviteServerTransaction lucky{timers, false, start};
    lucky.respond(486, start);
    EXPECT_EQ(lucky.receive_ack(start + 1s), Effect::none);
    EXPECT_EQ(lucky.state(), InviteServerTransaction::State::confirmed);
    EXPECT_EQ(lucky.receive_ack(start + 2s), Effect::none);  // absorbed
    EXPECT_EQ(lucky.deadline(), start + 6s);                 // I is T4
    EXPECT_EQ(transmissions(lucky), Milliseconds{});
}

TEST(InviteServerTransaction, OverAStreamOnlyTheTimeoutIsLeft) {
    InviteServerTransaction machine{timers, true, start};
    machine.respond(486, start);
    EXPECT_EQ(transmissions(machine), Milliseconds{-32000});
    InviteServerTransaction lucky{timers, true, start};
    lucky.respond(486, start);
    lucky.receive_ack(start);
    EXPECT_TRUE(lucky.over());
}

// RFC 6026 section 7.1.
TEST(InviteServerTransaction, LeavesRepeatingA2xxToItsUserAndAbsorbsInvites) {
    InviteServerTransaction machine{timers, false, start};
    EXPECT_EQ(machine.respond(200, start), Effect::transmit);
    EXPECT_EQ(machine.state(), InviteServerTransaction::State::accepted);
    EXPECT_EQ(machine.receive_invite(), Effect::none);
    EXPECT_EQ(machine.respond(200, start + 1s), Effect::transmit);
    EXPECT_EQ(machine.respond(486, start + 1s), Effect::none);
    EXPECT_EQ(machine.receive_ack(start + 2s), Effect::deliver);
    EXPECT_EQ(machine.receive_ack(start + 3s), Effect::deliver);
    EXPECT_EQ(transmissions(machine), Milliseconds{});
    EXPECT_TRUE(machine.over());
}

// Section 17.1.2.2: E doubles up to T2.
TEST(NonInviteClientTransaction, RepeatsEveryFourSecondsAtMost) {
    NonInviteClientTransaction machine{timers, false, start};
    EXPECT_EQ(transmissions(machine), (Milliseconds{500, 1500, 3500, 7500, 11500, 15500, 19500,
                                                    23500, 27500, 31500, -32000}));
}

TEST(NonInviteClientTransaction, RepeatsEveryT2OnceAProvisionalCame) {
    NonInviteClientTransaction machine{timers, false, start};
    EXPECT_EQ(machine.receive_response(100, start + 100ms), Effect::deliver);
    EXPECT_EQ(transmissions(machine, start + 13s), (Milliseconds{500, 4500, 8500, 12500}));
    EXPECT_EQ(machine.receive_response(200, start + 13s), Effect::deliver);
    EXPECT_EQ(machine.receive_response(200, start + 14s), Effect::none);
    EXPECT_EQ(machine.deadline(), start + 18s);  // K is T4
}

TEST(NonInviteServerTransaction, RepeatsItsAnswerForEachCopyFor32Seconds) {
    NonInviteServerTransaction machine{timers, false, start};
    EXPECT_EQ(machine.receive_request(), Effect::none);
    EXPECT_EQ(machine.respond(200, start), Effect::transmit);
    EXPECT_EQ(machine.receive_request(), Effect::transmit);
    EXPECT_EQ(machine.respond(200, start), Effect::none);
    EXPECT_EQ(machine.deadline(), start + 32s);
    EXPECT_EQ(transmissions(machine), Milliseconds{});
    NonInviteServerTransaction stream{timers, true, start};
    stream.respond(200, start);
    EXPECT_TRUE(stream.over());  // J is zero
}

TEST(NonInviteServerTransaction, GivesUpOnAUserThatNeverAnswers) {
    NonInviteServerTransaction machine{timers, false, start};
    EXPECT_EQ(transmissions(machine), Milliseconds{-32000});
}

}  // namespace
}  // namespace strowger::sip
