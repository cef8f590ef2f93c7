#include <gtest/gtest.h>

#include "pbx/dialplan/fixture.hpp"

namespace strowger::dialplan {
namespace {

using testing::Exchange;
using Said = std::vector<std::string>;

TEST(StackFunctions, TellWhereEachSubroutineWasCalledFromAndWhatIsLocalToIt) {
    Exchange x(
        "[c]\nexten => s,1,NoOp\n same => n,Gosub(sub,s,1(outer))\n same => n,Say(back)\n"
        "[sub]\nexten => s,1,Set(LOCAL(v)=one)\n same => n,Gosub(deep(inner))\n same => "
        "n,Return()\n"
        " same => n(deep),Set(LOCAL(v)=two)\n"
        " same => n,Say(${STACK_PEEK(1,c)} ${STACK_PEEK(1,e)} ${STACK_PEEK(1,p)})\n"
        " same => n,Say(${STACK_PEEK(2,l)} [${STACK_PEEK(3,c,1)}])\n"
        " same => "
        "n,Say(${LOCAL_PEEK(0,v)}/${LOCAL_PEEK(1,v)}/[${LOCAL_PEEK(2,v)}]/${LOCAL_PEEK(1,ARG1)})\n"
        " same => n,Return()\n");
    EXPECT_EQ(x.run(), End::ran_out);
    EXPECT_EQ(x.said, (Said{"sub s 2", "c,s,2 []", "two/one/[]/outer", "back"}));
    EXPECT_TRUE(x.call.reports.empty());
    EXPECT_EQ(x.eval("[${STACK_PEEK(1,c)}]"), "[]");
    EXPECT_EQ(x.call.reports.size(), 1u);
}

TEST(StackPop, ForgetsWhereToReturnTo) {
    Exchange x(
        "[c]\nexten => s,1,Gosub(sub)\n same => n,Say(returned)\n same => n(sub),StackPop()\n"
        " same => n,Say(${ARGC})\n same => n,Return()\n same => n,Say(never)\n");
    EXPECT_EQ(x.run(), End::hung_up);  // there is nothing to return to
    EXPECT_EQ(x.said, (Said{""}));
}

TEST(MSet, SetsSeveralAndFunctionsToo) {
    Exchange x(
        "[c]\nexten => s,1,MSet(a=1,GLOBAL(b)=\"two, three\",c=x=y)\n same => "
        "n,Say(${a}|${b}|${c})\n");
    x.run();
    EXPECT_EQ(x.said, (Said{"1|two, three|x=y"}));
    EXPECT_EQ(x.eval("${GLOBAL_EXISTS(b)}${GLOBAL_EXISTS(a)}"), "10");
}

TEST(ClearHash, ForgetsOneArrayOnly) {
    Exchange x(
        "[c]\nexten => s,1,Set(HASH(h,k)=1)\n same => n,Set(HASH(other,k)=2)\n"
        " same => n,ClearHash(h)\n same => "
        "n,Say([${HASH(h,k)}][${HASHKEYS(h)}]${HASH(other,k)})\n");
    x.run();
    EXPECT_EQ(x.said, (Said{"[][]2"}));
}

TEST(ExecIfTime, RunsWithinItsTimesOnly) {  // it is Tuesday, 22:13 UTC
    Exchange x(
        "[c]\nexten => s,1,ExecIfTime(*,tue,*,*?Say(a:b))\n same => "
        "n,ExecIfTime(9:00-17:00,*,*,*?Say(no))\n"
        " same => n,ExecIfTime(22:00-23:00,*,*,nov?Say(late))\n same => "
        "n,ExecIfTime(nonsense?Say(no))\n"
        " same => n,Say(on)\n");
    x.run();
    EXPECT_EQ(x.said, (Said{"a:b", "late", "on"}));
}

TEST(LogApplications, WriteAtTheirLevel) {
    Exchange x(
        "[c]\nexten => s,1,Verbose(3,three, four)\n same => n,Verbose(plain)\n same => "
        "n,Log(WARNING,beware, you)\n");
    x.run();
    EXPECT_EQ(x.call.reports, (Said{"three, four", "plain", "beware, you"}));
}

TEST(Functions, ThatNothingElseAsksFor) {
    Exchange x;
    ASSERT_TRUE(x.call.assign("DB(cf/a/1)", "x"));
    ASSERT_TRUE(x.call.assign("DB(cf/a/2)", "y"));
    ASSERT_TRUE(x.call.assign("DB(cf/b)", "z"));
    EXPECT_EQ(x.eval("${DB_KEYCOUNT(cf)} ${DB_KEYCOUNT(cf/a)} ${DB_KEYCOUNT(none)}"), "3 2 0");
    EXPECT_EQ(x.eval("[${LTRIM( a b )}][${RTRIM( a b )}]"), "[a b ][ a b]");
    EXPECT_EQ(x.eval("${TOLOWER(ÅBC-XyZ)}"), "Åbc-xyz");  // ASCII only, as everywhere
    EXPECT_EQ(x.eval("${VERSION()} ${VERSION(ASTERISK_VERSION_NUM)}"), "20.15.0 201500");
}

}  // namespace
}  // namespace strowger::dialplan
