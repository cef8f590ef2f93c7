#include <gtest/gtest.h>

#include <coroutine>
#include <utility>

#include "pbx/dialplan/fixture.hpp"

namespace strowger::dialplan {
namespace {

using testing::Exchange;
using Said = std::vector<std::string>;

/// What a function waits for until the test lets it go on.
struct Gate {
    std::coroutine_handle<> waiter;

    struct Awaiter {
        Gate& gate;
        bool await_ready() const { return false; }
        void await_suspend(std::coroutine_handle<> handle) { gate.waiter = handle; }
        void await_resume() const {}
    };
    Awaiter operator co_await() { return {*this}; }
};

struct Waiting : Exchange {
    Gate gate;

    explicit Waiting(std::string text) : Exchange(std::move(text)) {
        functions.add_waiting("LATER", "its argument, later",
                              [this](Call&, std::string args) -> Task<Result<std::string>> {
                                  co_await gate;
                                  co_return args;
                              });
        (void)call.variables().set("text", "${LATER(e)}");
        call.set_position({"c", "s", 1});
        running = [](Call& of) -> Task<> { (void)co_await Machine::run(of); }(call);
        running.start();
    }
    void let_go() { std::exchange(gate.waiter, {}).resume(); }

    Task<> running;
};

TEST(WaitingFunctions, StopTheStepUntilTheyHaveTheirValue) {
    Waiting x("[c]\nexten => s,1,Say(before)\n same => n,Say(${LATER(a)}-${EXTEN})\n");
    EXPECT_EQ(x.said, (Said{"before"}));
    x.let_go();
    EXPECT_EQ(x.said, (Said{"before", "a-s"}));
}

TEST(WaitingFunctions, AreCalledInOrderWithEverythingAroundThemOnce) {
    Waiting x(
        "[c]\nexten => s,1,Set(list=1,2,3)\n"
        " same => n,Say(${SHIFT(list)}${LATER(${SHIFT(list)})}${SHIFT(list)}[${list}])\n");
    x.let_go();
    EXPECT_EQ(x.said, (Said{"123[]"}));
}

TEST(WaitingFunctions, GiveSubstringsAndArgumentsOfOthers) {
    Waiting x(
        "[c]\nexten => s,1,Say(${LATER(abcdef):2:3} ${TOUPPER(${LATER(x)})} $[${LATER(2)} + 1])\n");
    x.let_go();
    x.let_go();
    x.let_go();
    EXPECT_EQ(x.said, (Said{"cde X 3"}));
}

TEST(WaitingFunctions, WorkWithinEvalAndExec) {
    Waiting x("[c]\nexten => s,1,Say(${EVAL(${text})})\n same => n,Exec(Say(${LATER(b)}))\n");
    x.let_go();
    x.let_go();
    EXPECT_EQ(x.said, (Said{"e", "b"}));
}

TEST(WaitingFunctions, AreAnErrorWhereNobodyCanWait) {
    Waiting x("[c]\nexten => s,1,NoOp()\n");
    EXPECT_EQ(x.eval("[${LATER(a)}]"), "[]");
    ASSERT_FALSE(x.call.reports.empty());
    EXPECT_NE(x.call.reports.back().find("has to wait"), std::string::npos);
}

TEST(WaitingFunctions, AreNoticedOnlyWhereTheyAreNamed) {
    Waiting x("[c]\nexten => s,1,NoOp()\n");
    EXPECT_TRUE(x.functions.may_wait("a ${LATER(1)}"));
    EXPECT_TRUE(x.functions.may_wait("${TOUPPER(${LATER(1)})}"));
    EXPECT_FALSE(x.functions.may_wait("${TOUPPER(LATER)}"));
    EXPECT_FALSE(x.functions.may_wait("LATER(1)"));
    EXPECT_FALSE(x.functions.may_wait("${NOTLATER(1)}"));
}

TEST(WaitingFunctions, MayBeLetGoOfWhileTheyWait) {
    Waiting x("[c]\nexten => s,1,Say(${LATER(a)})\n");
    x.running = {};
    EXPECT_TRUE(x.said.empty());
}

TEST(DangerousFunctions, AreRefusedToProgramsOutsideUnlessTheyMayLiveDangerously) {
    Exchange x;
    x.functions.add("REACH", "", [](Call&, std::string_view) -> Result<std::string> {
        return std::string("far");
    });
    x.functions.mark_dangerous("REACH");
    EXPECT_EQ(x.eval("${REACH()}"), "far");
    const Call::FromOutside outside(x.call);
    EXPECT_EQ(x.eval("[${REACH()}]"), "[]");
    EXPECT_EQ(x.eval("[${EVAL(${REACH()})}]"), "[]");
    x.environment.live_dangerously = true;
    EXPECT_EQ(x.eval("${REACH()}"), "far");
}

}  // namespace
}  // namespace strowger::dialplan
