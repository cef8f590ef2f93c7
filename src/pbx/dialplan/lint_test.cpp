#include "pbx/dialplan/lint.hpp"

#include <gtest/gtest.h>

#include "pbx/dialplan/fixture.hpp"

namespace strowger::dialplan {
namespace {

// What is said of a dialplan, where the application Say and those of the language are known.
std::string said_of(const std::string& text) {
    testing::Exchange exchange(text);
    ini::Diagnostics diagnostics;
    lint(*exchange.plan, exchange.applications, exchange.functions, diagnostics);
    return diagnostics.text();
}

TEST(Lint, NamesApplicationsThatDoNotExistWithTheNearestRightWord) {
    EXPECT_EQ(
        said_of("[c]\nexten => 1,1,Gotto(2,1)\n same => n,SAY(x)\n same => n,Flibber\n"),
        "extensions.conf:2: there is no application 'Gotto'; a call that comes here ends (did "
        "you mean 'Goto'?)\n"
        "extensions.conf:4: there is no application 'Flibber'; a call that comes here ends\n");
}

TEST(Lint, LooksIntoTheApplicationsThatOthersRun) {
    EXPECT_EQ(
        said_of("[c]\nexten => 1,1,ExecIf($[${A} = 1]?Gotto(2,1):Sai(${B}))\n"
                " same => n,Exec(Nop())\n same => n,Exec(${APP}(x))\n"
                " same => n,ExecIfTime(9:00-17:00,*,*,*?Sey(x))\n"
                " same => n,TryExec(Nothing())\n"),
        "extensions.conf:2: there is no application 'Gotto'; a call that comes here ends (did "
        "you mean 'Goto'?)\n"
        "extensions.conf:2: there is no application 'Sai'; a call that comes here ends (did "
        "you mean 'Say'?)\n"
        "extensions.conf:3: there is no application 'Nop'; a call that comes here ends (did "
        "you mean 'NoOp'?)\n"
        "extensions.conf:5: there is no application 'Sey'; a call that comes here ends (did "
        "you mean 'Say'?)\n");
}

TEST(Lint, NamesFunctionsThatDoNotExistOrCannotDoWhatIsAsked) {
    EXPECT_EQ(said_of("[c]\nexten => 1,1,Say(${CUTT(A,-,${LENN(x)})} ${LEN(${A})} ${A:1} $[1+1])\n"
                      " same => n,Set(GLOBL(a)=${B})\n same => n,Set(LEN(x)=3)\n"
                      " same => n,Say(${ARRAY(a,b)})\n same => n,MSet(a=1,SHAREED(b)=2)\n"
                      " same => n,Set(${F}(a)=1)\n same => n,Say(${${F}(a)})\n"),
              "extensions.conf:2: there is no function 'CUTT' (did you mean 'CUT'?)\n"
              "extensions.conf:2: there is no function 'LENN' (did you mean 'LEN'?)\n"
              "extensions.conf:3: there is no function 'GLOBL' (did you mean 'GLOBAL'?)\n"
              "extensions.conf:4: the function 'LEN' cannot be set\n"
              "extensions.conf:5: the function 'ARRAY' can only be set\n"
              "extensions.conf:6: there is no function 'SHAREED'\n");
}

TEST(Lint, NamesLabelsPrioritiesExtensionsAndContextsThatAreNotThere) {
    EXPECT_EQ(
        said_of("[c]\nexten => 1,1,Goto(hom)\n same => n,Goto(7)\n same => n,Goto(2,1)\n"
                " same => n,Goto(dd,s,1)\n same => n,Goto(d,s,start)\n same => n,Goto(d,t,1)\n"
                " same => n(home),GotoIf($[${A} ? 1 :: 0]?nowhere:home)\n"
                " same => n,GotoIfTime(9:00-17:00,*,*,*?day:home)\n"
                " same => n,Gosub(d,s,sub(a:b,\"x\"))\n same => n,GosubIf(1?d,s,1(a):d,x,1(b))\n"
                "[d]\nexten => s,1(begin),Say(x)\n same => n,Return()\n"),
        "extensions.conf:2: there is no label 'hom' in 1 of 'c' (did you mean 'home'?)\n"
        "extensions.conf:4: there is no extension '2' in 'c' (did you mean '1'?)\n"
        "extensions.conf:5: there is no context 'dd' (did you mean 'd'?)\n"
        "extensions.conf:6: there is no label 'start' in s of 'd'\n"
        "extensions.conf:7: there is no extension 't' in 'd' (did you mean 's'?)\n"
        "extensions.conf:8: there is no label 'nowhere' in 1 of 'c'\n"
        "extensions.conf:9: there is no label 'day' in 1 of 'c'\n"
        "extensions.conf:10: there is no label 'sub' in s of 'd'\n"
        "extensions.conf:11: there is no extension 'x' in 'd' (did you mean 's'?)\n");
}

TEST(Lint, SaysNothingOfPlacesThatMayBeThereWhenTheCallComes) {
    EXPECT_EQ(said_of(
                  // A computed switch, a relative jump, an argument with brackets of its own.
                  "[c]\nexten => 1,1,Goto(st-${DIALSTATUS})\n same => n,Goto(+2)\n"
                  " same => n,Gosub(${CUT(A,-,1)},s,1(x))\n same => n,Gosub(sub,${EXTEN},1(${A}))\n"
                  " same => n,Goto(${CONTEXT},1,1)\n same => n,GotoIf(1?:9)\n same => n,NoOp\n"
                  " same => n,NoOp\n same => n(9),NoOp\n same => n,While(1)\n same => n,EndWhile\n"
                  // What is not here is taken by i.
                  " same => n,Goto(17,1)\nexten => i,1,NoOp\n"
                  // Run from a context that includes this one, where the extension is.
                  "[part]\nexten => 5,1,Goto(elsewhere,1)\n[whole]\ninclude => part\n"
                  "exten => elsewhere,1,NoOp\n"
                  // Found behind a pattern, and in an include.
                  "[sub]\ninclude => deep\nexten => 1,1,Goto(sub,4711,1)\n"
                  "[deep]\nexten => _4XXX,1,Goto(end)\n same => n(end),NoOp\n"),
              "");
}

TEST(Lint, SaysOneThingOnceThoughATemplateRepeatsIt) {
    EXPECT_EQ(
        said_of("[t](!)\nexten => 1,1,Gotto(2,1)\n[a](t)\n[b](t)\n"),
        "extensions.conf:2: there is no application 'Gotto'; a call that comes here ends (did "
        "you mean 'Goto'?)\n");
}

}  // namespace
}  // namespace strowger::dialplan
