#include "pbx/call_consent.hpp"

#include <filesystem>

#include "pbx/dialplan/store.hpp"
#include "pbx/test_callee.hpp"

namespace strowger::pbx {
namespace {

using namespace std::chrono_literals;
using testing::TestCallee;
using testing::TestCaller;
using testing::TestExchange;

/// alice calls extension 1, which asks bob whether he takes the call.
struct Asked {
    explicit Asked(const std::string& options)
        : exchange("exten => 1,1,Dial(PJSIP/bob,5," + options +
                   ")\nsame => n,UserEvent(done,is: ${DIALSTATUS})\nsame => n,Wait(1)\n"),
          bob(exchange, "bob"),
          alice(exchange) {
        // Its own words, so that nothing depends on what is installed; long enough for a key.
        const auto sounds = exchange.directory + "/state/sounds/en/";
        std::filesystem::copy_file(sounds + "short.wav", sounds + "priv-recordintro.wav");
        std::filesystem::copy_file(sounds + "long.wav", sounds + "priv-callpending.wav");
    }

    /// She says her name, and he answers: true when he hears it.
    bool call_with_name() {
        alice.invite("1");
        if (!exchange.loop.run_until([&] { return alice.final_status == 200; }, 3s)) return false;
        alice.pump(600ms);  // the wish and the beep
        alice.talk(15);
        alice.press('#');
        return bob.rings(1s) && bob.pick_up() && bob.listen(400ms) >= 3;
    }
    /// She is rung through without a question.
    bool call_unasked() {
        TestCaller again(exchange);
        again.invite("1");
        if (!bob.pick_up()) return false;
        exchange.loop.run_until([&] { return again.final_status == 200; }, 1s);
        again.pump(100ms);
        return bob.hears(again) && again.hears(bob);
    }
    std::string decision(const std::string& key = "1/alice") {
        return exchange.core().environment.store.get("privacy", key).value_or("");
    }
    void end() {
        alice.hang_up();
        exchange.loop.run_until([&] { return exchange.core().channels.size() == 0; }, 3s);
        exchange.told.clear();
        alice.requests.clear();
    }
    bool name_is_kept() {
        return std::filesystem::exists(exchange.core().recordings + "/priv-callerintros/alice.wav");
    }

