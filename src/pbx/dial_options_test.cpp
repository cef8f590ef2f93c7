#include "pbx/app_dial.hpp"

#include "pbx/test_callee.hpp"

namespace strowger::pbx {
namespace {

using namespace std::chrono_literals;
using testing::TestCallee;
using testing::TestCaller;
using testing::TestExchange;

constexpr const char* carol = "[carol](phone)\naors=carol\n[carol]\ntype=aor\n";

bool contains(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

/// alice calls extension 1, which dials bob.
struct Call {
    explicit Call(const std::string& dialplan, const std::string& pjsip = {})
        : exchange(dialplan, pjsip), bob(exchange, "bob"), alice(exchange) {
        alice.invite("1");
    }
    bool until(const std::function<bool()>& done, Duration limit = 3s) {
        return exchange.loop.run_until(done, limit);
    }
    bool hear_each_other() { return alice.hears(bob) && bob.hears(alice); }

    TestExchange exchange;
    TestCallee bob;
    TestCaller alice;
};

TEST(DialOptions, BRunsASubroutineOnTheCalledChannelBeforeItIsDialled) {
    Call call(
        "exten => 1,1,Dial(PJSIP/bob,5,b(before^s^1(red^x)))\n[before]\nexten => "
        "s,1,Set(PJSIP_HEADER(add,X-Colour)=${ARG1}${ARG2} ${CHANNEL(endpoint)})\nsame => "
        "n,Return()\n");
    ASSERT_TRUE(call.bob.rings());
    EXPECT_TRUE(contains(call.bob.requests["INVITE"], "X-Colour: redx bob\r\n"))
        << call.bob.requests["INVITE"];
}

TEST(DialOptions, BMayAskAnythingOfAChannelThatIsNotDialledYet) {
    Call call(
        "exten => 1,1,Dial(PJSIP/bob,5,b(before^s^1))\n[before]\nexten => s,1,Answer()\n"
        "same => n,Ringing()\nsame => n,Progress()\nsame => n,SendDTMF(1)\nsame => "
        "n,SendText(x)\nsame => n,Transfer(5)\nsame => n,Playback(short)\nsame => "
        "n,Set(PJSIP_SEND_SESSION_REFRESH()=invite)\nsame => n,Set(MUTEAUDIO(in)=on)\nsame => "
        "n,Set(x=${PJSIP_HEADER(read,From)}${PJSIP_RESPONSE_HEADER(read,Allow)}"
        "${PJSIP_HEADER_PARAM(From,uri,x)}${CHANNEL(rtcp,all)}${CHANNEL(rtp,dest)})\nsame => "
        "n,UserEvent(asked,is: [${CHANNEL(pjsip,call-id)}][${CHANNEL(pjsip,remote_addr)}]"
        "[${CHANNEL(pjsip,secure)}][${CHANNEL(aor)}][${CHANNEL(state)}])\nsame => n,Return()\n");
    EXPECT_EQ(call.exchange.say("asked"), "[][][][bob][Down]");
}

TEST(DialOptions, BMayEndTheCalledChannel) {
    Call call(
        "exten => 1,1,Dial(PJSIP/bob,5,b(before^s^1))\nsame => n,UserEvent(done,is: "
        "${DIALSTATUS})\n[before]\nexten => s,1,Hangup(17)\n");
    EXPECT_NE(call.exchange.say("done"), "(nothing)");
    EXPECT_FALSE(call.bob.rings(100ms));
    EXPECT_TRUE(call.until([&] { return call.exchange.core().channels.size() == 0; }));
}

TEST(DialOptions, CTellsThePhonesThatDidNotAnswerThatAnotherOneDid) {
    for (const bool told : {true, false}) {
        Call call(
            std::string("exten => 1,1,Dial(PJSIP/bob&PJSIP/carol,5,") + (told ? "c" : "") + ")\n",
            carol);
        TestCallee other(call.exchange, "carol");
        call.alice.invite("1");
        ASSERT_TRUE(call.bob.rings());
        ASSERT_TRUE(other.rings());
        call.bob.answer_call();
        ASSERT_TRUE(call.until([&] { return other.cancelled; }));
        EXPECT_EQ(contains(other.requests["CANCEL"], "cause=26"), told) << other.requests["CANCEL"];
    }
}

TEST(DialOptions, AIsHeardByTheCalledPartyOnlyAndBeforeTheTwoAreJoined) {
    Call call("exten => 1,1,Dial(PJSIP/bob,5,A(long))\n");
    ASSERT_TRUE(call.bob.pick_up());
    EXPECT_GE(call.bob.listen(400ms), 8);
    EXPECT_EQ(call.alice.listen(100ms), 0);
    EXPECT_FALSE(call.alice.hears(call.bob));
}

TEST(DialOptions, TheCallerIsAnsweredAfterTheAnnouncementOrWithSmallAAtOnce) {
    for (const bool at_once : {false, true}) {
        Call call(std::string("exten => 1,1,Dial(PJSIP/bob,5,A(long)") + (at_once ? "a" : "") +
                  ")\n");
        ASSERT_TRUE(call.bob.rings());
        call.bob.answer_call();
        EXPECT_GE(call.bob.listen(300ms), 5);
        EXPECT_EQ(call.until([&] { return call.alice.final_status == 200; }, 200ms), at_once);
    }
}

TEST(DialOptions, ASecondSoundOfAIsHeardByTheCaller) {
    Call call("exten => 1,1,Dial(PJSIP/bob,5,A(:long))\n");
    ASSERT_TRUE(call.bob.pick_up());
    EXPECT_GE(call.alice.listen(400ms), 8);
}

TEST(DialOptions, CapitalBRunsASubroutineOnTheCallerBeforeAnybodyRings) {
    Call call(
        "exten => 1,1,Dial(PJSIP/bob,5,B(before^s^1(red)))\n[before]\nexten => "
        "s,1,UserEvent(asked,is: ${ARG1} ${CHANNEL(endpoint)})\nsame => n,Return()\n");
    EXPECT_EQ(call.exchange.say("asked"), "red alice");
    EXPECT_TRUE(call.bob.rings());
}

TEST(DialOptions, SmallDLetsTheCallerLeaveForAnExtensionOfOneDigitWhileItRings) {
    Call call(
        "exten => 1,1,Answer()\nsame => n,Dial(PJSIP/bob,5,d)\nexten => 7,1,UserEvent(there,is: "
        "${DIALSTATUS})\nsame => n,Wait(1)\n");
    ASSERT_TRUE(call.bob.rings());
    call.alice.press('8');  // there is no such extension
    EXPECT_FALSE(call.until([&] { return call.bob.cancelled; }, 200ms));
    call.alice.press('7');
    EXPECT_TRUE(call.until([&] { return call.bob.cancelled; }));
    EXPECT_EQ(call.exchange.say("there"), "CANCEL");
}

TEST(DialOptions, QSaysWhatThePhonesThatDidNotAnswerAreTold) {
    const std::pair<const char*, const char*> cases[] = {
        {"Q(17)", "cause=17"}, {"Q(ANSWERED_ELSEWHERE)", "cause=26"}, {"", "cause=16"}};
    for (const auto& [option, told] : cases) {
        Call call(std::string("exten => 1,1,Dial(PJSIP/bob&PJSIP/carol,5,") + option + ")\n",
                  carol);
        TestCallee other(call.exchange, "carol");
        call.alice.invite("1");
        ASSERT_TRUE(call.bob.rings());
        ASSERT_TRUE(other.rings());
        call.bob.answer_call();
        ASSERT_TRUE(call.until([&] { return other.cancelled; }));
        EXPECT_TRUE(contains(other.requests["CANCEL"], told)) << option;
    }
}

TEST(DialOptions, RWithAToneSoundsThatToneBeforeTheAnswer) {
    Call call("exten => 1,1,Dial(PJSIP/bob,5,r(busy))\n");
    ASSERT_TRUE(call.until([&] { return call.alice.responses.contains(183); }));
    EXPECT_GE(call.alice.listen(300ms), 5);
    EXPECT_FALSE(call.alice.responses.contains(180));
}

TEST(DialOptions, CapitalRRingsBeforeThePhoneDoes) {
    Call call("exten => 1,1,Dial(PJSIP/bob,5,R)\n");
    EXPECT_TRUE(call.until([&] { return call.alice.responses.contains(180); }));
}

TEST(DialOptions, OSAndUSayAsWhomTheTwoAreSeen) {
    Call call(
        "exten => 1,1,Set(CALLERID(num)=555)\nsame => n,Dial(PJSIP/bob,5,os(red)u(prohib)U(seen))\n"
        "[seen]\nexten => s,1,UserEvent(seen,is: ${CALLERID(num)} ${CALLERID(tag)} "
        "${CONNECTEDLINE(pres)})\nsame => n,Return()\n");
    ASSERT_TRUE(call.bob.rings());
    EXPECT_TRUE(contains(call.bob.requests["INVITE"], "anonymous.invalid"));
    call.bob.answer_call();
    EXPECT_EQ(call.exchange.say("seen"), "555 red prohib_not_screened");
}

TEST(DialOptions, IKeepsFromTheCallerWhoAnswered) {
    for (const bool kept : {true, false}) {
        Call call(std::string("exten => 1,1,Dial(PJSIP/bob,5,g") + (kept ? "I" : "") +
                  ")\nsame => n,UserEvent(next,is: [${CONNECTEDLINE(num)}])\n");
        ASSERT_TRUE(call.bob.pick_up());
        call.bob.pump(100ms);
        call.bob.hang_up();
        EXPECT_EQ(call.exchange.say("next"), kept ? "[]" : "[1]");
    }
}

TEST(DialOptions, DSendsDigitsToTheCalledPartyOnceItAnswers) {
    Call call("exten => 1,1,Dial(PJSIP/bob,5,D(12))\n");
    ASSERT_TRUE(call.bob.pick_up());
    call.bob.listen(700ms);
    EXPECT_GE(call.bob.events, 6);  // of each digit at least the three that end it
    EXPECT_EQ(call.alice.events, 0);
    EXPECT_TRUE(call.hear_each_other());
}

TEST(DialOptions, GSendsTheCallerToAPriorityAndTheCalledPartyToTheNext) {
    Call call(
        "exten => 1,1,Dial(PJSIP/bob,5,G(test^2^1))\nsame => n,UserEvent(wrong,is: here)\n"
        "exten => 2,1,Goto(caller)\nsame => n,Goto(called)\n"
        "same => n(caller),UserEvent(caller,is: ${CHANNEL(endpoint)})\nsame => n,Wait(2)\n"
        "same => n(called),UserEvent(called,is: ${CHANNEL(endpoint)})\nsame => n,Wait(2)\n");
    ASSERT_TRUE(call.bob.pick_up());
    EXPECT_EQ(call.exchange.say("caller"), "alice");
    EXPECT_EQ(call.exchange.say("called"), "bob");
    EXPECT_EQ(call.exchange.say("wrong", "is", 50ms), "(nothing)");
}

TEST(DialOptions, GoOnAfterTheCalledPartyHangsUpOnlyWithG) {
    for (const bool goes_on : {true, false}) {
        Call call(std::string("exten => 1,1,Dial(PJSIP/bob,5,") + (goes_on ? "g" : "") +
                  ")\nsame => n,UserEvent(next,is: ${DIALSTATUS} ${BRIDGEPEER:0:10})\n");
        ASSERT_TRUE(call.bob.pick_up());
        call.bob.pump(100ms);
        call.bob.hang_up();
        EXPECT_TRUE(call.alice.wait_bye());
        EXPECT_EQ(call.exchange.say("next", "is", 50ms),
                  goes_on ? "ANSWER PJSIP/bob-" : "(nothing)");
    }
}

TEST(DialOptions, HEndsTheCallByTheDisconnectCodeOfWhoeverWasGrantedIt) {
    for (const std::string option : {"h", "H", ""}) {
        Call call("exten => 1,1,Dial(PJSIP/bob,5," + option + ")\n");
        ASSERT_TRUE(call.bob.pick_up());
        call.bob.pump(100ms);
        (option == "H" ? static_cast<TestCaller&>(call.bob) : call.alice).press('*');
        EXPECT_FALSE(call.bob.wait_bye(300ms)) << option;  // the other one has no such right
        (option == "h" ? static_cast<TestCaller&>(call.bob) : call.alice).press('*');
        EXPECT_EQ(call.bob.wait_bye(1s), !option.empty()) << option;
    }
}

TEST(DialOptions, CapitalHLetsTheCallerEndTheRinging) {
    Call call(
        "exten => 1,1,Answer()\nsame => n,Dial(PJSIP/bob,5,H)\nsame => n,UserEvent(done,is: "
        "${DIALSTATUS})\n");
    ASSERT_TRUE(call.bob.rings());
    call.alice.press('*');
    EXPECT_TRUE(call.until([&] { return call.bob.cancelled; }));
    EXPECT_EQ(call.exchange.say("done"), "CANCEL");
}

// Extension bob is where the 302 of a TestCallee sends its calls.
constexpr const char* redirected =
    "same => n,UserEvent(done,is: ${DIALSTATUS})\nexten => bob,1,Wait(0.7)\nsame => n,Answer()\n"
    "same => n,UserEvent(there,is: ${CHANNEL(channeltype)})\nsame => n,Wait(3)\n";

TEST(DialOptions, ARedirectionIsFollowedUnlessIForbidsIt) {
    Call call(std::string("exten => 1,1,Dial(PJSIP/bob,5)\n") + redirected);
    ASSERT_TRUE(call.bob.rings());
    call.bob.refuse(302);
    EXPECT_EQ(call.exchange.say("there"), "Local");
    EXPECT_TRUE(call.until([&] { return call.alice.final_status == 200; }));
    Call ignored(std::string("exten => 1,1,Dial(PJSIP/bob,1,i)\n") + redirected);
    ASSERT_TRUE(ignored.bob.rings());
    ignored.bob.refuse(302);
    EXPECT_NE(ignored.exchange.say("done"), "ANSWER");
    EXPECT_EQ(ignored.exchange.say("there", "is", 50ms), "(nothing)");
}

TEST(DialOptions, ZEndsTheTimeLimitAtARedirection) {
    for (const bool ends : {true, false}) {
        Call call(std::string("exten => 1,1,Dial(PJSIP/bob,0.5,") + (ends ? "z" : "") + ")\n" +
                  redirected);
        ASSERT_TRUE(call.bob.rings());
        call.bob.refuse(302);
        EXPECT_TRUE(call.until([&] { return call.alice.final_status != 0; }));
        EXPECT_EQ(call.alice.final_status == 200, ends);
        if (!ends) {
            EXPECT_EQ(call.exchange.say("done"), "NOANSWER");
        }
    }
}

TEST(DialOptions, MPlaysMusicWhileItRingsAndRRingsWhateverTheOtherSideDoes) {
    Call music("exten => 1,1,Dial(PJSIP/bob,5,m)\n");
    ASSERT_TRUE(music.bob.rings());
    ASSERT_TRUE(music.until([&] { return music.alice.responses.contains(183); }));
    EXPECT_GE(music.alice.listen(300ms), 5);
    EXPECT_FALSE(music.alice.responses.contains(180));
    Call ring("exten => 1,1,Dial(PJSIP/bob,5,r)\n");
    ASSERT_TRUE(ring.until([&] { return ring.alice.responses.contains(180); }));
}

TEST(DialOptions, SEndsTheTalkAfterSoManySeconds) {
    Call call(
        "exten => 1,1,Dial(PJSIP/bob,5,S(1)g)\nsame => n,UserEvent(next,is: ${ANSWEREDTIME})\n");
    ASSERT_TRUE(call.bob.pick_up());
    const auto began = call.exchange.loop.now();
    EXPECT_TRUE(call.bob.wait_bye());
    const auto talked = call.exchange.loop.now() - began;
    EXPECT_GT(talked, 800ms);
    EXPECT_LT(talked, 1500ms);
    EXPECT_EQ(call.exchange.say("next"), "1");
}

/// What becomes of the call when the subroutine of option U sets GOSUB_RESULT to that.
std::string after_subroutine(const std::string& result) {
    Call call(
        "exten => 1,1,Dial(PJSIP/bob,5,U(screen^x))\nsame => n,UserEvent(done,is: next "
        "${DIALSTATUS})\nexten => 8,1,UserEvent(done,is: eight)\nexten => h,1,UserEvent(over,is: "
        "ended)\n[screen]\nexten => s,1,Set(GOSUB_RESULT=" +
        result +
        ")\nsame => n,UserEvent(asked,is: ${ARG1} ${CHANNEL(endpoint)})\nsame => n,Return()\n");
    EXPECT_TRUE(call.bob.pick_up());
    EXPECT_EQ(call.exchange.say("asked"), "x bob");
    if (result.empty()) return call.hear_each_other() ? "joined" : "not joined";
    EXPECT_TRUE(call.bob.wait_bye()) << result;
    EXPECT_EQ(call.exchange.say("over"), "ended");
    return call.exchange.say("done", "is", 50ms);
}

TEST(DialOptions, UAsksASubroutineOnTheCalledChannelWhatIsToBecomeOfTheCall) {
    EXPECT_EQ(after_subroutine(""), "joined");
    EXPECT_EQ(after_subroutine("BUSY"), "next BUSY");
    EXPECT_EQ(after_subroutine("CONGESTION"), "next CONGESTION");
    EXPECT_EQ(after_subroutine("CONTINUE"), "next ANSWER");
    EXPECT_EQ(after_subroutine("GOTO:test^8^1"), "eight");
    EXPECT_EQ(after_subroutine("ABORT"), "(nothing)");
}

TEST(DialOptions, WLetsTheCalledPartyRecordTheCall) {
    TestExchange exchange("exten => 1,1,Dial(PJSIP/bob,20,w)\n");
    exchange.write("features.conf", "[featuremap]\nautomon=*3\n");
    ASSERT_TRUE(exchange.exchange->reload());
    TestCallee bob(exchange, "bob");
    TestCaller alice(exchange);
    alice.invite("1");
    ASSERT_TRUE(bob.pick_up());
    bob.pump(100ms);
    alice.dial("*3");  // who has no such right
    bob.pump(100ms);
    const auto recordings = exchange.directory + "/state/monitor";
    EXPECT_FALSE(std::filesystem::exists(recordings));
    bob.dial("*3");
    bob.talk(10);
    ASSERT_TRUE(std::filesystem::exists(recordings));
    for (const auto& file : std::filesystem::directory_iterator(recordings))
        EXPECT_TRUE(file.path().filename().string().starts_with("auto-"));
}

TEST(RetryDial, DialsAgainAfterItsAnnouncementUntilSomebodyAnswers) {
    Call call(
        "exten => 1,1,Answer()\nsame => n,RetryDial(long,0.1,2,PJSIP/bob,5,g)\nsame => "
        "n,UserEvent(done,is: ${DIALSTATUS})\n");
    ASSERT_TRUE(call.bob.rings());
    call.bob.refuse(486);
    EXPECT_GE(call.alice.listen(300ms), 5);  // the announcement, which is of 10 s
    EXPECT_EQ(call.exchange.say("done", "is", 50ms), "(nothing)");
}

TEST(RetryDial, GivesUpAfterItsRetries) {
    Call call(
        "exten => 1,1,RetryDial(none,0.1,2,PJSIP/bob,5)\nsame => n,UserEvent(done,is: "
        "${DIALSTATUS})\n");
    for (int i = 0; i < 3; ++i) {
        ASSERT_TRUE(call.bob.rings()) << i;
        EXPECT_EQ(call.exchange.say("done", "is", 10ms), "(nothing)");
        call.bob.refuse(486);
    }
    EXPECT_EQ(call.exchange.say("done"), "BUSY");
    EXPECT_FALSE(call.bob.rings(300ms));
}

TEST(RetryDial, StopsWhenSomebodyAnswers) {
    Call call("exten => 1,1,RetryDial(none,0.1,0,PJSIP/bob,5)\nsame => n,UserEvent(next,is: on)\n");
    ASSERT_TRUE(call.bob.rings());
    call.bob.refuse(480);
    ASSERT_TRUE(call.bob.pick_up());
    EXPECT_TRUE(call.hear_each_other());
    call.bob.hang_up();
    EXPECT_TRUE(call.alice.wait_bye());
    EXPECT_EQ(call.exchange.say("next", "is", 50ms), "(nothing)");
}

}  // namespace
}  // namespace strowger::pbx
