#include "pbx/dialplan/machine.hpp"

#include <gtest/gtest.h>

#include "pbx/dialplan/fixture.hpp"

namespace strowger::dialplan {
namespace {

using testing::Exchange;
using Said = std::vector<std::string>;

TEST(Machine, RunsPrioritiesInOrderAndRunsOut) {
    Exchange x(
        "[c]\nexten => s,1,Say(one)\n same => n,noop\n same => n,SAY(${EXTEN}${PRIORITY})\n");
    EXPECT_EQ(x.run(), End::ran_out);
    EXPECT_EQ(x.said, (Said{"one", "s3"}));
}

TEST(Machine, FallsThroughByDialstatus) {
    Exchange x(
        "[c]\nexten => s,1,Set(DIALSTATUS=BUSY)\n[d]\nexten => s,1,Set(DIALSTATUS=CONGESTION)\n");
    EXPECT_EQ(x.run(), End::busy);
    EXPECT_EQ(x.run("d"), End::congestion);
}

TEST(Machine, TheExecutingContextStaysTheEntryContext) {
    Exchange x(
        "[c]\ninclude => i\nexten => 5,1,Say(own)\n[i]\nexten => s,1,Say(${CONTEXT})\n same => "
        "n,Goto(5,1)\n");
    x.run();
    EXPECT_EQ(x.said, (Said{"c", "own"}));
}

TEST(Machine, AMissingExtensionIsTakenByI) {
    Exchange x(
        "[c]\nexten => s,1,Goto(77,1)\nexten => i,1,Say(no ${INVALID_EXTEN})\n[d]\nexten => "
        "s,1,Goto(77,1)\n");
    EXPECT_EQ(x.run(), End::ran_out);
    EXPECT_EQ(x.said, (Said{"no 77"}));
    EXPECT_EQ(x.run("d"), End::invalid);
}

TEST(Machine, GotoToAMissingLabelEndsTheCall) {
    Exchange x("[c]\nexten => s,1,Goto(nowhere)\n same => n,Say(never)\nexten => i,1,Say(never)\n");
    EXPECT_EQ(x.run(), End::hung_up);
    EXPECT_TRUE(x.said.empty());
}

TEST(Machine, AComputedLabelIsASwitch) {
    Exchange x(
        "[c]\nexten => s,1,Set(DIALSTATUS=NOANSWER)\n same => n,Goto(st-${DIALSTATUS})\n"
        " same => n(st-BUSY),Say(busy)\n same => n(st-NOANSWER),Say(noanswer)\n same => "
        "n,Hangup()\n");
    EXPECT_EQ(x.run(), End::hung_up);
    EXPECT_EQ(x.said, (Said{"noanswer"}));
}

TEST(Machine, GotoIfMayLeaveEitherSideEmpty) {
    Exchange x(
        "[c]\nexten => s,1,GotoIf(1?:no)\n same => n,GotoIf(0?no)\n same => "
        "n,GotoIf($[2>1]?yes:no)\n"
        " same => n(no),Say(no)\n same => n(yes),Say(yes)\n same => n,GotoIfTime(*,tue,*,*?end)\n "
        "same => n,Say(no)\n same => n(end),NoOp\n");
    x.run();
    EXPECT_EQ(x.said, (Said{"yes"}));
}

TEST(Machine, GosubKeepsQuotesAndCountsEmptyArguments) {  // [v]
    Exchange x(
        "[c]\nexten => s,1,Gosub(r,s,1(\"two three\",,x))\n same => "
        "n,Say(${GOSUB_RETVAL}[${ARG1}][${v}])\n"
        "[r]\nexten => s,1,Say(${ARG1}|${ARG2}|${ARG3}|${ARGC})\n same => n,Set(LOCAL(v)=in)\n"
        " same => n,Gosub(inner(z))\n same => n,Say(${ARG1}${v})\n same => n,Return(done)\n"
        " same => n(inner),Say(${ARG1}[${ARG2}][${ARG3}]${v})\n same => n,Set(LOCAL(v)=deep)\n "
        "same => n,Return()\n");
    x.run();
    EXPECT_EQ(x.said, (Said{"\"two three\"||x|3", "z[][]in", "\"two three\"in", "done[][]"}));
}

TEST(Machine, LocalOutsideASubroutineIsAnErrorWithoutEffect) {  // [v]
    Exchange x("[c]\nexten => s,1,Set(LOCAL(a)=1)\n same => n,Say([${a}])\n");
    x.run();
    EXPECT_EQ(x.said, (Said{"[]"}));
    EXPECT_EQ(x.call.reports.size(), 1u);
}

TEST(Machine, GosubIfExecIfAndExec) {
    Exchange x(
        "[c]\nexten => s,1,GosubIf($[1=2]?sub(a):sub(b,c:d))\n same => "
        "n,ExecIf(1?Say(x:y):Say(no))\n"
        " same => n,ExecIf(0?Say(no):Say(z))\n same => n,Exec(Say(e))\n same => "
        "n,TryExec(Nothing())\n same => n,Say(${TRYSTATUS})\n same => n,Hangup()\n"
        " same => n(sub),Say(${ARG1}${ARG2})\n same => n,Return()\n");
    x.run();
    EXPECT_EQ(x.said, (Said{"bc:d", "x:y", "z", "e", "NOAPP"}));
}

TEST(Machine, WhileLoopsNestAndCanBeLeft) {
    Exchange x(
        "[c]\nexten => s,1,Set(i=0)\n same => n,While($[${i} < 3])\n same => n,Set(i=$[${i}+1])\n "
        "same => n,Set(j=0)\n"
        " same => n,While($[${j} < 5])\n same => n,Set(j=$[${j}+1])\n same => n,GotoIf($[${j} = "
        "2]?skip)\n same => n,Say(${i}${j})\n"
        " same => n,ExecIf($[${j} = 3]?ExitWhile())\n same => n,ContinueWhile()\n same => "
        "n(skip),EndWhile\n same => n,EndWhile()\n same => n,Say(end)\n");
    EXPECT_EQ(x.run(), End::ran_out);
    EXPECT_EQ(x.said, (Said{"11", "13", "21", "23", "31", "33", "end"}));
}

TEST(Machine, IfBlocksTakeOneBranch) {
    const std::string text =
        "[c]\nexten => s,1,If($[${x} = 1])\n same => n,Say(one)\n same => n,If(1)\n same => "
        "n,Say(inner)\n same => n,EndIf()\n"
        " same => n,ElseIf($[${x} = 2])\n same => n,Say(two)\n same => n,Else()\n same => "
        "n,Say(else)\n same => n,EndIf()\n same => n,Say(end)\n";
    const Said expected[] = {{"one", "inner", "end"}, {"two", "end"}, {"else", "end"}};
    for (int i = 1; i <= 3; ++i) {
        Exchange x(text);
        (void)x.call.variables().set("x", std::to_string(i));
        x.run();
        EXPECT_EQ(x.said, expected[i - 1]);
    }
}

TEST(Machine, TheHangupExtensionRunsWithFramesArgumentsAndLocalsStillThere) {  // [v]
    Exchange x(
        "[c]\nexten => s,1,Gosub(r,s,1(arg))\nexten => h,1,Say(c)\n"
        "[r]\nexten => s,1,Set(LOCAL(v)=loc)\n same => n,Hangup()\nexten => h,1,Say(${ARG1} "
        "${v})\n same => n,Gosub(x)\n same => n,Say(after)\n same => n,Return()\n same => "
        "n(x),Return()\n");
    EXPECT_EQ(x.run(), End::hung_up);
    x.run_hangup();
    EXPECT_EQ(x.said, (Said{"arg loc", "after"}));
}

TEST(Machine, AnUnknownApplicationEndsTheCall) {
    Exchange x("[c]\nexten => s,1,Sayy(x)\n same => n,Say(never)\n");
    EXPECT_EQ(x.run(), End::hung_up);
    EXPECT_EQ(x.call.reports[0], "there is no application 'Sayy' (did you mean 'Say'?)");
}

TEST(Machine, RecursionWithoutEndIsStopped) {
    Exchange x("[c]\nexten => s,1,Gosub(s,1)\n");
    EXPECT_EQ(x.run(), End::hung_up);
    EXPECT_EQ(x.call.variables().frames().size(), max_frames);
}

TEST(Machine, ALoopThatNeverWaitsYieldsAndIsEnded) {
    Exchange x("[c]\nexten => s,1,NoOp()\n same => n,Goto(1)\n");
    EXPECT_EQ(x.run(), End::runaway);
    EXPECT_GE(x.call.turns, 499);
}

TEST(Machine, ExceptionsTimeoutsAndRedirectsOutrankTheNextPriority) {
    Exchange x(
        "[c]\nexten => s,1,RaiseException(BAD)\n same => n,Say(never)\nexten => "
        "e,1,Say(${EXCEPTION(reason)}@${EXCEPTION(exten)})\n"
        " same => n,Late()\n same => n,Say(never)\nexten => T,1,Say(T)\n same => n,Move()\nexten "
        "=> 9,1,Say(nine)\n");
    x.applications.add_quick("Late", "", [](Call& call, std::string_view) {
        call.time_out();
        return AppResult::hangup;
    });
    x.applications.add_quick("Move", "", [](Call& call, std::string_view) {
        call.redirect({"c", "9", 1});
        return AppResult::hangup;
    });
    EXPECT_EQ(x.run(), End::ran_out);
    EXPECT_EQ(x.said, (Said{"BAD@s", "T", "nine"}));
}

TEST(Machine, ASubroutineRunOnBehalfOfAnApplicationComesBack) {
    Exchange x(
        "[c]\nexten => s,1,Outer()\n same => n,Say(next)\n[sub]\nexten => s,1,Say(in ${ARG1})\n "
        "same => n,Return(r)\n");
    x.applications.add("Outer", "", [&](Call& call, std::string_view) -> Task<AppResult> {
        const bool returned = co_await Machine::run_subroutine(call, "sub,s,1(a)");
        x.said.push_back(returned ? "returned" : "lost");
        co_return AppResult::proceed;
    });
    x.run();
    EXPECT_EQ(x.said, (Said{"in a", "returned", "next"}));
}

TEST(Machine, DialledDigitsGoToTheirExtensionOrToI) {
    Exchange x(
        "[c]\nexten => s,1,Dialled(12)\nexten => 12,1,Say(twelve)\n same => n,Dialled(99)\nexten "
        "=> i,1,Say(${INVALID_EXTEN})\n same => n,Silent()\nexten => t,1,Say(t)\n");
    x.applications.add_quick("Dialled", "", [](Call& call, std::string_view digits) {
        return Machine::dialled(call, "c", digits);
    });
    x.applications.add_quick(
        "Silent", "", [](Call& call, std::string_view) { return Machine::timed_out(call, "c"); });
    x.run();
    EXPECT_EQ(x.said, (Said{"twelve", "99", "t"}));
}

}  // namespace
}  // namespace strowger::dialplan
