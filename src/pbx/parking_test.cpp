#include "pbx/parking.hpp"

#include "pbx/cli.hpp"
#include "pbx/test_callee.hpp"

namespace strowger::pbx {
namespace {

using namespace std::chrono_literals;
using testing::TestCallee;
using testing::TestCaller;
using testing::TestExchange;

constexpr const char* plan =
    "include => parkedcalls\n"
    "exten => 1,1,Dial(PJSIP/bob,20,kt)\n"
    "exten => 2,1,Park(default,t(0.3))\nsame => n,UserEvent(back,is: ${PARKINGSLOT} ${PARKED})\n"
    "exten => 3,1,Park(default,t(0.2)c(test,4,1))\nexten => 4,1,UserEvent(back,is: four)\n"
    "exten => 5,1,Park(nowhere)\nsame => n,UserEvent(back,is: five)\n"
    "exten => 9,1,ParkedCall(default,701)\nsame => n,UserEvent(nobody,is: there)\n";

struct Lot : TestExchange {
    explicit Lot(const std::string& parking = "[default]\nparkingtime=45\n") : TestExchange(plan) {
        write("res_parking.conf", parking);
        write("features.conf",
              "[general]\nfeaturedigittimeout=200\n[featuremap]\nparkcall=*7\nblindxfer=\n");
        EXPECT_TRUE(exchange->reload());
    }
    void bind(TestCallee& phone, const std::string& name) {
        Contact contact;
        contact.uri = phone.uri();
        contact.is_static = true;
        core().location.bind(name, contact);
    }
    bool parked(std::size_t n = 1) {
        return loop.run_until([&] { return core().parking.all().size() == n; }, 3s);
    }
    static bool hear_each_other(TestCaller& a, TestCaller& b) { return a.hears(b) && b.hears(a); }
};

TEST(Parking, KeepsACallerWithMusicUntilSomebodyDialsTheSpace) {
    Lot lot;
    TestCaller alice(lot);
    ASSERT_EQ(alice.call("700"), 200);
    ASSERT_TRUE(lot.parked());
    EXPECT_EQ(lot.core().parking.all().at(0).first, Parking::Key("default", 701));
    EXPECT_GE(alice.listen(300ms), 5);
    TestCaller bob(lot, "bob");
    ASSERT_EQ(bob.call("701"), 200);
    EXPECT_TRUE(Lot::hear_each_other(alice, bob));
    EXPECT_TRUE(lot.parked(0));
    bob.hang_up();
    EXPECT_TRUE(alice.wait_bye());
}

TEST(Parking, GivesEachCallASpaceOfItsOwnAndTakesBackThoseOfCallersWhoLeave) {
    Lot lot("[default]\nparkpos=701-702\n");
    TestCaller alice(lot), bob(lot, "bob");
    ASSERT_EQ(alice.call("700"), 200);
    ASSERT_EQ(bob.call("700"), 200);
    ASSERT_TRUE(lot.parked(2));
    TestCaller third(lot);
    third.invite("700");
    EXPECT_TRUE(third.wait_bye());  // full
    alice.hang_up();
    EXPECT_TRUE(lot.parked(1));
    EXPECT_EQ(lot.core().parking.all().at(0).first.second, 702U);
    const Cli cli(*lot.exchange);
    const auto shown = cli.execute("parking show");
    ASSERT_TRUE(shown);
    EXPECT_NE(shown->find("702"), std::string::npos);
    EXPECT_NE(shown->find("PJSIP/bob-"), std::string::npos);
}

TEST(Parking, LetsTheDialplanGoOnWhenNobodyComes) {
    Lot lot;
    TestCaller alice(lot);
    ASSERT_EQ(alice.call("2"), 200);
    EXPECT_EQ(lot.say("back"), "701 701");
    TestCaller other(lot);
    lot.told.clear();
    ASSERT_EQ(other.call("3"), 200);
    EXPECT_EQ(lot.say("back"), "four");
    lot.told.clear();
    TestCaller lost(lot);
    lost.invite("5");
    EXPECT_EQ(lot.say("back"), "five");
}

TEST(Parking, ByDigitsTellsTheSpaceToWhoParksAndLetsGoOfIt) {
    Lot lot;
    TestCallee bob(lot, "bob");
    lot.bind(bob, "bob");
    TestCaller alice(lot);
    alice.invite("1");
    ASSERT_TRUE(bob.pick_up());
    bob.pump(100ms);
    bob.dial("*7");
    ASSERT_TRUE(lot.parked());
    EXPECT_EQ(lot.core().parking.all().at(0).second->parker, "PJSIP/bob");
    EXPECT_TRUE(bob.wait_bye());
    TestCaller carol(lot, "bob");
    ASSERT_EQ(carol.call("701"), 200);
    EXPECT_TRUE(Lot::hear_each_other(alice, carol));
    alice.hang_up();
    EXPECT_TRUE(carol.wait_bye());
}

TEST(Parking, CallsWhoParkedWhenTheTimeIsOver) {
    Lot lot("[default]\nparkingtime=1\ncomebackdialtime=5\n");
    TestCallee bob(lot, "bob");
    lot.bind(bob, "bob");
    TestCaller alice(lot);
    alice.invite("1");
    ASSERT_TRUE(bob.pick_up());
    bob.pump(100ms);
    bob.dial("*7");
    ASSERT_TRUE(lot.parked());
    EXPECT_TRUE(bob.wait_bye());
    ASSERT_TRUE(bob.pick_up());
    EXPECT_TRUE(lot.parked(0));
    EXPECT_TRUE(Lot::hear_each_other(alice, bob));
}

TEST(Parking, OfNobodyLetsTheDialplanGoOn) {
    Lot lot;
    TestCaller bob(lot, "bob");
    ASSERT_EQ(bob.call("9"), 200);
    EXPECT_EQ(lot.say("nobody"), "there");
}

}  // namespace
}  // namespace strowger::pbx
