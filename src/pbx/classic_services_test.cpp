#include "pbx/test_callee.hpp"

namespace strowger::pbx {
namespace {

using namespace std::chrono_literals;
using testing::TestCallee;
using testing::TestCaller;
using testing::TestExchange;

constexpr const char* phones =
    "[carol](phone)\naors=carol\n[carol]\ntype=aor\nmax_contacts=1\n"
    "[dave](phone)\naors=dave\n[dave]\ntype=aor\nmax_contacts=1\n";

const std::map<std::string, std::string> tones{
    {"indications.conf",
     "[general]\ncountry=us\n[us]\nring=440/2000,0/4000\ndial=350+440\n"
     "congestion=480+620/250,0/250\n"}};

constexpr const char* disa =
    "exten => 1,1,DISA(123,inside,77)\nexten => 2,1,DISA(no-password,inside)\n"
    "exten => 3,1,DISA(${PASSWORDS},inside)\n"
    "[inside]\nexten => _4X,1,UserEvent(done,is: ${EXTEN} ${CALLERID(num)} ${CONTEXT})\n"
    "[other]\nexten => 5,1,UserEvent(done,is: ${EXTEN} ${CALLERID(num)} ${CONTEXT})\n";

TEST(Disa, LetsWhoeverKnowsThePasswordDial) {
    TestExchange exchange(disa, {}, tones);
    TestCaller caller(exchange);
    ASSERT_EQ(caller.call("1"), 200);
    EXPECT_GE(caller.listen(200ms), 3) << "no dial tone";
    caller.dial("123#");
    caller.dial("42");
    EXPECT_EQ(exchange.say("done"), "42 77 inside");
}

TEST(Disa, GivesCongestionForAWrongPassword) {
    TestExchange exchange(disa, {}, tones);
    TestCaller caller(exchange);
    ASSERT_EQ(caller.call("1"), 200);
    caller.dial("124#");
    caller.dial("42");
    EXPECT_EQ(exchange.say("done", "is", 300ms), "(nothing)");
    EXPECT_GE(caller.listen(700ms), 3);
}

TEST(Disa, AFileOfPasswordsSaysWhereEachLeads) {
    TestExchange exchange(disa, {}, tones);
    exchange.write("passwords", "# ours\n111,inside\n222,other,88\n");
    exchange.exchange->globals().set("PASSWORDS", exchange.directory + "/passwords");
    TestCaller caller(exchange);
    ASSERT_EQ(caller.call("3"), 200);
    caller.dial("222#");
    caller.dial("5");
    EXPECT_EQ(exchange.say("done"), "5 88 other");
}

TEST(PrivacyManager, AsksOnlyWhoeverHasNoNumber) {
    TestExchange exchange(
        "exten => 1,1,PrivacyManager()\nsame => n,UserEvent(known,is: ${PRIVACYMGRSTATUS})\n"
        "same => n,Set(CALLERID(num)=)\nsame => n,Set(TIMEOUT(digit)=0.3)\n"
        "same => n,PrivacyManager(2,3)\n"
        "same => n,UserEvent(asked,is: ${PRIVACYMGRSTATUS} ${CALLERID(num)})\n");
    TestCaller caller(exchange);
    caller.invite("1");
    EXPECT_EQ(exchange.say("known"), "SUCCESS");
    ASSERT_TRUE(exchange.loop.run_until([&] { return caller.final_status == 200; }, 2s));
    caller.dial("12#");
    caller.dial("4567#");
    EXPECT_EQ(exchange.say("asked"), "SUCCESS 4567");
}

TEST(Directory, FindsPeopleByTheirLettersAndGoesToTheirNumber) {
    TestExchange exchange(
        "exten => 1,1,Directory(default,inside)\n[inside]\n"
        "exten => _2XX,1,UserEvent(done,is: ${EXTEN} ${DIRECTORY_RESULT})\n"
        "exten => o,1,UserEvent(done,is: operator)\n",
        {},
        {{"voicemail.conf",
          "[general]\n[default]\n201 => 1,Ann Smith\n202 => 1,Ben Smythe\n"
          "203 => 1,Eve Smidt,,,hidefromdir=yes\n204 => 1,Joe Brown\n"}});
    TestCaller caller(exchange);
    ASSERT_EQ(caller.call("1"), 200);
    caller.dial("764");  // SMI: Smith, not Smythe (769), and Smidt is hidden
    caller.press('1');
    EXPECT_EQ(exchange.say("done"), "201 SELECTED");
    exchange.told.clear();
    TestCaller second(exchange, "bob");
    ASSERT_EQ(second.call("1"), 200);
    second.press('0');
    exchange.loop.run_until([] { return false; }, 200ms);
    EXPECT_EQ(exchange.say("done"), "operator");
}

constexpr const char* map =
    "[applicationmap]\nnote => *7,self/caller,UserEvent,pressed\n"
    "tell => *8,peer,Playback(long)\nthere => *5,self,BlindTransfer(9)\n[mine]\nnote => *6\n";

TEST(DynamicFeatures, RunApplicationsForThosePartiesThatMayHaveThem) {
    TestExchange exchange(
        "exten => 1,1,Set(__DYNAMIC_FEATURES=tell#mine)\nsame => n,Dial(PJSIP/carol)\n", phones,
        {{"features.conf", map}});
    TestCaller alice(exchange);
    TestCallee carol(exchange, "carol");
    alice.invite("1");
    ASSERT_TRUE(carol.pick_up());
    ASSERT_TRUE(exchange.loop.run_until([&] { return alice.final_status == 200; }, 2s));
    exchange.loop.run_until([] { return false; }, 100ms);
    carol.dial("*6");  // the caller's only
    alice.dial("*7");  // the group has other digits
    const auto noted = [&] {
        return std::any_of(exchange.told.begin(), exchange.told.end(),
                           [](const auto& event) { return event.name == "pressed"; });
    };
    EXPECT_FALSE(exchange.loop.run_until(noted, 300ms));
    alice.dial("*6");
    EXPECT_TRUE(exchange.loop.run_until(noted, 2s));
    alice.dial("*8");
    EXPECT_GE(carol.listen(400ms), 8) << "the other one hears nothing";
    carol.hang_up();
    EXPECT_TRUE(alice.wait_bye());
}

TEST(DynamicFeatures, AfterOneTheTwoTalkOn) {
    TestExchange exchange(
        "exten => 1,1,Set(__DYNAMIC_FEATURES=beep)\nsame => n,Dial(PJSIP/carol)\n", phones,
        {{"features.conf", "[applicationmap]\nbeep => *8,peer,Playback(short)\n"}});
    TestCaller alice(exchange);
    TestCallee carol(exchange, "carol");
    alice.invite("1");
    ASSERT_TRUE(carol.pick_up());
    exchange.loop.run_until([] { return false; }, 100ms);
    alice.dial("*8");
    exchange.loop.run_until([] { return false; }, 500ms);
    EXPECT_TRUE(alice.hears(carol));
    EXPECT_TRUE(carol.hears(alice));
}

TEST(DynamicFeatures, MayTransferTheOtherParty) {
    TestExchange exchange(
        "exten => 1,1,Set(__DYNAMIC_FEATURES=there)\nsame => n,Dial(PJSIP/carol)\n"
        "exten => 9,1,UserEvent(came,is: ${CHANNEL(endpoint)})\nsame => n,Wait(1)\n",
        phones, {{"features.conf", map}});
    TestCaller alice(exchange);
    TestCallee carol(exchange, "carol");
    alice.invite("1");
    ASSERT_TRUE(carol.pick_up());
    exchange.loop.run_until([] { return false; }, 100ms);
    alice.dial("*5");
    EXPECT_EQ(exchange.say("came"), "carol");
}

const std::map<std::string, std::string> somewhere{
    {"followme.conf",
     "[eve]\ncontext=test\nnumber=31,1\nnumber=32,5\noptions_prompt=short\n"
     "norecording_prompt=short\npls_hold_prompt=short\nstatus_prompt=short\n"
     "sorry_prompt=short\nfeaturedigittimeout=400\n"}};
constexpr const char* search =
    "exten => 1,1,FollowMe(eve)\nsame => n,UserEvent(after,is: nobody)\nsame => n,Wait(1)\n"
    "exten => 31,1,Dial(PJSIP/carol)\nexten => 32,1,Dial(PJSIP/dave)\n";

TEST(FollowMe, TriesOneNumberAfterTheOtherAndAsks) {
    TestExchange exchange(search, phones, somewhere);
    TestCaller alice(exchange);
    TestCallee carol(exchange, "carol"), dave(exchange, "dave");
    ASSERT_EQ(alice.call("1"), 200);
    ASSERT_TRUE(carol.rings());
    EXPECT_FALSE(dave.rings(300ms));
    ASSERT_TRUE(dave.pick_up());
    EXPECT_TRUE(carol.cancelled);
    EXPECT_GE(dave.listen(200ms), 2) << "was not asked";
    dave.press('1');
    dave.pump(200ms);
    EXPECT_TRUE(dave.hears(alice));
    EXPECT_TRUE(alice.hears(dave));
    dave.hang_up();
    EXPECT_TRUE(alice.wait_bye());
}

TEST(FollowMe, GoesOnWhenTheCallIsDeclinedOrNobodySaysAnything) {
    TestExchange exchange(search, phones, somewhere);
    TestCaller alice(exchange);
    TestCallee carol(exchange, "carol"), dave(exchange, "dave");
    ASSERT_EQ(alice.call("1"), 200);
    ASSERT_TRUE(carol.rings());
    carol.refuse(486);
    ASSERT_TRUE(dave.pick_up());
    dave.pump(150ms);
    dave.press('2');
    EXPECT_TRUE(dave.wait_bye());
    EXPECT_EQ(exchange.say("after"), "nobody");
    exchange.told.clear();
    TestCaller bob(exchange, "bob");
    ASSERT_EQ(bob.call("1"), 200);
    ASSERT_TRUE(carol.pick_up());
    EXPECT_TRUE(carol.wait_bye(5s));
}

TEST(ParkAndAnnounce, CallsSomebodyWhoHearsTheSpace) {
    TestExchange exchange(
        "exten => 1,1,Answer()\nsame => n,ParkAndAnnounce(default,,short:PARKED,PJSIP/carol)\n"
        "exten => 2,1,ParkedCall(default,701)\n",
        phones);
    TestCaller alice(exchange);
    TestCallee carol(exchange, "carol");
    TestCaller bob(exchange, "bob");
    ASSERT_EQ(alice.call("1"), 200);
    ASSERT_TRUE(carol.pick_up());
    EXPECT_GE(carol.listen(300ms), 2);
    ASSERT_EQ(bob.call("2"), 200);
    exchange.loop.run_until([] { return false; }, 100ms);
    EXPECT_TRUE(bob.hears(alice));
}

TEST(Listening, TellsAPersonFromAMachine) {
    TestExchange exchange(
        "exten => 1,1,AMD(600,1500,300)\nsame => n,UserEvent(done,is: ${AMDSTATUS} ${AMDCAUSE})\n");
    TestCaller person(exchange);
    ASSERT_EQ(person.call("1"), 200);
    person.talk(15);
    EXPECT_EQ(exchange.say("done"), "HUMAN HUMAN-300-300");
    exchange.told.clear();
    TestCaller machine(exchange, "bob");
    ASSERT_EQ(machine.call("1"), 200);
    EXPECT_EQ(exchange.say("done"), "MACHINE INITIALSILENCE-600-600");
}

TEST(Listening, WaitsForSpeechAndForSilence) {
    TestExchange exchange(
        "exten => 1,1,WaitForNoise(100,1,5)\nsame => n,UserEvent(noise,is: ${WAITSTATUS})\n"
        "same => n,WaitForSilence(200,1,5)\nsame => n,UserEvent(silence,is: ${WAITSTATUS})\n"
        "same => n,WaitForNoise(100,1,0.2)\nsame => n,UserEvent(late,is: ${WAITSTATUS})\n");
    TestCaller caller(exchange);
    ASSERT_EQ(caller.call("1"), 200);
    EXPECT_EQ(exchange.say("noise", "is", 200ms), "(nothing)");
    caller.talk(12);
    EXPECT_EQ(exchange.say("noise"), "NOISE");
    EXPECT_EQ(exchange.say("silence"), "SILENCE");
    EXPECT_EQ(exchange.say("late"), "TIMEOUT");
}

TEST(Listening, BackgroundDetectStopsForWhoeverTalks) {
    TestExchange exchange(
        "exten => 1,1,BackgroundDetect(long,200,100)\nsame => n,UserEvent(done,is: nobody)\n"
        "exten => talk,1,UserEvent(done,is: somebody)\nexten => 5,1,UserEvent(done,is: five)\n");
    TestCaller caller(exchange);
    ASSERT_EQ(caller.call("1"), 200);
    EXPECT_GE(caller.listen(200ms), 3);
    caller.talk(12);
    EXPECT_EQ(exchange.say("done"), "somebody");
    exchange.told.clear();
    TestCaller second(exchange, "bob");
    ASSERT_EQ(second.call("1"), 200);
    second.press('5');
    EXPECT_EQ(exchange.say("done"), "five");
}

}  // namespace
}  // namespace strowger::pbx
