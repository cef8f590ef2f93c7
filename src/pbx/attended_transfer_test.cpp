#include "pbx/test_callee.hpp"

namespace strowger::pbx {
namespace {

using namespace std::chrono_literals;
using testing::TestCallee;
using testing::TestCaller;
using testing::TestExchange;

constexpr const char* phones =
    "[carol](phone)\naors=carol\n[carol]\ntype=aor\n"
    "[dave](phone)\naors=dave\n[dave]\ntype=aor\n";
constexpr const char* plan =
    "exten => 1,1,Dial(PJSIP/bob,20,tTg)\nsame => n,UserEvent(after,is: ${DIALSTATUS})\n"
    "same => n,Wait(1)\n"
    "exten => 2,1,Set(FEATURE(atxferdropcall)=1)\nsame => n,Goto(passed,1)\n"
    "exten => 3,1,Set(FEATURE(atxferloopdelay)=0)\nsame => "
    "n,Set(FEATURE(atxfercallbackretries)=1)\n"
    "same => n,Goto(passed,1)\n"
    "exten => passed,1,Set(FEATURE(inherit)=yes)\nsame => n,Goto(1,1)\n"
    "exten => 31,1,Dial(PJSIP/carol,20)\nexten => 39,1,Hangup(17)\n"
    "exten => h,1,UserEvent(over${CHANNEL(endpoint)},is: ${ATTENDEDTRANSFER:0:9})\n";

/// alice talks to bob, who (or alice) may consult carol at 31 by dialling *9.
struct Talk : TestExchange {
    explicit Talk(const std::string& features = {}, const std::string& number = "1")
        : TestExchange(plan, phones), alice(*this), bob(*this, "bob"), carol(*this, "carol") {
        write("features.conf", "[general]\nfeaturedigittimeout=200\ntransferdigittimeout=1\n" +
                                   features +
                                   "[featuremap]\natxfer=*9\nblindxfer=#1\ndisconnect=*\n");
        tone(directory + "/state/sounds/en/pbx-transfer.wav", 50ms);
        EXPECT_TRUE(exchange->reload());
        core().location.bind("bob", contact_of(bob));
        core().location.bind("carol", contact_of(carol));
        alice.invite(number);
        EXPECT_TRUE(bob.pick_up());
        EXPECT_TRUE(until([&] { return alice.final_status == 200; }));
    }
    bool until(const std::function<bool()>& done, Duration limit = 3s) {
        return loop.run_until(done, limit);
    }
    static Contact contact_of(TestCallee& phone) {
        Contact contact;
        contact.uri = phone.uri();
        contact.is_static = true;
        return contact;
    }
    /// Both send; do both hear?
    static bool hear_each_other(TestCaller& a, TestCaller& b) { return a.hears(b) && b.hears(a); }
    void consult(TestCaller& by) {
        by.dial("*9");
        by.pump(150ms);
        by.dial("31");
    }

