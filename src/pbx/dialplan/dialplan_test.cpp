#include "pbx/dialplan/dialplan.hpp"

#include <gtest/gtest.h>

#include "pbx/dialplan/fixture.hpp"

namespace strowger::dialplan {
namespace {

using testing::Exchange;
using testing::plan_of;

std::string found_in(const Dialplan& plan, std::string_view context, std::string_view exten,
                     int priority = 1, std::string_view caller = "") {
    const auto found = plan.find(context, exten, priority, {caller, {}});
    return found ? fmt::format("{}:{}({})", found->context->name, found->step->application,
                               found->step->arguments)
                 : "nothing";
}

TEST(Loader, PrioritiesCountOnAndNPlusTwoIsThePreviousPlusThree) {
    ini::Diagnostics d;
    const auto plan = plan_of(
        "[c]\nexten => 1,1,A(x)\n same => n(two),B\n same => n+2(five),C()\n same => s,D()\n"
        "exten => 2,5,E(a,b)\n same => n(dial-),F(f(1),\")\")\n",
        d);
    EXPECT_EQ(found_in(*plan, "c", "1", 1), "c:A(x)");
    EXPECT_EQ(found_in(*plan, "c", "1", 2), "c:B()");
    EXPECT_EQ(found_in(*plan, "c", "1", 5), "c:C()");  // [v]
    EXPECT_EQ(found_in(*plan, "c", "1", 3), "nothing");
    EXPECT_EQ(found_in(*plan, "c", "2", 6), "c:F(f(1),\")\")");
    EXPECT_EQ(plan->find_label("c", "1", "five", {})->step->priority, 5);
    EXPECT_EQ(plan->find_label("c", "2", "dial-", {})->step->priority, 6);
    ASSERT_EQ(d.all().size(), 1u);  // `s` is the same priority again
    EXPECT_EQ(d.all()[0].line, 5u);
}

TEST(Loader, CommasWithinASetBelongToThePattern) {
    ini::Diagnostics d;
    const auto plan =
        plan_of("[c]\nexten => _[1,3]X,1,A(1)\nexten => _2X/_5.,1,A(2)\nexten => _2X,1,A(3)\n", d);
    EXPECT_EQ(found_in(*plan, "c", "30"), "c:A(1)");
    EXPECT_EQ(found_in(*plan, "c", "20", 1, "555"), "c:A(2)");
    EXPECT_EQ(found_in(*plan, "c", "20", 1, "444"), "c:A(3)");
}

TEST(Loader, OneContextFromSeveralSections) {
    ini::Diagnostics d;
    const auto plan = plan_of("[c]\nexten => 1,1,A()\n[d]\n[c]\nexten => 2,1,B()\n", d);
    EXPECT_EQ(found_in(*plan, "c", "2"), "c:B()");
    EXPECT_EQ(plan->contexts().size(), 2u);
}

TEST(Loader, NamesAreSubstitutedAtLoadFromTheGlobals) {
    ini::Diagnostics d;
    const auto plan =
        plan_of("[globals]\nECHO = 60\nFULL = ${ECHO}0\n[c]\nexten => ${FULL},1,A(${EXTEN})\n", d);
    EXPECT_EQ(found_in(*plan, "c", "600"), "c:A(${EXTEN})");
}

TEST(Loader, MistakesNameTheLineAndTheNearestWord) {
    ini::Diagnostics d;
    plan_of(
        "[c]\nexten => 1,n,A()\nextn => 2,1,B()\ninclude => cc\nexten => 3,x,C()\nswitch => "
        "IAX2/x\nexten => _[1,1,A()\n",
        d);
    EXPECT_EQ(d.text(),
              "extensions.conf:2: priority 'n' has none before it; ignored\n"
              "extensions.conf:3: unknown key 'extn' in [c] (did you mean 'exten'?)\n"
              "extensions.conf:5: 'x' is not a priority (a number, n, s or hint); ignored\n"
              "extensions.conf:6: 'switch' asks another exchange or database and is not obeyed\n"
              "extensions.conf:7: '' is not a priority (a number, n, s or hint); ignored\n"
              "extensions.conf:4: the included context 'cc' does not exist (did you mean 'c'?)\n");
}

TEST(Dialplan, OwnExtensionsComeBeforeIncludesAndThoseDepthFirst) {
    ini::Diagnostics d;
    const auto plan = plan_of(
        "[c]\ninclude => a\ninclude => b\nexten => _1X,1,Own()\n"
        "[a]\ninclude => deep\nexten => 20,1,A()\n[deep]\nexten => 30,1,Deep()\n"
        "[b]\nexten => 30,1,B()\nexten => 11,1,B()\ninclude => c\n",
        d);
    EXPECT_EQ(found_in(*plan, "c", "11"), "c:Own()");
    EXPECT_EQ(found_in(*plan, "c", "20"), "a:A()");
    EXPECT_EQ(found_in(*plan, "c", "30"), "deep:Deep()");
    EXPECT_EQ(found_in(*plan, "c", "99"), "nothing");  // and the circle ends
}

TEST(Dialplan, AMereHintDoesNotStopTheSearchForPriorityOne) {  // [v]
    ini::Diagnostics d;
    const auto plan = plan_of(
        "[entry]\ninclude => hints\ninclude => phones\n[hints]\nexten => "
        "101,hint,PJSIP/alice&PJSIP/soft,CustomPresence:a\n"
        "[phones]\nexten => _1XX,1,Dial(${HINT})\n",
        d, {{"hints", "102", "PJSIP/bob", "Gosub(x,${EXTEN},1)", "pjsip_wizard.conf", 7}});
    EXPECT_EQ(found_in(*plan, "entry", "101"), "phones:Dial(${HINT})");
    const auto hint = plan->find_hint("entry", "101", {});
    ASSERT_TRUE(hint);
    EXPECT_EQ(hint->extension->hint->devices, "PJSIP/alice&PJSIP/soft");
    EXPECT_EQ(hint->extension->hint->presence, "CustomPresence:a");
    EXPECT_EQ(found_in(*plan, "entry", "102"), "hints:Gosub(x,${EXTEN},1)");
    EXPECT_EQ(plan->hints().size(), 2u);
}

TEST(Dialplan, IncludesMayDependOnTheTime) {
    ini::Diagnostics d;
    const auto plan = plan_of(
        "[c]\ninclude => day,9:00-17:00,mon-fri,*,*,UTC\ninclude => night\n"
        "[day]\nexten => 1,1,Day()\n[night]\nexten => 1,1,Night()\n",
        d);
    const WallTime tuesday_noon{std::chrono::seconds(1'700'049'600 - 86400)};
    EXPECT_EQ(plan->find("c", "1", 1, {"", tuesday_noon})->step->application, "Day");
    EXPECT_EQ(
        plan->find("c", "1", 1, {"", tuesday_noon + std::chrono::hours(10)})->step->application,
        "Night");
}

TEST(Dialplan, DigitsThatCouldGrowAreKnown) {
    ini::Diagnostics d;
    const auto plan = plan_of(
        "[c]\ninclude => i\nexten => _1XX,1,A()\nexten => 2000,hint,PJSIP/x\n[i]\nexten => "
        "_0X.,1,B()\n",
        d);
    EXPECT_TRUE(plan->could_match_longer("c", "10", {}));
    EXPECT_FALSE(plan->could_match_longer("c", "100", {}));
    EXPECT_TRUE(plan->could_match_longer("c", "01234", {}));
    EXPECT_FALSE(plan->could_match_longer("c", "200", {}));  // a hint is not dialled
    EXPECT_TRUE(plan->can_match("c", "100", {}));
    EXPECT_FALSE(plan->can_match("c", "7", {}));
}

TEST(Dialplan, FiveThousandExtensionsAreFoundThroughTheIndex) {
    std::string text = "[c]\n";
    for (int i = 0; i < 5000; ++i) text += fmt::format("exten => {},1,A({})\n", 10000 + i, i);
    ini::Diagnostics d;
    const auto plan = plan_of(text, d);
    EXPECT_EQ(plan->steps(), 5000u);
    for (int i = 0; i < 5000; i += 7)
        EXPECT_EQ(found_in(*plan, "c", std::to_string(10000 + i)), fmt::format("c:A({})", i));
}

}  // namespace
}  // namespace strowger::dialplan
