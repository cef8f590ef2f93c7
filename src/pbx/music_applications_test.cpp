#include "pbx/test_callee.hpp"

namespace strowger::pbx {
namespace {

using namespace std::chrono_literals;
using testing::TestCallee;
using testing::TestCaller;
using testing::TestExchange;

TEST(StartMusicOnHold, PlaysWhileTheDialplanGoesOnUntilItIsStopped) {
    TestExchange exchange(
        "exten => 1,1,Answer()\nsame => n,StartMusicOnHold()\nsame => n,UserEvent(began,is: so)\n"
        "same => n,WaitDigit(5)\nsame => n,StopMusicOnHold()\nsame => n,UserEvent(over,is: so)\n"
        "same => n,Wait(5)\n");
    TestCaller alice(exchange);
    ASSERT_EQ(alice.call("1"), 200);
    EXPECT_EQ(exchange.say("began"), "so");
    EXPECT_GE(alice.listen(300ms), 8);
    alice.press('1');
    EXPECT_EQ(exchange.say("over"), "so");
    alice.pump(100ms);
    EXPECT_EQ(alice.listen(200ms), 0);
}

TEST(SetMusicOnHold, ChoosesWhatTheOtherPartyHearsOnHold) {
    TestExchange exchange(
        "exten => 1,1,SetMusicOnHold(quiet)\nsame => n,UserEvent(class,is: "
        "${CHANNEL(musicclass)})\nsame => n,Answer()\nsame => n,MusicOnHold(,0.3)\nsame => n,"
        "UserEvent(over,is: so)\nsame => n,MusicOnHold(default,5)\n");
    std::filesystem::create_directories(exchange.directory + "/state/quiet");
    exchange.write("musiconhold.conf", "[default]\nmode=files\ndirectory=" + exchange.directory +
                                           "/state/sounds/en\n[quiet]\nmode=playlist\nentry=" +
                                           exchange.directory + "/none.wav\n");
    ASSERT_TRUE(exchange.exchange->reload());
    TestCaller alice(exchange);
    ASSERT_EQ(alice.call("1"), 200);
    EXPECT_EQ(exchange.say("class"), "quiet");
    EXPECT_EQ(exchange.say("over"), "so");
    EXPECT_GE(alice.listen(300ms), 8);  // and the class named in its place does play
}

TEST(Zapateller, PlaysItsThreeTonesAsEarlyMediaOrAnswers) {
    TestExchange exchange(
        "exten => 1,1,Zapateller()\nsame => n,Hangup(17)\nexten => 2,1,Zapateller(answer)\n"
        "same => n,UserEvent(done,is: ${ZAPATELLERSTATUS})\nexten => 3,1,Zapateller(nocallerid)\n"
        "same => n,UserEvent(known,is: ${ZAPATELLERSTATUS})\nexten => "
        "4,1,Set(CALLERID(num)=)\nsame => n,Zapateller(nocallerid)\nsame => "
        "n,UserEvent(unknown,is: "
        "${ZAPATELLERSTATUS})\n");
    TestCaller early(exchange);
    EXPECT_EQ(early.call("1"), 486);
    EXPECT_TRUE(early.responses.contains(183));
    EXPECT_GE(early.count_heard(), 40);  // 0.99 s
    TestCaller answered(exchange);
    EXPECT_EQ(answered.call("2"), 200);
    EXPECT_EQ(exchange.say("done"), "ZAPPED");
    TestCaller known(exchange), unknown(exchange);
    known.invite("3");
    EXPECT_EQ(exchange.say("known"), "SKIPPED");
    unknown.invite("4");
    EXPECT_EQ(exchange.say("unknown"), "ZAPPED");
}

}  // namespace
}  // namespace strowger::pbx
