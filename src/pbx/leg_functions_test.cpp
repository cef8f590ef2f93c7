#include "pbx/applications.hpp"

#include "pbx/test_callee.hpp"

namespace strowger::pbx {
namespace {

using namespace std::chrono_literals;
using testing::TestCallee;
using testing::TestCaller;
using testing::TestExchange;

bool contains(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

TEST(ExportAndImport, ReachIntoAnotherChannel) {
    TestExchange exchange(
        "exten => 1,1,Set(mine=1)\nsame => n,Answer()\nsame => n,WaitDigit(5)\nsame => "
        "n,UserEvent(got,is: ${mine}/${theirs}/${CALLERID(name)})\n"
        "exten => 2,1,Set(a=${CHANNELS(alice)})\nsame => n,Set(EXPORT(${a},theirs)=2)\nsame => "
        "n,Set(EXPORT(${a},CALLERID(name))=Renamed)\nsame => n,Set(EXPORT(nobody,x)=1)\nsame => "
        "n,UserEvent(read,is: ${IMPORT(${a},mine)}/${IMPORT(${a},theirs)}/"
        "[${IMPORT(nobody,mine)}]/[${IMPORT(${a},none)}])\n");
    TestCaller alice(exchange), bob(exchange, "bob");
    ASSERT_EQ(alice.call("1"), 200);
    bob.invite("2");
    EXPECT_EQ(exchange.say("read"), "1/2/[]/[]");
    alice.press('1');
    EXPECT_EQ(exchange.say("got"), "1/2/Renamed");
}

TEST(MuteAudio, KeepsWhatAPartySaysFromTheOther) {
    TestExchange exchange(
        "exten => 1,1,Answer()\nsame => n,Set(MUTEAUDIO(in)=on)\nsame => n,Dial(PJSIP/bob,5)\n"
        "exten => 2,1,Set(MUTEAUDIO(out)=on)\nsame => n,UserEvent(on,is: still)\n");
    TestCallee bob(exchange, "bob");
    TestCaller alice(exchange);
    alice.invite("1");
    ASSERT_TRUE(bob.pick_up());
    EXPECT_TRUE(alice.hears(bob));
    EXPECT_FALSE(bob.hears(alice));
    TestCaller other(exchange);
    other.invite("2");
    EXPECT_EQ(exchange.say("on"), "still");
}

TEST(ConnectedLineFunction, ReadsAndSetsWhomThePhoneIsShown) {
    TestExchange exchange(
        "exten => 1,1,Set(CONNECTEDLINE(num,i)=5551)\nsame => n,Set(CONNECTEDLINE(name,i)=Front "
        "Desk)\nsame => n,UserEvent(done,is: ${CONNECTEDLINE(num)}/${CONNECTEDLINE(name)}/"
        "${CONNECTEDLINE(all)})\nsame => n,Answer()\nsame => n,Wait(0.1)\nsame => "
        "n,Set(CONNECTEDLINE(all)=\"Back\" <5552>)\nsame => n,Wait(2)\n",
        "[carol](phone)\naors=carol\nsend_pai=yes\n[carol]\ntype=aor\n");
    TestCaller carol(exchange, "carol");
    ASSERT_EQ(carol.call("1", "Allow: INVITE, ACK, BYE, CANCEL, UPDATE\r\n"), 200);
    EXPECT_EQ(exchange.say("done"), "5551/Front Desk/Front Desk <5551>");
    ASSERT_TRUE(exchange.loop.run_until([&] { return carol.got("UPDATE"); }, 3s));
    EXPECT_TRUE(contains(carol.requests["UPDATE"], "P-Asserted-Identity: \"Back\" <sip:5552@"))
        << carol.requests["UPDATE"];
}

TEST(ResponseHeader, IsThatOfTheLastResponseToADialledLeg) {
    TestExchange exchange(
        "exten => 1,1,Dial(PJSIP/bob,5,U(look))\n[look]\nexten => s,1,UserEvent(done,is: "
        "${PJSIP_RESPONSE_HEADER(read,Allow):0:6}/${PJSIP_RESPONSE_HEADER(read,X-None)})\nsame => "
        "n,Return()\n");
    TestCallee bob(exchange, "bob");
    TestCaller alice(exchange);
    alice.invite("1");
    ASSERT_TRUE(bob.pick_up());
    EXPECT_EQ(exchange.say("done"), "INVITE/");
}

TEST(PjsipFunctions, ParseTheUriOfAVariableAndKeepTheirOwnSettings) {
    TestExchange exchange(
        "exten => 1,1,Set(u=\"Al\" <sip:al@example.com:5070\\;transport=tcp>)\nsame => n,UserEvent"
        "(parts,is: ${PJSIP_PARSE_URI_FROM(u,display)}/${PJSIP_PARSE_URI_FROM(u,scheme)}/"
        "${PJSIP_PARSE_URI_FROM(u,host)}/[${PJSIP_PARSE_URI_FROM(none,host)}])\n"
        "same => n,Set(before=${PJSIP_MOH_PASSTHROUGH()})\nsame => "
        "n,Set(PJSIP_MOH_PASSTHROUGH()=yes)\nsame => n,UserEvent(moh,is: "
        "${before}/${PJSIP_MOH_PASSTHROUGH()})\n");
    TestCaller alice(exchange);
    alice.invite("1");
    EXPECT_EQ(exchange.say("parts"), "Al/sip/example.com/[]");
    EXPECT_EQ(exchange.say("moh"), "no/yes");
}

TEST(BlindTransfer, OfAChannelThatTalksToNobodyFails) {
    TestExchange exchange(
        "exten => 1,1,Answer()\nsame => n,BlindTransfer(2)\nsame => n,UserEvent(done,is: "
        "${BLINDTRANSFERSTATUS})\nexten => 2,1,NoOp()\n");
    TestCaller alice(exchange);
    ASSERT_EQ(alice.call("1"), 200);
    EXPECT_EQ(exchange.say("done"), "FAILURE");
}

}  // namespace
}  // namespace strowger::pbx
