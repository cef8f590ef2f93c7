#include "pbx/applications.hpp"
#include "pbx/test_exchange.hpp"

namespace strowger::pbx {
namespace {

using namespace std::chrono_literals;
using testing::TestCaller;
using testing::TestExchange;

/// What `expression` comes to on a call of alice to extension 1.
std::string value(const std::string& expression, const std::string& before = {},
                  const std::string& headers = {}) {
    TestExchange exchange("exten => 1,1,NoOp()\n" + before +
                          "same => n,UserEvent(done,is: " + expression + ")\n");
    TestCaller caller(exchange);
    caller.invite("1", headers);
    return exchange.say("done");
}

TEST(CallerFunctions, ReadAndSetWhoCalls) {
    EXPECT_EQ(value("${CALLERID(num)}/${CALLERID(name)}/${CALLERID(pres)}"),
              "alice/Alice A/allowed_not_screened");
    EXPECT_EQ(value("${CALLERID(num)}/${CALLERID(name)}/${CALLERID(ani)}/${CALLERID(tag)}",
                    "same => n,Set(CALLERID(all)=\"Desk\" <0701>)\nsame => "
                    "n,Set(CALLERID(ani)=9)\nsame => n,Set(CALLERID(tag)=t)\n"),
              "0701/Desk/9/t");
    EXPECT_EQ(value("${CALLERID(pres)}", "same => n,Set(CALLERID(pres)=prohib)\n"),
              "prohib_not_screened");
    EXPECT_EQ(value("[${CALLERID(nonsense)}]"), "[]");
    EXPECT_EQ(
        value("${REDIRECTING(from-num)}/${REDIRECTING(reason)}/${CALLERID(rdnis)}",
              "same => n,Set(REDIRECTING(from-num)=5)\nsame => n,Set(REDIRECTING(reason)=cfb)\n"),
        "5/cfb/5");
}

TEST(ChannelFunction, TellsOfTheCall) {
    EXPECT_EQ(value("${CHANNEL(endpoint)}/${CHANNEL(state)}/${CHANNEL(channeltype)}/"
                    "${CHANNEL(audionativeformat)}"),
              "alice/Ring/PJSIP/(ulaw)");
    EXPECT_EQ(
        value("${CHANNEL(language)}/${CHANNEL(musicclass)}",
              "same => n,Set(CHANNEL(language)=de)\nsame => n,Set(CHANNEL(musicclass)=jazz)\n"),
        "de/jazz");
    EXPECT_EQ(value("${CHANNEL(peerip)}/${CHANNEL(context)}"), "127.0.0.1/test");
    EXPECT_EQ(value("[${CHANNEL(nonsense)}]"), "[]");
    EXPECT_EQ(value("${CHANNELS(PJSIP/al)}"), "PJSIP/alice-00000000");
}

TEST(SharedVariables, AreSeenByOtherChannels) {
    EXPECT_EQ(
        value("${SHARED(x)}/${SHARED(x,${CHANNEL})}/${MASTER_CHANNEL(y)}/${IMPORT(${CHANNEL},y)}",
              "same => n,Set(SHARED(x)=1)\nsame => n,Set(MASTER_CHANNEL(y)=2)\n"),
        "1/1/2/2");
    EXPECT_EQ(value("[${SHARED(x,nobody)}]"), "[]");
}

TEST(Timeouts, AreSetAndTheAbsoluteOneInterruptsTheCall) {
    EXPECT_EQ(value("${TIMEOUT(digit)}/${TIMEOUT(response)}/${TIMEOUT(absolute)}",
                    "same => n,Set(TIMEOUT(digit)=1.5)\n"),
              "1.500/10.000/0.000");
    TestExchange exchange(
        "exten => 1,1,Answer()\nsame => n,Set(TIMEOUT(absolute)=0.2)\nsame => n,MusicOnHold()\n"
        "exten => T,1,UserEvent(done,is: over)\n");
    TestCaller caller(exchange);
    ASSERT_EQ(caller.call("1"), 200);
    EXPECT_EQ(exchange.say("done"), "over");
}

TEST(HangupHandlers, RunTheNewestFirst) {
    TestExchange exchange(
        "exten => 1,1,Set(CHANNEL(hangup_handler_push)=after,s,1(a))\nsame => "
        "n,Set(CHANNEL(hangup_handler_push)=after,s,1(b))\n"
        "same => n,Hangup(17)\n[after]\nexten => s,1,Set(GLOBAL(order)=${GLOBAL(order)}${ARG1})\n"
        "same => n,UserEvent(ran${ARG1},is: ${GLOBAL(order)})\nsame => n,Return()\n");
    TestCaller caller(exchange);
    EXPECT_EQ(caller.call("1"), 486);
    EXPECT_EQ(exchange.say("rana"), "ba");
}

TEST(PjsipFunctions, ListTheContactsForDial) {
    EXPECT_EQ(value("${PJSIP_DIAL_CONTACTS(alice)}"), "PJSIP/alice/sip:alice@127.0.0.1:5999");
    EXPECT_EQ(value("${PJSIP_DIAL_CONTACTS(alice,,55)}"), "PJSIP/alice/sip:55@127.0.0.1:5999");
    EXPECT_EQ(value("[${PJSIP_DIAL_CONTACTS(bob)}${PJSIP_DIAL_CONTACTS(nobody)}]"), "[]");
    EXPECT_EQ(value("${PJSIP_ENDPOINT(alice,COLOUR)}/${PJSIP_ENDPOINT(alice,context)}/"
                    "${PJSIP_ENDPOINT(nobody,x)}"),
              "blue/test/");
    EXPECT_EQ(
        value("${PJSIP_CONTACT(${PJSIP_AOR(alice,contact)},uri)}/${PJSIP_AOR(alice,max_contacts)}"),
        "sip:alice@127.0.0.1:5999/2");
}

TEST(PjsipFunctions, ReadHeadersOfTheInvite) {
    const std::string headers = "X-Colour: red\r\nX-Colour: green\r\nX-Size: 4\r\n";
    EXPECT_EQ(value("${PJSIP_HEADER(read,X-Colour)}/${PJSIP_HEADER(read,x-colour,2)}/"
                    "${PJSIP_HEADER(read,X-None)}",
                    {}, headers),
              "red/green/");
    EXPECT_EQ(value("${CUT(PJSIP_HEADERS(X-),\\,,1)}+${CUT(PJSIP_HEADERS(X-),\\,,2)}", {}, headers),
              "X-Colour+X-Size");
    EXPECT_EQ(value("${PJSIP_HEADER_PARAM(From,header,tag):0:5}"), "tcall");
}

TEST(PjsipFunctions, AddHeadersToTheAnswerButNotThoseOfTheSession) {
    TestExchange exchange(
        "exten => 1,1,Set(PJSIP_HEADER(add,X-One)=first)\nsame => "
        "n,Set(PJSIP_HEADER(add,X-Two)=second)\n"
        "same => n,Set(PJSIP_HEADER(update,X-One)=changed)\nsame => "
        "n,Set(PJSIP_HEADER(remove,X-Tw*)=)\n"
        "same => n,Set(PJSIP_HEADER(add,Call-ID)=forged)\nsame => n,Answer()\nsame => n,Wait(1)\n");
    TestCaller caller(exchange);
    ASSERT_EQ(caller.call("1"), 200);
    EXPECT_NE(caller.responses[200].find("X-One: changed\r\n"), std::string::npos);
    EXPECT_EQ(caller.responses[200].find("X-Two"), std::string::npos);
    EXPECT_EQ(caller.responses[200].find("forged"), std::string::npos);
}

TEST(PjsipFunctions, TakeUrisApart) {
    EXPECT_EQ(value("${PJSIP_PARSE_URI(\"Al\" <sip:al@example.com:5070\\;transport=tcp>,user)}"
                    "/${PJSIP_PARSE_URI(sip:al@example.com:5070\\;transport=tcp,port)}"
                    "/${PJSIP_PARSE_URI(sip:al@example.com:5070\\;transport=tcp,transport_param)}/"
                    "${PJSIP_PARSE_URI(,user)}"),
              "al/5070/tcp/");
}

TEST(PjsipFunctions, ChangeTheAccountForThisCallOnly) {
    EXPECT_EQ(
        value("${PJSIP_DTMF_MODE()}/${PJSIP_MEDIA_OFFER(audio)}/${PJSIP_ENDPOINT(alice,dtmf_mode)}",
              "same => n,Set(PJSIP_DTMF_MODE()=info)\nsame => "
              "n,Set(PJSIP_MEDIA_OFFER(audio)=!all,alaw)\n"),
        "info/alaw/rfc4733");
}

TEST(DeviceStates, OfCustomDevicesAreSetAndReadInHints) {
    TestExchange exchange(
        "exten => 9,hint,Custom:lamp\n"
        "exten => 1,1,Set(DEVICE_STATE(Custom:lamp)=INUSE)\n"
        "same => n,Set(DEVICE_STATE(PJSIP/bob)=INUSE)\n"
        "same => n,UserEvent(done,is: ${DEVICE_STATE(Custom:lamp)}/${EXTENSION_STATE(9@test)}"
        "/${EXTENSION_STATE(8@test)}/${DEVICE_STATE(PJSIP/nobody)})\n");
    TestCaller caller(exchange);
    caller.invite("1");
    EXPECT_EQ(exchange.say("done"), "INUSE/INUSE/UNKNOWN/INVALID");
}

}  // namespace
}  // namespace strowger::pbx
