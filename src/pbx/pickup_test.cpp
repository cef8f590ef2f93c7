#include "pbx/test_callee.hpp"

namespace strowger::pbx {
namespace {

using namespace std::chrono_literals;
using testing::TestCallee;
using testing::TestCaller;
using testing::TestExchange;

constexpr const char* phones =
    "[carol](phone)\naors=carol\npickup_group=3\n[carol]\ntype=aor\nmax_contacts=1\n"
    "[dave](phone)\naors=dave\ncall_group=1-3\nnamed_pickup_group=sales\n[dave]\ntype=aor\n"
    "[erin](phone)\naors=erin\nnamed_call_group=sales,support\n[erin]\ntype=aor\n";
constexpr const char* plan =
    "exten => 1,1,Set(_PICKUPMARK=reception)\nsame => n,Dial(PJSIP/dave,20)\n"
    "same => n,UserEvent(ended,is: ${DIALSTATUS})\n"
    "exten => 2,1,Dial(PJSIP/erin,20)\n"
    "exten => 51,1,Pickup(1)\nsame => n,UserEvent(nothing,is: here)\nsame => n,Hangup(21)\n"
    "exten => 52,1,Pickup(9@nowhere&reception@PICKUPMARK)\n"
    "exten => 53,1,PickupChan(PJSIP/dave)\n"
    "exten => h,1,UserEvent(over${CHANNEL(endpoint)},is: ${DIALSTATUS} ${DIALEDPEERNAME:0:11})\n";

/// Somebody picks up by that number while alice calls dave; both talk, and alice hangs up.
void picks_up_and_talks(const std::string& number) {
    TestExchange exchange(plan, phones);
    TestCallee dave(exchange, "dave");
    TestCaller alice(exchange);
    TestCaller carol(exchange, "carol");
    alice.invite("1");
    ASSERT_TRUE(dave.rings());
    EXPECT_EQ(carol.call(number), 200);
    EXPECT_TRUE(exchange.loop.run_until([&] { return alice.final_status != 0; }, 3s));
    EXPECT_EQ(alice.final_status, 200);
    EXPECT_TRUE(exchange.loop.run_until([&] { return dave.cancelled; }, 3s));
    EXPECT_NE(dave.requests["CANCEL"].find("Q.850;cause=26"), std::string::npos);
    EXPECT_TRUE(alice.hears(carol));
    EXPECT_TRUE(carol.hears(alice));
    alice.hang_up();
    EXPECT_TRUE(carol.wait_bye());
    EXPECT_EQ(exchange.say("overalice"), "ANSWER PJSIP/carol");
}

TEST(Pickup, ByTheDialledExtensionTakesTheCallFromThePhoneThatRings) { picks_up_and_talks("51"); }
TEST(Pickup, ByMarkTakesTheCallThatCarriesIt) { picks_up_and_talks("52"); }
TEST(Pickup, ByChannelTakesTheCallThatRingsThere) { picks_up_and_talks("53"); }
TEST(Pickup, ByThePickupNumberTakesACallOfTheGroup) { picks_up_and_talks("*8"); }

TEST(Pickup, OfAnotherGroupIsRefused) {
    TestExchange exchange(plan, phones);
    TestCallee erin(exchange, "erin");
    TestCaller alice(exchange);
    alice.invite("2");
    ASSERT_TRUE(erin.rings());
    TestCaller carol(exchange, "carol");
    EXPECT_EQ(carol.call("*8"), 403);
    TestCaller dave(exchange, "dave");
    EXPECT_EQ(dave.call("*8"), 200);
    EXPECT_TRUE(exchange.loop.run_until([&] { return erin.cancelled; }, 3s));
}

TEST(Pickup, GoesOnWhenNothingRings) {
    TestExchange exchange(plan, phones);
    TestCaller carol(exchange, "carol");
    EXPECT_EQ(carol.call("51"), 403);
    EXPECT_EQ(exchange.say("nothing"), "here");
    EXPECT_EQ(exchange.core().ringing.size(), 0U);
}

TEST(Pickup, EndsTheCallOfThePickerWhenTheCallerLeaves) {
    TestExchange exchange(plan, phones);
    TestCallee dave(exchange, "dave");
    TestCaller alice(exchange);
    alice.invite("1");
    ASSERT_TRUE(dave.rings());
    TestCaller carol(exchange, "carol");
    ASSERT_EQ(carol.call("51"), 200);
    carol.hang_up();
    EXPECT_TRUE(alice.wait_bye());
    EXPECT_EQ(exchange.say("overalice"), "ANSWER PJSIP/carol");
    EXPECT_TRUE(exchange.loop.run_until([&] { return exchange.core().channels.size() == 0; }, 3s));
}

}  // namespace
}  // namespace strowger::pbx
