#include "pbx/test_exchange.hpp"

namespace strowger::pbx {
namespace {

using namespace std::chrono_literals;
using testing::TestCaller;
using testing::TestExchange;

TEST(GroupFunctions, CountTheChannelsThatAreInAGroupUntilTheyEnd) {
    TestExchange exchange(
        "exten => 1,1,Set(GROUP()=sales)\nsame => n,Set(GROUP(out)=trunk1)\nsame => n,Answer()\n"
        "same => n,UserEvent(in${CALLERID(num)},is: ${GROUP_COUNT()} ${GROUP_COUNT(trunk1@out)} "
        "${GROUP_MATCH_COUNT(^trunk@out)} ${GROUP()} ${GROUP_LIST()})\nsame => n,Wait(5)\n"
        "exten => 2,1,UserEvent(seen,is: ${GROUP_COUNT(sales)} "
        "${GROUP_COUNT(none)}[${GROUP(x)}])\n");
    TestCaller alice(exchange), bob(exchange, "bob");
    ASSERT_EQ(alice.call("1"), 200);
    EXPECT_EQ(exchange.say("inalice"), "1 1 1 sales sales trunk1@out");
    ASSERT_EQ(bob.call("1"), 200);
    EXPECT_EQ(exchange.say("inbob"), "2 2 2 sales sales trunk1@out");
    alice.hang_up();
    ASSERT_TRUE(exchange.loop.run_until([&] { return exchange.core().channels.size() == 1; }, 3s));
    TestCaller third(exchange);
    third.invite("2");
    EXPECT_EQ(exchange.say("seen"), "1 0[]");
}

TEST(Locks, AreHeldByOneChannelAndFreeWhenItIsGone) {
    TestExchange exchange(
        "exten => 1,1,Answer()\nsame => n,UserEvent(first,is: ${LOCK(door)}${TRYLOCK(door)})\nsame "
        "=> n,Wait(5)\n"
        "exten => 2,1,UserEvent(second,is: "
        "${TRYLOCK(door)}${UNLOCK(door)}${TRYLOCK(gate)}${UNLOCK(gate)})\n"
        "exten => 3,1,UserEvent(third,is: ${TRYLOCK(door)})\n");
    TestCaller alice(exchange), bob(exchange, "bob"), third(exchange, "bob");
    ASSERT_EQ(alice.call("1"), 200);
    EXPECT_EQ(exchange.say("first"), "11");
    bob.invite("2");
    EXPECT_EQ(exchange.say("second"), "0011");
    alice.hang_up();
    ASSERT_TRUE(exchange.loop.run_until([&] { return exchange.core().channels.size() == 0; }, 3s));
    third.invite("3");
    EXPECT_EQ(exchange.say("third"), "1");
}

TEST(CdrFunction, TellsWhatTheRecordSaysSoFar) {
    TestExchange exchange(
        "exten => 1,1,NoOp(x)\nsame => n,UserEvent(before,is: ${CDR(disposition)} ${CDR(billsec)} "
        "[${CDR(answer)}])\n"
        "same => n,Answer()\nsame => n,Set(CDR(userfield)=u)\nsame => n,Set(CDR(colour)=red)\nsame "
        "=> n,Set(CDR(src)=forged)\n"
        "same => n,UserEvent(after,is: ${CDR(src)} ${CDR(dst)} ${CDR(dcontext)} ${CDR(clid)} "
        "${CDR(disposition)} "
        "${CDR(userfield)} ${CDR(colour)} ${CDR(duration)} ${LEN(${CDR(start)})} ${CDR(lastapp)} "
        "${CDR(channel):0:11})\n");
    TestCaller alice(exchange);
    alice.invite("1");
    EXPECT_EQ(exchange.say("before"), "NO ANSWER 0 []");
    EXPECT_EQ(exchange.say("after"),
              "alice 1 test Alice A <alice> ANSWERED u red 0 19 Set PJSIP/alice");
}

TEST(FileFunctions, ReadWriteAndLookAtFiles) {
    TestExchange exchange(
        "exten => 1,1,Set(F=${FOLDER}/note)\nsame => n,Set(before=${STAT(e,${F})})\nsame => "
        "n,Set(FILE(${F})=hello)\n"
        "same => n,Set(FILE(${F},,,al)= world)\nsame => n,Set(FILE(${F},,,al)=second)\n"
        "same => n,UserEvent(done,is: ${before} ${STAT(e,${F})}${STAT(f,${F})}${STAT(d,${F})} "
        "${STAT(s,${F})} "
        "${FILE(${F},0,5)} ${FILE(${F},-7,6)} ${LEN(${FILE(${F},1,1,l)})} ${STAT(d,${FOLDER})} "
        "[${FILE(${F}x)}])\n"
        "[globals]\nFOLDER=${ENV(TMPDIR_OF_TEST)}\n");
    exchange.write("unused.conf", "");
    ::setenv("TMPDIR_OF_TEST", exchange.directory.c_str(), 1);
    ASSERT_TRUE(exchange.exchange->reload());
    TestCaller alice(exchange);
    alice.invite("1");
    EXPECT_EQ(exchange.say("done"), "0 110 19 hello second 7 1 []");
}

TEST(Sysinfo, TellsOfTheMachine) {
    TestExchange exchange(
        "exten => 1,1,UserEvent(done,is: ${SYSINFO(numcalls)} ${REGEX(\"^[0-9]+$\" "
        "${SYSINFO(totalram)})} "
        "${REGEX(\"^[0-9.]+$\" ${SYSINFO(loadavg)})} ${REGEX(\"^[0-9]+$\" ${SYSINFO(uptime)})} "
        "${REGEX(\"^[0-9]+$\" ${SYSINFO(numprocs)})}[${SYSINFO(nonsense)}])\n");
    TestCaller alice(exchange);
    alice.invite("1");
    EXPECT_EQ(exchange.say("done"), "1 1 1 1 1[]");
}

}  // namespace
}  // namespace strowger::pbx
