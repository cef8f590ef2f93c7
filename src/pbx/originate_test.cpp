#include "pbx/originate.hpp"

#include "pbx/cli.hpp"
#include "pbx/test_callee.hpp"

namespace strowger::pbx {
namespace {

using namespace std::chrono_literals;
using testing::TestCallee;
using testing::TestCaller;
using testing::TestExchange;

constexpr const char* plan =
    "exten => 1,1,Originate(PJSIP/bob,app,Playback,long,,3,c(4711)n(Front Door)v(COLOUR=red))\n"
    "same => n,UserEvent(done,is: ${ORIGINATE_STATUS})\n"
    "exten => 2,1,Originate(PJSIP/bob,exten,test,7,1,3,v(_COLOUR=red))\n"
    "same => n,UserEvent(done,is: ${ORIGINATE_STATUS})\n"
    "exten => 3,1,Originate(PJSIP/bob,app,Echo,,,0.3)\n"
    "same => n,UserEvent(done,is: ${ORIGINATE_STATUS})\n"
    "exten => 4,1,Originate(PJSIP/nobody,app,Echo)\n"
    "same => n,UserEvent(done,is: ${ORIGINATE_STATUS})\n"
    "exten => 7,1,UserEvent(ran,is: ${COLOUR} ${CHANNEL(endpoint)} ${CHANNEL(state)})\n"
    "same => n,Wait(5)\n";

TEST(Originate, RunsAnApplicationForWhoAnswersAndHangsUpAfterIt) {
    TestExchange exchange(plan);
    TestCallee bob(exchange, "bob");
    TestCaller alice(exchange);
    alice.invite("1");
    ASSERT_TRUE(bob.rings());
    EXPECT_EQ(bob.shown(), "\"Front Door\" <sip:4711@127.0.0.1>");
    ASSERT_TRUE(bob.pick_up());
    EXPECT_EQ(exchange.say("done"), "SUCCESS");
    EXPECT_GE(bob.listen(200ms), 5);
    bob.hang_up();
    EXPECT_TRUE(exchange.loop.run_until([&] { return exchange.core().channels.size() == 0; }, 3s));
}

TEST(Originate, RunsTheDialplanWithItsVariables) {
    TestExchange exchange(plan);
    TestCallee bob(exchange, "bob");
    TestCaller alice(exchange);
    alice.invite("2");
    ASSERT_TRUE(bob.pick_up());
    EXPECT_EQ(exchange.say("ran"), "red bob Up");
    EXPECT_EQ(exchange.say("done"), "SUCCESS");
}

TEST(Originate, SaysWhyNobodyAnswered) {
    TestExchange exchange(plan);
    TestCallee bob(exchange, "bob");
    const auto status = [&](const std::string& exten, int refusal) {
        exchange.told.clear();
        TestCaller alice(exchange);
        alice.invite(exten);
        if (refusal != 0 && bob.rings()) bob.refuse(refusal);
        return exchange.say("done");
    };
    EXPECT_EQ(status("1", 486), "BUSY");
    EXPECT_EQ(status("1", 503), "CONGESTION");
    EXPECT_EQ(status("1", 403), "HANGUP");
    EXPECT_EQ(status("3", 0), "RINGING");
    EXPECT_TRUE(exchange.loop.run_until([&] { return bob.cancelled; }, 2s));
    EXPECT_EQ(status("4", 0), "FAILED");
}

TEST(Originate, FromTheCommandLineCallsAndRuns) {
    TestExchange exchange(plan);
    TestCallee bob(exchange, "bob");
    const Cli cli(*exchange.exchange);
    ASSERT_TRUE(cli.execute("channel originate PJSIP/bob extension 7@test"));
    ASSERT_TRUE(bob.pick_up());
    EXPECT_EQ(exchange.say("ran"), "bob Up");
    bob.hang_up();
    ASSERT_TRUE(exchange.loop.run_until([&] { return exchange.core().channels.size() == 0; }, 3s));
    ASSERT_TRUE(cli.execute("channel originate PJSIP/bob application Playback short"));
    ASSERT_TRUE(bob.pick_up());
    EXPECT_TRUE(bob.wait_bye());
    EXPECT_FALSE(cli.execute("channel originate PJSIP/bob application NoSuchThing"));
    EXPECT_FALSE(cli.execute("channel originate bob"));
}

}  // namespace
}  // namespace strowger::pbx