    TestExchange exchange;
    TestCallee bob;
    TestCaller alice;
};

TEST(CallConsent, JoinsTheTwoOnlyWhenTheCalledPartyTakesTheCall) {
    Asked call("p");
    ASSERT_TRUE(call.call_with_name()) << "the name was not heard";
    for (const auto& channel : call.exchange.core().channels.all()) EXPECT_FALSE(channel->bridge);
    call.bob.press('1');
    call.bob.pump(100ms);
    EXPECT_TRUE(call.bob.hears(call.alice));
    EXPECT_TRUE(call.alice.hears(call.bob));
    EXPECT_EQ(call.decision(), "") << "screening has no memory";
}

TEST(CallConsent, TellsTheDialplanWhatTheCalledPartyWantsDone) {
    for (const auto& [key, status] :
         {std::pair{'2', "NOANSWER"}, {'3', "TORTURE"}, {'4', "DONTCALL"}}) {
        Asked call("p");
        ASSERT_TRUE(call.call_with_name());
        call.bob.press(key);
        EXPECT_TRUE(call.bob.wait_bye());
        EXPECT_EQ(call.exchange.say("done"), status);
    }
}

TEST(CallConsent, APrivateLineRemembersWhoIsWelcome) {
    Asked call("P");
    ASSERT_TRUE(call.call_with_name());
    call.bob.press('1');
    call.bob.pump(100ms);
    EXPECT_TRUE(call.bob.hears(call.alice));
    EXPECT_EQ(call.decision(), "ALLOW");
    call.end();
    EXPECT_TRUE(call.call_unasked());
}

TEST(CallConsent, APrivateLineRemembersWhoIsNot) {
    Asked call("P(mine)");
    ASSERT_TRUE(call.call_with_name());
    call.bob.press('4');
    EXPECT_EQ(call.exchange.say("done"), "DONTCALL");
    EXPECT_EQ(call.decision("mine/alice"), "KILL");
    call.end();
    TestCaller again(call.exchange);
    again.invite("1");
    EXPECT_EQ(call.exchange.say("done"), "DONTCALL");
    EXPECT_FALSE(call.bob.rings(100ms));
}

TEST(CallConsent, WhoIsAskedIsLetGoWhenTheCallerLeaves) {
    Asked call("p");
    ASSERT_TRUE(call.call_with_name());
    call.alice.hang_up();
    EXPECT_TRUE(call.bob.wait_bye());
    EXPECT_TRUE(call.exchange.loop.run_until(
        [&] { return call.exchange.core().channels.size() == 0; }, 1s));
}

TEST(CallConsent, AKeyWithinTheWishLeadsToTheBeep) {
    Asked call("p");
    const auto sounds = call.exchange.directory + "/state/sounds/en/";
    std::filesystem::copy_file(sounds + "long.wav", sounds + "priv-recordintro.wav",
                               std::filesystem::copy_options::overwrite_existing);
    call.alice.invite("1");
    ASSERT_TRUE(call.exchange.loop.run_until([&] { return call.alice.final_status == 200; }, 3s));
    call.alice.pump(200ms);
    call.alice.press('#');
    call.alice.pump(400ms);
    call.alice.talk(15);
    call.alice.press('#');
    EXPECT_TRUE(call.bob.rings(1s)) << "the wish takes ten seconds";
}

TEST(CallConsent, FiveTakesACallThisOnce) {
    Asked call("P");
    ASSERT_TRUE(call.call_with_name());
    call.bob.press('5');
    call.bob.pump(100ms);
    EXPECT_TRUE(call.bob.hears(call.alice));
    EXPECT_EQ(call.decision(), "");
}

TEST(CallConsent, ANameThatWasSaidBeforeIsNotAskedForAgain) {
    Asked call("p");
    ASSERT_TRUE(call.call_with_name());
    EXPECT_TRUE(call.name_is_kept());
    call.bob.press('2');
    EXPECT_EQ(call.exchange.say("done"), "NOANSWER");
    call.end();
    TestCaller again(call.exchange);
    again.invite("1");
    ASSERT_TRUE(call.bob.pick_up());
    EXPECT_GE(call.bob.listen(400ms), 3);
}

TEST(CallConsent, SmallNKeepsNoNames) {
    Asked call("pn");
    ASSERT_TRUE(call.call_with_name());
    call.bob.press('1');
    call.bob.pump(100ms);
    EXPECT_TRUE(call.bob.hears(call.alice));
    EXPECT_FALSE(call.name_is_kept());
}

TEST(CallConsent, TheNameOfWhoDidNotWaitIsKeptUnlessNSaysOtherwise) {
    for (const bool kept : {true, false}) {
        Asked call(kept ? "pn" : "pn(1)");
        call.alice.invite("1");
        ASSERT_TRUE(
            call.exchange.loop.run_until([&] { return call.alice.final_status == 200; }, 3s));
        call.alice.pump(600ms);
        call.alice.talk(15);
        call.alice.press('#');
        ASSERT_TRUE(call.bob.rings(1s));
        call.end();
        EXPECT_EQ(call.name_is_kept(), kept);
    }
}

TEST(CallConsent, CapitalNLetsCallersWithANumberThrough) {
    Asked call("pN");
    EXPECT_TRUE(call.call_unasked());
}

TEST(CallConsent, ANumberCannotLeadOutOfTheDirectory) {
    TestExchange exchange(
        "exten => 1,1,Set(CALLERID(num)=../../x)\nsame => n,Dial(PJSIP/bob,5,P)\n"
        "same => n,UserEvent(done,is: ${DIALSTATUS})\nsame => n,Wait(1)\n");
    TestCallee bob(exchange, "bob");
    TestCaller alice(exchange);
    ASSERT_EQ(alice.call("1"), 200);
    alice.pump(150ms);
    alice.talk(10);
    alice.press('#');
    ASSERT_TRUE(bob.rings(8s));
    ASSERT_TRUE(bob.pick_up());
    bob.press('2');
    EXPECT_EQ(exchange.say("done"), "NOANSWER");
    EXPECT_EQ(exchange.core().environment.store.get("privacy", "1/x").value_or(""), "DENY");
    EXPECT_TRUE(std::filesystem::exists(exchange.core().recordings + "/priv-callerintros/x.wav"));
}

}  // namespace
}  // namespace strowger::pbx
