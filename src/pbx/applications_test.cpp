#include "pbx/applications.hpp"

#include "pbx/test_exchange.hpp"

namespace strowger::pbx {
namespace {

using namespace std::chrono_literals;
using testing::TestCaller;
using testing::TestExchange;

TEST(AnswerApplications, RefuseAnUnansweredCallWithTheStatusOfItsCause) {
    TestExchange exchange(
        "exten => 1,1,Hangup()\nexten => 2,1,Hangup(17)\nexten => 3,1,Busy()\n"
        "exten => 4,1,Congestion()\nexten => 5,1,Incomplete()\nexten => "
        "6,1,Hangup(NO_ROUTE_DESTINATION)\n");
    const std::pair<const char*, int> expected[] = {{"1", 603}, {"2", 486}, {"3", 486},
                                                    {"4", 503}, {"5", 484}, {"6", 404}};
    for (const auto& [exten, status] : expected) {
        TestCaller caller(exchange);
        EXPECT_EQ(caller.call(exten), status) << exten;
    }
}

TEST(AnswerApplications, LeaveNothingOfAChannelWhoseCallHasEnded) {
    TestExchange exchange("exten => 1,1,Answer()\nsame => n,Wait(0.1)\nsame => n,Hangup()\n");
    TestCaller caller(exchange);
    ASSERT_EQ(caller.call("1"), 200);
    const std::weak_ptr<Channel> channel = exchange.core().channels.all().at(0);
    caller.dial("12");
    EXPECT_TRUE(caller.wait_bye());
    EXPECT_TRUE(exchange.loop.run_until([&] { return channel.expired(); }, 2s));
    EXPECT_EQ(exchange.core().channels.size(), 0U);
}

TEST(AnswerApplications, RingAndOpenEarlyMediaBeforeTheAnswer) {
    TestExchange exchange(
        "exten => 1,1,Ringing()\nsame => n,Wait(0.05)\nsame => n,Progress()\nsame => n,Wait(0.05)\n"
        "same => n,Answer()\nsame => n,Hangup()\n");
    TestCaller caller(exchange);
    EXPECT_EQ(caller.call("1"), 200);
    const auto seen = caller.statuses;
    EXPECT_TRUE(std::find(seen.begin(), seen.end(), 180) != seen.end());
    ASSERT_TRUE(caller.responses.contains(183));
    EXPECT_NE(caller.responses[183].find("m=audio"), std::string::npos);
    EXPECT_TRUE(caller.wait_bye());
}

TEST(Playback, AnswersPlaysAndReportsSuccess) {
    TestExchange exchange(
        "exten => 1,1,Playback(short&short)\nsame => n,UserEvent(done,is: ${PLAYBACKSTATUS})\n");
    TestCaller caller(exchange);
    EXPECT_EQ(caller.call("1"), 200);
    EXPECT_GE(caller.listen(200ms), 3);
    EXPECT_EQ(exchange.say("done"), "SUCCESS");
}

TEST(Playback, GoesOnAfterAMissingSoundAndReportsIt) {
    TestExchange exchange(
        "exten => 1,1,Playback(no-such&short)\nsame => n,UserEvent(done,is: ${PLAYBACKSTATUS})\n");
    TestCaller caller(exchange);
    EXPECT_EQ(caller.call("1"), 200);
    EXPECT_EQ(exchange.say("done"), "FAILED");
}

TEST(Playback, WithNoanswerPlaysAsEarlyMedia) {
    TestExchange exchange("exten => 1,1,Playback(short,noanswer)\nsame => n,Hangup(17)\n");
    TestCaller caller(exchange);
    EXPECT_EQ(caller.call("1"), 486);
    EXPECT_TRUE(caller.responses.contains(183));
}

constexpr const char* menu =
    "exten => 1,1,Answer()\nsame => n,Set(TIMEOUT(digit)=0.4)\nsame => n,Background(long)\nsame => "
    "n,WaitExten(0.3)\n"
    "exten => 7,1,UserEvent(done,is: seven)\n"
    "exten => _8X,1,UserEvent(done,is: ${EXTEN})\n"
    "exten => i,1,UserEvent(done,is: invalid ${INVALID_EXTEN})\n"
    "exten => t,1,UserEvent(done,is: timeout)\n"
    "exten => 2,1,Answer()\nsame => n,WaitExten(0.2)\n"
    "exten => 3,1,Answer()\nsame => n,WaitExten(0.2)\nsame => n,UserEvent(done,is: went on)\n";

TEST(Background, ADigitStopsItAndGoesToTheExtension) {
    TestExchange exchange(menu);
    TestCaller caller(exchange);
    ASSERT_EQ(caller.call("1"), 200);
    EXPECT_GE(caller.listen(200ms), 3);
    caller.press('7');
    EXPECT_EQ(exchange.say("done"), "seven");
}

TEST(Background, WaitsForTheRestOfALongerExtension) {
    TestExchange exchange(menu);
    TestCaller caller(exchange);
    ASSERT_EQ(caller.call("1"), 200);
    caller.dial("85");
    EXPECT_EQ(exchange.say("done"), "85");
}

TEST(Background, GoesToInvalidForDigitsThatAreNoExtension) {
    TestExchange exchange(menu);
    TestCaller caller(exchange);
    ASSERT_EQ(caller.call("1"), 200);
    caller.press('8');
    EXPECT_EQ(exchange.say("done"), "invalid 8");
}

TEST(WaitExten, GoesToTimeoutUnlessThereIsANextPriority) {
    TestExchange exchange(menu);
    TestCaller first(exchange);
    ASSERT_EQ(first.call("2"), 200);
    EXPECT_EQ(exchange.say("done"), "timeout");
    exchange.told.clear();
    TestCaller second(exchange);
    ASSERT_EQ(second.call("3"), 200);
    EXPECT_EQ(exchange.say("done"), "went on");
}

TEST(Read, CollectsUpToTheMaximumOrTheTerminator) {
    TestExchange exchange(
        "exten => 1,1,Read(pin,long,3)\nsame => n,UserEvent(done,is: ${pin} ${READSTATUS})\n"
        "same => n,Read(more)\nsame => n,UserEvent(more,is: ${more} ${READSTATUS})\n"
        "same => n,Read(none,,,,1,0.1)\nsame => n,UserEvent(none,is: ${none}${READSTATUS})\n");
    TestCaller caller(exchange);
    ASSERT_EQ(caller.call("1"), 200);
    caller.dial("123");
    EXPECT_EQ(exchange.say("done"), "123 OK");
    caller.dial("45#");
    EXPECT_EQ(exchange.say("more"), "45 OK");
    EXPECT_EQ(exchange.say("none"), "TIMEOUT");
}

TEST(Read, EndsWithTheCall) {
    TestExchange exchange(
        "exten => 1,1,Read(pin)\nexten => h,1,UserEvent(done,is: ${READSTATUS})\n");
    TestCaller caller(exchange);
    ASSERT_EQ(caller.call("1"), 200);
    caller.hang_up();
    EXPECT_EQ(exchange.say("done"), "HANGUP");
}

TEST(ReadExten, TakesWhatIsAnExtensionOfTheContext) {
    TestExchange exchange(
        "exten => 1,1,ReadExten(where,,menu)\nsame => n,UserEvent(done,is: ${where} "
        "${READEXTENSTATUS})\n"
        "same => n,ReadExten(where,,menu,,0.1)\nsame => n,UserEvent(late,is: ${where} "
        "${READEXTENSTATUS})\n"
        "[menu]\nexten => _4X,1,NoOp()\n");
    TestCaller caller(exchange);
    ASSERT_EQ(caller.call("1"), 200);
    caller.dial("42");
    EXPECT_EQ(exchange.say("done"), "42 OK");
    EXPECT_EQ(exchange.say("late"), "t TIMEOUT");
}

TEST(WaitDigit, TakesOnlyTheDigitsThatItWaitsFor) {
    TestExchange exchange(
        "exten => 1,1,Answer()\nsame => n,WaitDigit(5,12)\nsame => n,UserEvent(done,is: "
        "${WAITDIGITRESULT} ${WAITDIGITSTATUS})\n");
    TestCaller caller(exchange);
    ASSERT_EQ(caller.call("1"), 200);
    caller.dial("32");
    EXPECT_EQ(exchange.say("done"), "2 DTMF");
}

TEST(Authenticate, LetsInWhoKnowsThePassword) {
    TestExchange exchange(
        "exten => 1,1,Authenticate(42,a)\nsame => n,UserEvent(done,is: ${CHANNEL(accountcode)})\n");
    TestCaller caller(exchange);
    ASSERT_EQ(caller.call("1"), 200);
    caller.dial("11#");
    caller.pump(200ms);
    caller.dial("42#");
    EXPECT_EQ(exchange.say("done"), "42");
}

TEST(SendDTMF, SendsTelephoneEvents) {
    TestExchange exchange(
        "exten => 1,1,Answer()\nsame => n,Wait(0.1)\nsame => n,SendDTMF(1w#)\nsame => "
        "n,UserEvent(done,is: ok)\n");
    TestCaller caller(exchange);
    ASSERT_EQ(caller.call("1"), 200);
    caller.listen(700ms);
    EXPECT_GE(caller.events, 3);
    EXPECT_EQ(exchange.say("done"), "ok");
}

TEST(Echo, SendsBackWhatIsSaidUntilTheHash) {
    TestExchange exchange(
        "exten => 1,1,Answer()\nsame => n,Echo()\nsame => n,UserEvent(done,is: over)\n");
    TestCaller caller(exchange);
    ASSERT_EQ(caller.call("1"), 200);
    caller.talk(10, 0x21);
    int same = 0;
    while (const auto packet = caller.phone.hear(50ms))
        same += packet->payload == std::vector<std::uint8_t>(160, 0x21);
    EXPECT_GE(same, 5);
    caller.press('#');
    EXPECT_EQ(exchange.say("done"), "over");
}

TEST(MusicOnHold, PlaysForTheGivenTime) {
    TestExchange exchange(
        "exten => 1,1,Answer()\nsame => n,MusicOnHold(default,0.3)\nsame => n,UserEvent(done,is: "
        "over)\n");
    TestCaller caller(exchange);
    ASSERT_EQ(caller.call("1"), 200);
    EXPECT_GE(caller.listen(200ms), 4);
    EXPECT_EQ(exchange.say("done"), "over");
}

TEST(Tones, SoundWhileTheDialplanGoesOn) {
    TestExchange exchange(
        "exten => 1,1,Answer()\nsame => n,Playtones(425/1000)\nsame => n,Wait(0.3)\nsame => "
        "n,StopPlaytones()\nsame => n,Wait(0.3)\n"
        "exten => 2,1,Set(MORSEDITLEN=20)\nsame => n,Morsecode(e t)\nsame => n,UserEvent(done,is: "
        "sent)\n"
        "exten => 3,1,Milliwatt()\n");
    for (const auto* exten : {"1", "2", "3"}) {
        TestCaller caller(exchange);
        ASSERT_EQ(caller.call(exten), 200);
        EXPECT_GE(caller.listen(250ms), 3) << exten;
    }
    EXPECT_EQ(exchange.say("done"), "sent");
}

TEST(ControlPlayback, StopsAtItsKey) {
    TestExchange exchange(
        "exten => 1,1,Answer()\nsame => n,ControlPlayback(long,3000,#,*,5)\n"
        "same => n,UserEvent(done,is: ${CPLAYBACKSTATUS} ${CPLAYBACKSTOPKEY})\n");
    TestCaller caller(exchange);
    ASSERT_EQ(caller.call("1"), 200);
    caller.press('#');
    caller.pump(100ms);
    caller.press('5');
    EXPECT_EQ(exchange.say("done"), "USERSTOPPED 5");
}

TEST(Say, PlaysTheSoundsOfANumber) {
    TestExchange exchange(
        "exten => 1,1,SayNumber(21)\nsame => n,SayDigits(12)\nsame => n,SayNumber(x)\nsame => "
        "n,UserEvent(done,is: said)\n");
    TestCaller caller(exchange);
    ASSERT_EQ(caller.call("1"), 200);
    EXPECT_GE(caller.listen(300ms), 6);
    EXPECT_EQ(exchange.say("done"), "said");
}

TEST(Wait, UntilATimeThatIsPastReturnsAtOnce) {
    TestExchange exchange(
        "exten => 1,1,Answer()\nsame => n,WaitUntil(1000)\nsame => n,UserEvent(done,is: "
        "${WAITUNTILSTATUS})\n");
    TestCaller caller(exchange);
    ASSERT_EQ(caller.call("1"), 200);
    EXPECT_EQ(exchange.say("done"), "PAST");
}

TEST(System, SaysHowTheCommandEnded) {
    TestExchange exchange(
        "exten => 1,1,System(true)\nsame => n,Set(a=${SYSTEMSTATUS})\nsame => n,System(\"exit "
        "3\")\nsame => n,Set(b=${SYSTEMSTATUS})\n"
        "same => n,TrySystem(/no/such/program)\nsame => n,UserEvent(done,is: ${a} ${b} "
        "${SYSTEMSTATUS})\n");
    TestCaller caller(exchange);
    caller.invite("1");
    EXPECT_EQ(exchange.say("done"), "SUCCESS APPERROR FAILURE");
}

TEST(Transfer, RedirectsBeforeAndRefersAfterTheAnswer) {
    TestExchange exchange(
        "exten => 1,1,Transfer(sip:55@192.0.2.9)\n"
        "exten => 2,1,Answer()\nsame => n,Transfer(PJSIP/sip:55@192.0.2.9)\nsame => "
        "n,UserEvent(done,is: ${TRANSFERSTATUS})\n");
    TestCaller first(exchange);
    EXPECT_EQ(first.call("1"), 302);
    EXPECT_NE(first.responses[302].find("Contact: <sip:55@192.0.2.9>"), std::string::npos);
    TestCaller second(exchange);
    ASSERT_EQ(second.call("2"), 200);
    EXPECT_EQ(exchange.say("done"), "SUCCESS");
    EXPECT_NE(second.requests["REFER"].find("Refer-To: <sip:55@192.0.2.9>"), std::string::npos);
}

TEST(ChannelRedirect, SendsAnotherCallOn) {
    TestExchange exchange(
        "exten => 1,1,Answer()\nsame => n,Set(GLOBAL(who)=${CHANNEL})\nsame => n,MusicOnHold()\n"
        "exten => 2,1,ChannelRedirect(${who},test,3,1)\nsame => n,UserEvent(asked,is: "
        "${CHANNELREDIRECT_STATUS})\n"
        "same => n,ChannelRedirect(nobody,test,3,1)\nsame => n,UserEvent(nobody,is: "
        "${CHANNELREDIRECT_STATUS})\n"
        "exten => 3,1,UserEvent(came,is: ${CHANNEL(exten)})\n");
    TestCaller first(exchange), second(exchange, "bob");
    ASSERT_EQ(first.call("1"), 200);
    first.pump(50ms);
    second.invite("2");
    EXPECT_EQ(exchange.say("asked"), "SUCCESS");
    EXPECT_EQ(exchange.say("nobody"), "NOCHANNEL");
    EXPECT_EQ(exchange.say("came"), "3");
}

TEST(SendText, GoesOutAsAMessage) {
    TestExchange exchange(
        "exten => 1,1,Answer()\nsame => n,SendText(hello there)\nsame => n,Wait(0.2)\n");
    TestCaller caller(exchange);
    ASSERT_EQ(caller.call("1"), 200);
    exchange.loop.run_until([&] { return caller.got("MESSAGE"); }, 2s);
    EXPECT_NE(caller.requests["MESSAGE"].find("\r\n\r\nhello there"), std::string::npos);
}

TEST(Record, KeepsWhatIsSaidUntilTheHash) {
    TestExchange exchange(
        "exten => 1,1,Answer()\nsame => n,Record(voice/hello%d.gsm,0,10,q)\n"
        "same => n,UserEvent(done,is: ${RECORD_STATUS},file: ${RECORDED_FILE})\nsame => "
        "n,Playback(${RECORDED_FILE})\n"
        "same => n,UserEvent(played,is: ${PLAYBACKSTATUS})\n");
    TestCaller caller(exchange);
    ASSERT_EQ(caller.call("1"), 200);
    caller.pump(50ms);
    caller.talk(25);
    caller.press('#');
    EXPECT_EQ(exchange.say("done"), "DTMF");
    const auto path = exchange.directory + "/state/monitor/voice/hello0.wav";
    EXPECT_EQ(exchange.say("done", "file") + ".wav", path);
    EXPECT_GT(std::filesystem::file_size(path), 44U + 2 * 8000 * 3 / 10);
    EXPECT_EQ(exchange.say("played"), "SUCCESS");
}

TEST(Record, ForgetsWhatWasNotFinishedUnlessToldToKeepIt) {
    TestExchange exchange(
        "exten => 1,1,Answer()\nsame => n,Record(gone.wav,0,10,q)\nexten => 2,1,Answer()\nsame => "
        "n,Record(kept.wav,0,10,qk)\n"
        "exten => h,1,UserEvent(done,is: ${RECORD_STATUS})\n");
    for (const auto* exten : {"1", "2"}) {
        exchange.told.clear();
        TestCaller caller(exchange);
        ASSERT_EQ(caller.call(exten), 200);
        caller.pump(50ms);
        caller.talk(10);
        caller.hang_up();
        EXPECT_EQ(exchange.say("done"), "HANGUP");
        caller.pump(200ms);
    }
    EXPECT_FALSE(io::file_exists(exchange.directory + "/state/monitor/gone.wav"));
    EXPECT_TRUE(io::file_exists(exchange.directory + "/state/monitor/kept.wav"));
}

TEST(Record, RefusesToLeaveItsDirectory) {
    TestExchange exchange(
        "exten => 1,1,Record(../../evil.wav)\nsame => n,UserEvent(done,is: ${RECORD_STATUS})\n");
    TestCaller caller(exchange);
    caller.invite("1");
    EXPECT_EQ(exchange.say("done"), "ERROR");
}

TEST(MixMonitor, RecordsToTheEndOfTheCallAndThenRunsItsCommand) {
    TestExchange exchange(
        "exten => 1,1,Answer()\nsame => n,Set(mark=^)\nsame => n,MixMonitor(call.wav,,echo "
        "^{MIXMONITOR_FILENAME} > ${GLOBAL(out)})\n"
        "same => n,UserEvent(file,is: ${MIXMONITOR_FILENAME})\nsame => n,Wait(10)\n");
    exchange.exchange->globals().set("out", exchange.directory + "/out.txt");
    TestCaller caller(exchange);
    ASSERT_EQ(caller.call("1"), 200);
    const auto path = exchange.directory + "/state/monitor/call.wav";
    EXPECT_EQ(exchange.say("file"), path);
    caller.talk(15);
    caller.hang_up();
    const auto out = exchange.directory + "/out.txt";
    exchange.loop.run_until([&] { return io::read_file(out).value_or("").size() > 1; }, 3s);
    EXPECT_EQ(io::read_file(out).value_or(""), path + "\n");
    EXPECT_GT(std::filesystem::file_size(path), 44U + 2 * 8000 * 2 / 10);
}

TEST(MixMonitor, StopsWhenToldTo) {
    TestExchange exchange(
        "exten => 1,1,Answer()\nsame => n,MixMonitor(call.wav,i(id),touch ${GLOBAL(out)})\nsame => "
        "n,Wait(0.2)\n"
        "same => n,StopMixMonitor(${id})\nsame => n,Wait(10)\n");
    const auto out = exchange.directory + "/stopped";
    exchange.exchange->globals().set("out", out);
    TestCaller caller(exchange);
    ASSERT_EQ(caller.call("1"), 200);
    EXPECT_TRUE(exchange.loop.run_until([&] { return io::file_exists(out); }, 3s));
}

}  // namespace
}  // namespace strowger::pbx
