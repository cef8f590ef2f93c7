#include "pbx/queues.hpp"
#include "pbx/test_callee.hpp"

namespace strowger::pbx {
namespace {

using namespace std::chrono_literals;
using testing::TestCallee;
using testing::TestCaller;
using testing::TestExchange;

constexpr const char* phones =
    "[carol](phone)\naors=carol\n[carol]\ntype=aor\nmax_contacts=1\n"
    "[dave](phone)\naors=dave\n[dave]\ntype=aor\nmax_contacts=1\n";

struct CallCentre {
    TestExchange exchange;
    TestCaller alice{exchange}, bob{exchange, "bob"};
    TestCallee carol{exchange, "carol"}, dave{exchange, "dave"};

    explicit CallCentre(const std::string& dialplan, const std::string& queues,
                        const std::string& rules = {})
        : exchange(dialplan, phones, {{"queues.conf", queues}, {"queuerules.conf", rules}}) {}

    Queue& queue(const char* name = "q") { return *exchange.core().queues->find(name); }
    bool until(const std::function<bool()>& done, Duration limit = 3s) {
        return exchange.loop.run_until(done, limit);
    }
    /// The events of the queue log, without time and call.
    std::vector<std::string> log() {
        std::vector<std::string> lines;
        const auto text = io::read_file(exchange.directory + "/state/queue_log");
        if (!text) return lines;
        for (const auto line : split(*text, '\n')) {
            const auto parts = split(line, '|');
            if (parts.size() > 4)
                lines.push_back(std::string(parts[3]) + " " + std::string(parts[4]));
        }
        return lines;
    }
};

constexpr const char* simple =
    "exten => 1,1,Answer()\nsame => n,Queue(q,tc)\n"
    "same => n,UserEvent(after,is: ${QUEUESTATUS}${ABANDONED})\nsame => n,Wait(1)\n"
    "exten => h,1,UserEvent(over,is: ${QUEUESTATUS} ${ABANDONED} ${QUEUEPOSITION})\n";

TEST(QueueApplication, ACallerHearsMusicUntilAnAgentAnswersAndThenTheAgent) {
    CallCentre centre(simple, "[q]\nmember => PJSIP/carol,0,Carol Smith\n");
    ASSERT_EQ(centre.alice.call("1"), 200);
    EXPECT_GE(centre.alice.listen(300ms), 8);
    ASSERT_TRUE(centre.carol.pick_up());
    EXPECT_NE(centre.carol.shown().find("alice"), std::string::npos);
    ASSERT_TRUE(centre.until([&] { return centre.queue().statistics().completed == 1; }));
    centre.exchange.loop.run_until([] { return false; }, 100ms);
    EXPECT_TRUE(centre.alice.hears(centre.carol));
    EXPECT_TRUE(centre.carol.hears(centre.alice));
    centre.carol.hang_up();
    EXPECT_EQ(centre.exchange.say("after"), "CONTINUE");
    EXPECT_EQ(centre.queue().members()[0]->calls, 1u);
    EXPECT_EQ(centre.log(),
              (std::vector<std::string>{"NONE QUEUESTART", "NONE ENTERQUEUE", "Carol Smith CONNECT",
                                        "Carol Smith COMPLETEAGENT"}));
}

TEST(QueueApplication, RingallCancelsTheOthersWhenOneAnswers) {
    CallCentre centre(simple, "[q]\nmember => PJSIP/carol\nmember => PJSIP/dave\n");
    ASSERT_EQ(centre.alice.call("1"), 200);
    ASSERT_TRUE(centre.carol.rings());
    ASSERT_TRUE(centre.dave.rings());
    centre.dave.answer_call();
    EXPECT_TRUE(centre.until([&] { return centre.carol.cancelled; }));
    EXPECT_TRUE(centre.until([&] { return centre.dave.got("ACK"); }));
    centre.alice.hang_up();
    EXPECT_TRUE(centre.dave.wait_bye());
    EXPECT_TRUE(centre.until([&] { return centre.log().back() == "PJSIP/dave COMPLETECALLER"; }));
}

TEST(QueueApplication, WithABusyMemberTheNextOneRings) {
    CallCentre centre(simple,
                      "[q]\nstrategy=linear\nmember => PJSIP/carol\nmember => PJSIP/dave\n");
    ASSERT_EQ(centre.alice.call("1"), 200);
    ASSERT_TRUE(centre.carol.rings());
    centre.carol.refuse(486);
    EXPECT_TRUE(centre.dave.pick_up());
    EXPECT_EQ(centre.log().at(2), "PJSIP/carol RINGNOANSWER");
}

TEST(QueueApplication, ATimeoutOfTheCallerLeadsOn) {
    CallCentre centre(
        "exten => 1,1,Answer()\nsame => n,Queue(q,,,,0.4)\n"
        "same => n,UserEvent(after,is: ${QUEUESTATUS} ${ABANDONED} ${QUEUEPOSITION})\n",
        "[q]\nmember => PJSIP/carol\n");
    ASSERT_EQ(centre.alice.call("1"), 200);
    ASSERT_TRUE(centre.carol.rings());
    EXPECT_EQ(centre.exchange.say("after"), "TIMEOUT TRUE 1");
    EXPECT_TRUE(centre.until([&] { return centre.carol.cancelled; }));
    EXPECT_EQ(centre.log().back(), "NONE EXITWITHTIMEOUT");
}

TEST(QueueApplication, AnAgentThatDoesNotAnswerIsTriedAgainOrPaused) {
    CallCentre centre(simple, "[q]\ntimeout=1\nretry=0\nautopause=yes\nmember => PJSIP/carol\n");
    ASSERT_EQ(centre.alice.call("1"), 200);
    ASSERT_TRUE(centre.carol.rings());
    EXPECT_TRUE(centre.until([&] { return centre.carol.cancelled; }));
    EXPECT_TRUE(centre.until([&] { return centre.queue().members()[0]->paused; }));
    EXPECT_EQ(centre.queue().members()[0]->pause_reason, "Auto-Pause");
    centre.alice.hang_up();
    EXPECT_EQ(centre.exchange.say("over"), "TRUE 1");
    EXPECT_EQ(centre.queue().statistics().abandoned, 1u);
    EXPECT_EQ(centre.log().back(), "NONE ABANDON");
}

TEST(QueueApplication, RefusesWhoeverIsTooManyOrWouldWaitForNobody) {
    CallCentre centre(
        "exten => 1,1,Answer()\nsame => n,Queue(full)\n"
        "same => n,UserEvent(full,is: ${QUEUESTATUS})\n"
        "same => n,Queue(empty)\nsame => n,UserEvent(empty,is: ${QUEUESTATUS})\n"
        "same => n,Queue(nosuch)\nsame => n,UserEvent(none,is: [${QUEUESTATUS}])\n"
        "exten => 2,1,Answer()\nsame => n,Queue(full)\n",
        "[full]\nmaxlen=1\n[empty]\njoinempty=no\nmember => PJSIP/nosuch\n");
    ASSERT_EQ(centre.bob.call("2"), 200);
    ASSERT_TRUE(centre.until([&] { return centre.queue("full").callers().size() == 1; }));
    ASSERT_EQ(centre.alice.call("1"), 200);
    EXPECT_EQ(centre.exchange.say("full"), "FULL");
    EXPECT_EQ(centre.exchange.say("empty"), "JOINEMPTY");
    EXPECT_EQ(centre.exchange.say("none"), "[]");
}

TEST(QueueApplication, LetsCallersGoWhenTheLastMemberIsPaused) {
    CallCentre centre(simple, "[q]\nleavewhenempty=paused\nmember => Local/9@test\n");
    ASSERT_EQ(centre.alice.call("1"), 200);
    ASSERT_TRUE(centre.until([&] { return centre.queue().callers().size() == 1; }));
    ASSERT_TRUE(centre.exchange.core().queues->pause({}, "Local/9@test", true, "lunch"));
    EXPECT_EQ(centre.exchange.say("after"), "LEAVEEMPTYTRUE");
}

TEST(QueueApplication, ADigitLeadsOutToTheContextOfTheQueue) {
    CallCentre centre(
        "exten => 1,1,Answer()\nsame => n,Queue(q)\n[out]\n"
        "exten => 17,1,UserEvent(out,is: ${EXTEN})\nsame => n,Wait(1)\n",
        "[q]\ncontext=out\n");
    ASSERT_EQ(centre.alice.call("1"), 200);
    ASSERT_TRUE(centre.until([&] { return centre.queue().callers().size() == 1; }));
    centre.alice.dial("9317");
    EXPECT_EQ(centre.exchange.say("out"), "17");
    EXPECT_TRUE(centre.queue().callers().empty());
    EXPECT_EQ(centre.log().back(), "NONE EXITWITHKEY");
}

TEST(QueueApplication, AFreedAgentIsRungAtOnceForTheNextCaller) {
    CallCentre centre(simple, "[q]\nringinuse=no\nretry=1\nmember => PJSIP/carol\n");
    ASSERT_EQ(centre.alice.call("1"), 200);
    ASSERT_TRUE(centre.carol.pick_up());
    ASSERT_EQ(centre.bob.call("1"), 200);
    EXPECT_FALSE(centre.carol.rings(300ms));
    centre.alice.hang_up();
    ASSERT_TRUE(centre.carol.wait_bye());
    EXPECT_TRUE(centre.carol.pick_up());
}

TEST(QueueApplication, WithAutofillTwoCallersReachTwoAgents) {
    CallCentre centre(simple,
                      "[q]\nautofill=yes\nstrategy=linear\nringinuse=no\n"
                      "member => PJSIP/carol\nmember => PJSIP/dave\n");
    ASSERT_EQ(centre.alice.call("1"), 200);
    ASSERT_EQ(centre.bob.call("1"), 200);
    EXPECT_TRUE(centre.carol.rings());
    EXPECT_TRUE(centre.dave.rings());
    EXPECT_TRUE(centre.dave.pick_up());
    EXPECT_TRUE(centre.carol.pick_up());
    EXPECT_TRUE(centre.until([&] { return centre.queue().statistics().completed == 2; }));
}

TEST(QueueApplication, TheQueueOfGreaterWeightGetsTheAgent) {
    CallCentre centre(
        "exten => 1,1,Answer()\nsame => n,Queue(light)\nexten => 2,1,Answer()\n"
        "same => n,Queue(heavy)\n",
        "[light]\nweight=1\nmember => PJSIP/carol,0,,,,,yes\n"
        "[heavy]\nweight=5\nmember => PJSIP/carol,0,,,,,yes\n");
    ASSERT_EQ(centre.alice.call("1"), 200);
    ASSERT_EQ(centre.bob.call("2"), 200);
    ASSERT_TRUE(centre.until([&] { return centre.queue("heavy").callers().size() == 1; }));
    (void)centre.exchange.core().queues->pause({}, "PJSIP/carol", false, {});
    ASSERT_TRUE(centre.carol.rings());
    EXPECT_NE(centre.carol.shown().find("bob"), std::string::npos);
}

TEST(QueueApplication, PenaltyRulesOpenTheQueueToMoreMembersWithTime) {
    CallCentre centre(
        "exten => 1,1,Answer()\nsame => n,Set(QUEUE_MAX_PENALTY=1)\nsame => n,Queue(q)\n",
        "[q]\ndefaultrule=wider\nmember => PJSIP/carol,5\n", "[wider]\npenaltychange => 1,+4\n");
    ASSERT_EQ(centre.alice.call("1"), 200);
    EXPECT_FALSE(centre.carol.rings(600ms));
    EXPECT_TRUE(centre.carol.rings());
}

TEST(QueueApplication, AnAgentThatHangsUpDuringItsAnnouncementLeavesTheCallerInLine) {
    CallCentre centre(simple, "[q]\nannounce=long\nretry=0\nmember => PJSIP/carol\n");
    ASSERT_EQ(centre.alice.call("1"), 200);
    ASSERT_TRUE(centre.carol.pick_up());
    EXPECT_GE(centre.carol.listen(200ms), 3);
    EXPECT_EQ(centre.queue().callers().size(), 1u);
    centre.carol.hang_up();
    EXPECT_TRUE(centre.carol.rings());
    EXPECT_EQ(centre.log().back(), "PJSIP/carol AGENTDUMP");
}

TEST(QueueApplication, TellsBothChannelsWhatTheyWant) {
    CallCentre centre(
        "exten => 1,1,Answer()\nsame => n,Queue(q,c,,,,,,sub)\n"
        "same => n,UserEvent(caller,is: ${MEMBERNAME} ${QEORIGINALPOS} ${QUEUENAME} "
        "${DIALEDPEERNUMBER})\n[sub]\nexten => s,1,UserEvent(agent,is: ${MEMBERINTERFACE} "
        "${QUEUESTRATEGY})\nsame => n,Return()\n",
        "[q]\nsetinterfacevar=yes\nsetqueuevar=yes\nsetqueueentryvar=yes\n"
        "member => PJSIP/carol,0,Carol\n");
    ASSERT_EQ(centre.alice.call("1"), 200);
    ASSERT_TRUE(centre.carol.pick_up());
    EXPECT_EQ(centre.exchange.say("agent"), "PJSIP/carol ringall");
    centre.exchange.loop.run_until([] { return false; }, 100ms);
    centre.carol.hang_up();
    EXPECT_EQ(centre.exchange.say("caller"), "Carol 1 q PJSIP/carol");
}

TEST(QueueMembers, ComeGoAndRestByTheDialplan) {
    CallCentre centre(
        "exten => 1,1,Answer()\n"
        "same => n,AddQueueMember(q,PJSIP/carol,3,p,Carol)\nsame => n,Set(a=${AQMSTATUS})\n"
        "same => n,AddQueueMember(q,PJSIP/carol)\nsame => n,Set(a=${a} ${AQMSTATUS})\n"
        "same => n,AddQueueMember(no,PJSIP/carol)\nsame => n,Set(a=${a} ${AQMSTATUS})\n"
        "same => n,UserEvent(added,is: ${a} ${QUEUE_MEMBER(q,paused,PJSIP/carol)}"
        "${QUEUE_MEMBER(q,penalty,PJSIP/carol)}${QUEUE_MEMBER(q,count)}${QUEUE_MEMBER(q,ready)})\n"
        "same => n,UnpauseQueueMember(,PJSIP/carol)\nsame => n,Set(b=${UPQMSTATUS})\n"
        "same => n,Set(QUEUE_MEMBER(q,penalty,PJSIP/carol)=8)\n"
        "same => n,PauseQueueMember(q,PJSIP/nobody)\n"
        "same => n,UserEvent(rested,is: ${b} ${PQMSTATUS} ${QUEUE_MEMBER_PENALTY(q,PJSIP/carol)} "
        "${QUEUE_MEMBER(q,free)} ${CUT(QUEUE_MEMBER_LIST(q),\\,,2)} "
        "${QUEUE_EXISTS(q)}${QUEUE_EXISTS(x)} "
        "${QUEUE_WAITING_COUNT(q)}${QUEUE_VARIABLES(q)}${QUEUEMAX})\n"
        "same => n,RemoveQueueMember(q,PJSIP/carol)\nsame => n,Set(c=${RQMSTATUS})\n"
        "same => n,RemoveQueueMember(q,PJSIP/carol)\nsame => n,Set(c=${c} ${RQMSTATUS})\n"
        "same => n,RemoveQueueMember(q,PJSIP/dave)\n"
        "same => n,QueueLog(q,${UNIQUEID},me,MINE,info)\n"
        "same => n,UserEvent(removed,is: ${c} ${RQMSTATUS})\n",
        "[q]\nmaxlen=4\nmember => PJSIP/dave\n");
    ASSERT_EQ(centre.alice.call("1"), 200);
    EXPECT_EQ(centre.exchange.say("added"), "ADDED MEMBERALREADY NOSUCHQUEUE 1321");
    EXPECT_EQ(centre.exchange.say("rested"), "UNPAUSED NOTFOUND 8 2 Carol 10 004");
    EXPECT_EQ(centre.exchange.say("removed"), "REMOVED NOTINQUEUE NOTDYNAMIC");
    const auto log = centre.log();
    EXPECT_TRUE(std::count(log.begin(), log.end(), "PJSIP/carol ADDMEMBER"));
    EXPECT_TRUE(std::count(log.begin(), log.end(), "Carol UNPAUSE"));
    EXPECT_EQ(log.back(), "me MINE");
}

}  // namespace
}  // namespace strowger::pbx
