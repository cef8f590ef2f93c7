#include "pbx/test_exchange.hpp"

namespace strowger::pbx {
namespace {

using namespace std::chrono_literals;
using testing::TestCaller;
using testing::TestExchange;

/// Prompts of different lengths, so that what is said is known by how long it takes.
struct Spoken : TestExchange {
    explicit Spoken(const std::string& dialplan) : TestExchange(dialplan) {
        const auto sounds = directory + "/state/sounds/en/";
        for (const auto* folder : {"letters", "phonetic", "digits"})
            std::filesystem::create_directories(sounds + folder);
        for (const auto* name :
             {"letters/a", "letters/b", "phonetic/a_p", "phonetic/b_p", "digits/h-2", "digits/5",
              "digits/day-4", "digits/mon-0", "digits/dollars", "digits/dollar", "digits/and",
              "digits/cents", "cents", "dollars", "and"})
            tone(sounds + name + ".wav", 200ms);
    }
};

/// Milliseconds of sound, in steps of a packet.
int heard_of(const std::string& application) {
    Spoken exchange("exten => 1,1,Answer()\nsame => n," + application +
                    "\nsame => n,UserEvent(said,is: so)\nsame => n,Wait(0.1)\n");
    TestCaller alice(exchange);
    EXPECT_EQ(alice.call("1"), 200);
    EXPECT_EQ(exchange.say("said"), "so");
    alice.pump(60ms);
    return alice.count_heard() * 20;
}

TEST(Say, PlaysAPromptForEachPart) {
    EXPECT_NEAR(heard_of("SayAlpha(ab)"), 400, 60);
    EXPECT_NEAR(heard_of("SayPhonetic(ab)"), 400, 60);
    EXPECT_NEAR(heard_of("SayOrdinal(2)"), 200, 60);
    EXPECT_NEAR(heard_of("SayUnixTime(0,UTC,AB)"), 400, 60);  // Thursday, January
    EXPECT_NEAR(heard_of("SayMoney(5)"), 400, 60);            // five dollars
    EXPECT_NEAR(heard_of("SayAlpha()"), 0, 20);
}

TEST(Say, IsInterruptedByADigitWhenTheDialplanWantsItSo) {
    TestExchange exchange(
        "exten => 1,1,Answer()\nsame => n,Set(SAY_DTMF_INTERRUPT=yes)\n"
        "same => n,SayDigits(11111111111111111111111111)\nsame => n,UserEvent(done,is: all)\n"
        "exten => 7,1,UserEvent(done,is: seven)\n");
    TestCaller alice(exchange);
    ASSERT_EQ(alice.call("1"), 200);
    alice.pump(100ms);
    alice.press('7');
    EXPECT_EQ(exchange.say("done"), "seven");
}

}  // namespace
}  // namespace strowger::pbx
