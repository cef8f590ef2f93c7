#include "pbx/parking.hpp"
#include "pbx/test_callee.hpp"

namespace strowger::pbx {
namespace {

using namespace std::chrono_literals;
using testing::TestCallee;
using testing::TestCaller;
using testing::TestExchange;

constexpr const char* plan =
    "include => parkedcalls\nexten => 1,1,Dial(PJSIP/bob,20,kt)\n"
    "[desk]\nexten => PJSIP_bob,1,UserEvent(back,is: ${EXTEN} ${PARKINGSLOT}@${PARKEDLOT} "
    "${PARKER} ${PARKER_FLAT})\nsame => "
    "n,Wait(5)\n[lobby]\nexten => s,1,UserEvent(back,is: lobby)\nsame => n,Wait(5)\n";

struct Lot : TestExchange {
    explicit Lot(const std::string& parking) : TestExchange(plan) {
        write("res_parking.conf", "[default]\n" + parking);
        write("features.conf",
              "[general]\nfeaturedigittimeout=200\n[featuremap]\nparkcall=*7\nblindxfer=\n");
        EXPECT_TRUE(exchange->reload());
    }
    bool parked(std::size_t n = 1) {
        return loop.run_until([&] { return core().parking.all().size() == n; }, 3s);
    }
    unsigned space(std::size_t i = 0) { return core().parking.all().at(i).first.second; }
};

/// Where a call goes that bob parks and nobody fetches.
std::string comes_back(const std::string& parking) {
    Lot lot("parkingtime=1\ncomebacktoorigin=no\n" + parking);
    TestCallee bob(lot, "bob");
    TestCaller alice(lot);
    alice.invite("1");
    EXPECT_TRUE(bob.pick_up());
    bob.pump(100ms);
    bob.dial("*7");
    EXPECT_TRUE(lot.parked());
    return lot.say("back");
}

TEST(ParkingLot, ThatDoesNotCallTheParkerSendsItsCallsToAContextOfItsOwn) {
    EXPECT_EQ(comes_back("comebackcontext=desk\n"), "PJSIP_bob 701@default PJSIP/bob PJSIP_bob");
    EXPECT_EQ(comes_back("comebackcontext=lobby\n"), "lobby");
}

TEST(ParkingLot, GivesTheFirstFreeSpaceOrTheNextOne) {
    for (const bool next : {false, true}) {
        Lot lot(next ? "parkpos=701-702\nfindslot=next\n" : "parkpos=701-702\nfindslot=first\n");
        const unsigned expected[] = {701, next ? 702u : 701u, 701};
        for (const auto space : expected) {
            TestCaller alice(lot);
            ASSERT_EQ(alice.call("700"), 200);
            ASSERT_TRUE(lot.parked());
            EXPECT_EQ(lot.space(), space);
            alice.hang_up();
            ASSERT_TRUE(lot.parked(0));
        }
    }
}

TEST(ParkingLot, PlaysItsMusicToWhoWaitsAndItsCourtesyToneToWhoFetches) {
    Lot lot("parkedmusicclass=jazz\ncourtesytone=long\n");
    lot.write("musiconhold.conf", "[default]\nmode=playlist\n[jazz]\nmode=files\ndirectory=" +
                                      lot.directory + "/state/sounds/en\n");
    ASSERT_TRUE(lot.exchange->reload());
    TestCaller alice(lot);
    ASSERT_EQ(alice.call("700"), 200);
    ASSERT_TRUE(lot.parked());
    EXPECT_GE(alice.listen(400ms), 8);  // the other class would be silent
    TestCaller bob(lot, "bob");
    ASSERT_EQ(bob.call("701"), 200);
    EXPECT_GE(bob.listen(300ms), 8);
    EXPECT_TRUE(lot.parked(1));  // not before the tone is over
}

}  // namespace
}  // namespace strowger::pbx
