#include "pbx/applications.hpp"

#include "pbx/test_callee.hpp"

namespace strowger::pbx {
namespace {

using namespace std::chrono_literals;
using testing::TestCallee;
using testing::TestCaller;
using testing::TestExchange;

TEST(SoftHangup, EndsTheChannelThatIsNamedAndNoOther) {
    TestExchange exchange(
        "exten => 1,1,Answer()\nsame => n,Wait(10)\n"
        "exten => 2,1,SoftHangup(${CHANNELS(alice)})\nsame => n,SoftHangup(PJSIP/nobody-1)\n"
        "same => n,SoftHangup()\nsame => n,UserEvent(done,is: on)\nsame => n,Answer()\n"
        "same => n,Wait(10)\n");
    TestCaller alice(exchange), bob(exchange, "bob");
    ASSERT_EQ(alice.call("1"), 200);
    ASSERT_EQ(bob.call("2"), 200);
    EXPECT_TRUE(alice.wait_bye());
    EXPECT_EQ(exchange.say("done"), "on");
    EXPECT_FALSE(bob.wait_bye(100ms));
}

TEST(SoftHangup, WithAEndsEveryChannelOfADevice) {
    TestExchange exchange(
        "exten => 1,1,Answer()\nsame => n,Wait(10)\nexten => 2,1,SoftHangup(PJSIP/alice)\n"
        "same => n,Wait(0.2)\nsame => n,UserEvent(named,is: ${CHANNELS()})\nsame => "
        "n,SoftHangup(PJSIP/alice,a)\nsame => n,Wait(5)\n");
    TestCaller first(exchange), second(exchange), bob(exchange, "bob");
    ASSERT_EQ(first.call("1"), 200);
    ASSERT_EQ(second.call("1"), 200);
    bob.invite("2");
    const auto named = exchange.say("named");  // a device is no channel
    EXPECT_EQ(std::count(named.begin(), named.end(), ' '), 2) << named;
    EXPECT_TRUE(first.wait_bye());
    EXPECT_TRUE(second.wait_bye());
}

TEST(SoftHangup, OfItselfEndsTheDialplan) {
    TestExchange exchange(
        "exten => 1,1,Answer()\nsame => n,SoftHangup(${CHANNEL})\nsame => n,UserEvent(next,is: "
        "on)\nexten => h,1,UserEvent(over,is: h)\n");
    TestCaller alice(exchange);
    ASSERT_EQ(alice.call("1"), 200);
    EXPECT_TRUE(alice.wait_bye());
    EXPECT_EQ(exchange.say("over"), "h");
    EXPECT_EQ(exchange.say("next", "is", 50ms), "(nothing)");
}

constexpr const char* dialled =
    "exten => 1,1,Dial(PJSIP/bob,5)\nsame => n,Set(leg=${HANGUPCAUSE_KEYS()})\n"
    "same => n,UserEvent(before,is: ${leg:0:10} ${HANGUPCAUSE(${leg},tech)} "
    "${HANGUPCAUSE(${leg},ast)} ${HANGUPCAUSE})\n"
    "same => n,HangupCauseClear()\nsame => n,UserEvent(after,is: "
    "[${HANGUPCAUSE_KEYS()}][${HANGUPCAUSE(${leg},tech)}])\nsame => n,Hangup()\n";

TEST(HangupCause, OfWhatWasDialledIsKnownUntilItIsCleared) {
    TestExchange exchange(dialled);
    TestCallee bob(exchange, "bob");
    TestCaller alice(exchange);
    alice.invite("1");
    ASSERT_TRUE(bob.rings());
    bob.refuse(486);
    EXPECT_EQ(exchange.say("before"), "PJSIP/bob- SIP 486 Status User busy 17");
    EXPECT_EQ(exchange.say("after"), "[][]");
    // Without a cause an unanswered call is declined.
    EXPECT_TRUE(exchange.loop.run_until([&] { return alice.final_status == 603; }, 3s))
        << alice.final_status;
}

TEST(Proceeding, SendsNothingAndGoesOn) {
    TestExchange exchange("exten => 1,1,Proceeding()\nsame => n,Hangup(17)\n");
    TestCaller alice(exchange);
    EXPECT_EQ(alice.call("1"), 486);
    for (const auto status : alice.statuses) EXPECT_TRUE(status == 100 || status == 486) << status;
}

TEST(Congestion, IsATimedToneToACallThatIsAnswered) {
    TestExchange exchange(
        "exten => 1,1,Answer()\nsame => n,Congestion(0.4)\nsame => n,UserEvent(next,is: on)\n"
        "exten => h,1,UserEvent(over,is: ${HANGUPCAUSE})\n");
    TestCaller alice(exchange);
    ASSERT_EQ(alice.call("1"), 200);
    EXPECT_GE(alice.listen(200ms), 3);
    EXPECT_TRUE(alice.wait_bye());
    EXPECT_EQ(exchange.say("over"), "34");
    EXPECT_EQ(exchange.say("next", "is", 50ms), "(nothing)");
}

TEST(Incomplete, CollectsMoreDigitsOfACallThatIsAnswered) {
    TestExchange exchange(
        "exten => 1,1,Answer()\nsame => n,Set(TIMEOUT(digit)=0.3)\nsame => n,Incomplete()\n"
        "exten => _1XX,1,UserEvent(done,is: ${EXTEN})\n");
    TestCaller alice(exchange);
    ASSERT_EQ(alice.call("1"), 200);
    alice.dial("23");
    EXPECT_EQ(exchange.say("done"), "123");
}

}  // namespace
}  // namespace strowger::pbx