    TestCaller alice;
    TestCallee bob, carol;
};

TEST(AttendedTransfer, ConsultsWhileTheOtherWaitsAndJoinsThemWhenTheTransferorHangsUp) {
    Talk talk;
    talk.consult(talk.bob);
    ASSERT_TRUE(talk.carol.rings());
    EXPECT_EQ(talk.carol.shown(), "<sip:1@127.0.0.1>");
    ASSERT_TRUE(talk.carol.pick_up());
    EXPECT_TRUE(Talk::hear_each_other(talk.bob, talk.carol));
    talk.bob.hang_up();
    talk.bob.pump(100ms);
    EXPECT_TRUE(Talk::hear_each_other(talk.alice, talk.carol));
    talk.alice.hang_up();
    EXPECT_TRUE(talk.carol.wait_bye());
    EXPECT_EQ(talk.say("overalice"), "PJSIP/bob");
    EXPECT_TRUE(talk.until([&] { return talk.core().channels.size() == 0; }));
}

TEST(AttendedTransfer, ByTheCallerGoesTheSameWay) {
    Talk talk;
    talk.consult(talk.alice);
    ASSERT_TRUE(talk.carol.pick_up());
    EXPECT_TRUE(Talk::hear_each_other(talk.alice, talk.carol));
    talk.alice.dial("*2");
    EXPECT_EQ(talk.say("after"), "ANSWER");  // the transferor is let go of: option g
    EXPECT_TRUE(Talk::hear_each_other(talk.bob, talk.carol));
    talk.carol.hang_up();
    EXPECT_TRUE(talk.bob.wait_bye());
}

TEST(AttendedTransfer, CanBeAborted) {
    Talk talk;
    talk.consult(talk.bob);
    ASSERT_TRUE(talk.carol.pick_up());
    talk.bob.dial("*1");
    EXPECT_TRUE(talk.carol.wait_bye());
    EXPECT_TRUE(Talk::hear_each_other(talk.alice, talk.bob));
    talk.alice.hang_up();
    EXPECT_TRUE(talk.bob.wait_bye());
}

TEST(AttendedTransfer, CanBeAbortedWhileItRings) {
    Talk talk;
    talk.consult(talk.bob);
    ASSERT_TRUE(talk.carol.rings());
    talk.bob.dial("*1");
    EXPECT_TRUE(talk.until([&] { return talk.carol.cancelled; }));
    talk.bob.pump(50ms);
    EXPECT_TRUE(Talk::hear_each_other(talk.alice, talk.bob));
}

TEST(AttendedTransfer, SwapsBetweenTheTwo) {
    Talk talk;
    talk.consult(talk.bob);
    ASSERT_TRUE(talk.carol.pick_up());
    talk.bob.dial("*4");
    EXPECT_TRUE(Talk::hear_each_other(talk.alice, talk.bob));
    talk.bob.dial("*4");
    EXPECT_TRUE(Talk::hear_each_other(talk.carol, talk.bob));
    talk.bob.dial("*2");
    EXPECT_TRUE(talk.bob.wait_bye());
    EXPECT_TRUE(Talk::hear_each_other(talk.alice, talk.carol));
}

TEST(AttendedTransfer, JoinsAllThreeAndThenTheTwoThatAreLeft) {
    Talk talk;
    talk.consult(talk.bob);
    ASSERT_TRUE(talk.carol.pick_up());
    talk.bob.dial("*3");
    talk.bob.pump(100ms);
    EXPECT_TRUE(Talk::hear_each_other(talk.alice, talk.bob));
    EXPECT_TRUE(Talk::hear_each_other(talk.alice, talk.carol));
    EXPECT_TRUE(Talk::hear_each_other(talk.bob, talk.carol));
    talk.bob.hang_up();
    talk.bob.pump(100ms);
    EXPECT_TRUE(Talk::hear_each_other(talk.alice, talk.carol));
    talk.alice.hang_up();
    EXPECT_TRUE(talk.carol.wait_bye());
    EXPECT_TRUE(talk.until([&] { return talk.core().channels.size() == 0; }));
}

TEST(AttendedTransfer, ReturnsWhenTheTargetRefusesOrLeaves) {
    Talk talk;
    talk.consult(talk.bob);
    ASSERT_TRUE(talk.carol.rings());
    talk.carol.refuse(486);
    talk.bob.pump(50ms);
    EXPECT_TRUE(Talk::hear_each_other(talk.alice, talk.bob));
    talk.consult(talk.bob);
    ASSERT_TRUE(talk.carol.pick_up());
    talk.carol.hang_up();
    talk.bob.pump(50ms);
    EXPECT_TRUE(Talk::hear_each_other(talk.alice, talk.bob));
}

TEST(AttendedTransfer, ReturnsWhenNobodyAnswersInTime) {
    Talk talk("atxfernoanswertimeout=1\n");
    talk.consult(talk.bob);
    ASSERT_TRUE(talk.carol.rings());
    EXPECT_TRUE(talk.until([&] { return talk.carol.cancelled; }));
    talk.bob.pump(50ms);
    EXPECT_TRUE(Talk::hear_each_other(talk.alice, talk.bob));
}

TEST(AttendedTransfer, LeavesTheOtherToWaitWhenTheTransferorGoesWhileItRings) {
    Talk talk;
    talk.consult(talk.bob);
    ASSERT_TRUE(talk.carol.rings());
    talk.bob.hang_up();
    talk.bob.pump(50ms);
    ASSERT_TRUE(talk.carol.pick_up());
    EXPECT_TRUE(Talk::hear_each_other(talk.alice, talk.carol));
}

TEST(AttendedTransfer, CallsTheTransferorBackWhenNobodyAnswersAndItHasGone) {
    Talk talk("atxferloopdelay=0\n");
    talk.consult(talk.bob);
    ASSERT_TRUE(talk.carol.rings());
    talk.bob.hang_up();
    talk.bob.pump(50ms);
    talk.carol.refuse(486);
    ASSERT_TRUE(talk.bob.rings());
    EXPECT_NE(talk.bob.shown().find("alice"), std::string::npos);
    talk.bob.refuse(486);
    ASSERT_TRUE(talk.bob.pick_up());
    talk.bob.pump(100ms);
    EXPECT_TRUE(Talk::hear_each_other(talk.alice, talk.bob));
}

TEST(AttendedTransfer, DropsTheCallInsteadWhenToldSo) {
    Talk talk("atxferdropcall=yes\n");
    talk.consult(talk.bob);
    ASSERT_TRUE(talk.carol.rings());
    talk.bob.hang_up();
    talk.bob.pump(50ms);
    talk.carol.refuse(486);
    EXPECT_FALSE(talk.bob.rings(300ms));
    EXPECT_EQ(talk.say("after"), "ANSWER");
}

TEST(AttendedTransfer, DropsTheCallWhenTheTransferorsOwnFeaturesSaySo) {
    Talk talk({}, "2");
    talk.consult(talk.bob);
    ASSERT_TRUE(talk.carol.rings());
    talk.bob.hang_up();
    talk.bob.pump(50ms);
    talk.carol.refuse(486);
    EXPECT_FALSE(talk.bob.rings(300ms));
    EXPECT_EQ(talk.say("after"), "ANSWER");
}

TEST(AttendedTransfer, CallsTheTransferorBackAsOftenAsItsOwnFeaturesSay) {
    Talk talk({}, "3");
    talk.consult(talk.bob);
    ASSERT_TRUE(talk.carol.rings());
    talk.bob.hang_up();
    talk.bob.pump(50ms);
    talk.carol.refuse(486);
    ASSERT_TRUE(talk.bob.rings());
    talk.bob.refuse(486);
    EXPECT_FALSE(talk.bob.rings(300ms));
    EXPECT_EQ(talk.say("after"), "ANSWER");
}

TEST(AttendedTransfer, StopsRingingWhenBothHaveGone) {
    Talk talk;
    talk.consult(talk.bob);
    ASSERT_TRUE(talk.carol.rings());
    talk.bob.hang_up();
    talk.alice.hang_up();
    EXPECT_TRUE(talk.until([&] { return talk.carol.cancelled; }));
    EXPECT_TRUE(talk.until([&] { return talk.core().channels.size() == 0; }));
}

TEST(AttendedTransfer, LetsTheTwoTalkOnWhenTheOtherOneHasLeft) {
    Talk talk;
    talk.consult(talk.bob);
    ASSERT_TRUE(talk.carol.pick_up());
    talk.alice.hang_up();
    EXPECT_TRUE(Talk::hear_each_other(talk.bob, talk.carol));
    talk.carol.hang_up();
    EXPECT_TRUE(talk.bob.wait_bye());
    EXPECT_TRUE(talk.until([&] { return talk.core().channels.size() == 0; }));
}

TEST(BlindTransfer, ByDigitsSendsTheOtherPartyOn) {
    Talk talk;
    talk.bob.dial("#1");
    talk.bob.pump(150ms);
    talk.bob.dial("31");
    ASSERT_TRUE(talk.carol.pick_up());
    EXPECT_TRUE(talk.bob.wait_bye());
    EXPECT_TRUE(Talk::hear_each_other(talk.alice, talk.carol));
}

TEST(BlindTransfer, ToNowhereLetsThemTalkOn) {
    Talk talk;
    talk.bob.dial("#1");
    talk.bob.dial("77#");
    talk.bob.pump(50ms);
    EXPECT_TRUE(Talk::hear_each_other(talk.alice, talk.bob));
}

}  // namespace
}  // namespace strowger::pbx
