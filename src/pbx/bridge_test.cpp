#include "pbx/bridge.hpp"

#include "pbx/test_callee.hpp"

namespace strowger::pbx {
namespace {

using namespace std::chrono_literals;
using testing::TestCallee;
using testing::TestCaller;
using testing::TestExchange;

constexpr const char* phones =
    "[carol](phone)\naors=carol\nmoh_passthrough=yes\nsend_pai=yes\n[carol]\ntype=aor\n";

bool hear_each_other(TestCaller& a, TestCaller& b) { return a.hears(b) && b.hears(a); }

TEST(Dial, WithATalkLimitWarnsTheCallerAndEndsTheCall) {
    TestExchange exchange("exten => 1,1,Dial(PJSIP/bob,20,L(900:500:250))\n");
    TestCallee bob(exchange, "bob");
    TestCaller alice(exchange);
    alice.invite("1");
    ASSERT_TRUE(bob.pick_up());
    EXPECT_EQ(alice.listen(300ms), 0);  // nobody speaks
    EXPECT_GE(alice.listen(250ms), 2);  // the beep of 60 ms
    EXPECT_EQ(bob.listen(10ms), 0);     // which is not for the called party
    EXPECT_TRUE(alice.wait_bye());
    EXPECT_TRUE(bob.wait_bye());
}

TEST(Dial, WithFSendsTheCalledPartyOnWhenTheCallerLeaves) {
    TestExchange exchange(
        "exten => 1,1,Dial(PJSIP/bob,20,F(test^7^1))\nexten => 7,1,UserEvent(on,is: "
        "${CHANNEL(endpoint)})\nsame => n,Wait(3)\n");
    TestCallee bob(exchange, "bob");
    TestCaller alice(exchange);
    alice.invite("1");
    ASSERT_TRUE(bob.pick_up());
    bob.pump(100ms);
    alice.hang_up();
    EXPECT_EQ(exchange.say("on"), "bob");
    EXPECT_FALSE(bob.got("BYE"));
}

TEST(Dial, WithERunsTheHangupExtensionForTheCalledPartyToo) {
    TestExchange exchange(
        "exten => 1,1,Dial(PJSIP/bob,20,e)\nexten => h,1,UserEvent(h${CHANNEL(endpoint)},is: "
        "ran)\n");
    TestCallee bob(exchange, "bob");
    TestCaller alice(exchange);
    alice.invite("1");
    ASSERT_TRUE(bob.pick_up());
    bob.pump(100ms);
    alice.hang_up();
    EXPECT_EQ(exchange.say("hbob"), "ran");
    EXPECT_EQ(exchange.say("halice"), "ran");
    EXPECT_TRUE(bob.wait_bye());
}

TEST(Dial, RecordsTheCallWhenAPartyAsksForItByDigits) {
    TestExchange exchange(
        "exten => 1,1,Dial(PJSIP/bob,20,X)\nexten => h,1,UserEvent(over,is: "
        "${TOUCH_MIXMONITOR_OUTPUT})\n");
    exchange.write("features.conf",
                   "[general]\nfeaturedigittimeout=200\n[featuremap]\nautomixmon=*3\ndisconnect="
                   "\nblindxfer=\n");
    ASSERT_TRUE(exchange.exchange->reload());
    TestCallee bob(exchange, "bob");
    Contact contact;
    contact.uri = bob.uri();
    contact.is_static = true;
    exchange.core().location.bind("bob", contact);
    TestCaller alice(exchange);
    alice.invite("1");
    ASSERT_TRUE(bob.pick_up());
    bob.pump(100ms);
    alice.dial("*3");
    alice.talk(10);
    alice.dial("*3");
    alice.pump(100ms);
    EXPECT_TRUE(hear_each_other(alice, bob));
    alice.hang_up();
    const auto path = exchange.say("over");
    EXPECT_NE(path.find("/auto-"), std::string::npos) << path;
    const auto info = io::file_info(path);
    ASSERT_TRUE(info) << path;
    EXPECT_GT(info->size, 1000U);
}

TEST(Hold, IsPassedOnToAPhoneThatWantsIt) {
    TestExchange exchange("exten => 1,1,Dial(PJSIP/carol,20)\n", phones);
    TestCallee carol(exchange, "carol");
    TestCallee alice(exchange, "alice");
    alice.invite("1");
    ASSERT_TRUE(carol.pick_up());
    ASSERT_TRUE(exchange.loop.run_until([&] { return alice.final_status == 200; }, 3s));
    carol.last_offer.clear();
    alice.hold(true);
    EXPECT_TRUE(exchange.loop.run_until(
        [&] { return carol.last_offer.find("a=sendonly") != std::string::npos; }, 3s))
        << carol.last_offer;
    alice.hold(false);
    EXPECT_TRUE(exchange.loop.run_until(
        [&] { return carol.last_offer.find("a=sendrecv") != std::string::npos; }, 3s))
        << carol.last_offer;
    EXPECT_TRUE(hear_each_other(alice, carol));
}

TEST(Bridge, TheApplicationTakesAChannelFromWhoItTalksTo) {
    TestExchange exchange(
        "exten => 1,1,Dial(PJSIP/carol,20,g)\nsame => n,UserEvent(left,is: ${DIALSTATUS})\n"
        "exten => 2,1,Bridge(${CHANNELS(PJSIP/carol)})\nsame => n,UserEvent(after,is: "
        "${BRIDGERESULT})\n"
        "exten => 3,1,Bridge(PJSIP/nobody-1)\nsame => n,UserEvent(none,is: ${BRIDGERESULT})\n",
        phones);
    TestCallee carol(exchange, "carol");
    TestCaller alice(exchange), bob(exchange, "bob");
    alice.invite("1");
    ASSERT_TRUE(carol.pick_up());
    carol.pump(100ms);
    bob.invite("2");
    EXPECT_EQ(exchange.say("left"), "ANSWER");
    EXPECT_TRUE(alice.wait_bye());
    EXPECT_TRUE(hear_each_other(bob, carol));
    carol.hang_up();
    EXPECT_EQ(exchange.say("after"), "SUCCESS");
    TestCaller other(exchange);
    other.invite("3");
    EXPECT_EQ(exchange.say("none"), "NONEXISTENT");
}

TEST(ChanIsAvail, NamesWhoCanBeDialled) {
    TestExchange exchange(
        "exten => 1,1,ChanIsAvail(PJSIP/nobody&PJSIP/bob&PJSIP/carol)\nsame => "
        "n,Set(a=${AVAILCHAN} ${AVAILSTATUS})\n"
        "same => n,ChanIsAvail(PJSIP/0701@carol&PJSIP/alice,a)\nsame => n,Set(b=${AVAILORIGCHAN})\n"
        "same => n,ChanIsAvail(PJSIP/alice,s)\nsame => n,UserEvent(done,is: "
        "${a}/${b}/[${AVAILCHAN}] ${AVAILSTATUS})\n",
        phones);
    TestCallee carol(exchange, "carol");
    TestCaller alice(exchange);
    alice.invite("1");
    EXPECT_EQ(exchange.say("done"), "PJSIP/carol 1/PJSIP/0701@carol&PJSIP/alice/[] 2");
}

TEST(ConnectedLine, IsToldToThePhoneAfterATransfer) {
    TestExchange exchange("exten => 1,1,Dial(PJSIP/carol,20,T)\nexten => 31,1,Dial(PJSIP/bob,20)\n",
                          phones);
    exchange.write("features.conf", "[general]\ntransferdigittimeout=1\n[featuremap]\natxfer=*9\n");
    ASSERT_TRUE(exchange.exchange->reload());
    TestCallee carol(exchange, "carol"), bob(exchange, "bob");
    TestCaller alice(exchange);
    alice.invite("1");
    ASSERT_TRUE(carol.pick_up());
    carol.pump(100ms);
    alice.dial("*9");
    alice.pump(100ms);
    alice.dial("31");
    ASSERT_TRUE(bob.pick_up());
    bob.pump(100ms);
    alice.hang_up();
    ASSERT_TRUE(exchange.loop.run_until([&] { return carol.got("UPDATE"); }, 3s));
    EXPECT_NE(carol.requests["UPDATE"].find("P-Asserted-Identity: <sip:31@127.0.0.1>"),
              std::string::npos)
        << carol.requests["UPDATE"];
    EXPECT_TRUE(hear_each_other(carol, bob));
}

}  // namespace
}  // namespace strowger::pbx
