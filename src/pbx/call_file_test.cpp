#include "pbx/call_file.hpp"

#include <gtest/gtest.h>

#include "pbx/test_callee.hpp"

namespace strowger::pbx {
namespace {

using namespace std::chrono_literals;
using testing::TestCallee;
using testing::TestExchange;

TEST(CallFile, HoldsWhomToCallAndWhatToRun) {
    const auto file = CallFile::parse(
        "# a comment\nChannel: PJSIP/alice ; here too\nMaxRetries: 2\nRetryTime: 60\n"
        "WaitTime: 30\nContext: house\nExtension: 100\nPriority: 3\n"
        "Callerid: \"Wakeup Call\" <(555) 555-5555>\nAccount: me\nSet: file1=/tmp/to\n"
        "Setvar: CDR(userfield)=4\\;2\nArchive: yes\nAlwaysDelete: No\n"
        "\nStartRetry: 17 1 (1700000000)\nEndRetry: 17 1 (1700000030)\n");
    ASSERT_TRUE(file) << file.error().text();
    EXPECT_EQ(file->channel, "PJSIP/alice");
    EXPECT_EQ(file->max_retries, 2u);
    EXPECT_EQ(file->retry_time, 60s);
    EXPECT_EQ(file->wait_time, 30s);
    EXPECT_EQ(file->context + file->extension, "house100");
    EXPECT_EQ(file->priority, 3);
    EXPECT_EQ(file->caller_name, "Wakeup Call");
    EXPECT_EQ(file->caller_number, "(555) 555-5555");
    ASSERT_EQ(file->variables.size(), 2u);
    EXPECT_EQ(file->variables[1].second, "4;2");
    EXPECT_TRUE(file->archive);
    EXPECT_FALSE(file->always_delete);
    EXPECT_EQ(file->attempts, 1u);
}

TEST(CallFile, SaysWhatIsWrong) {
    EXPECT_EQ(CallFile::parse("Channel: PJSIP/a\n").error().text(),
              "expected an Application or a Context");
    EXPECT_EQ(CallFile::parse("Context: x\n").error().text(),
              "expected Channel: Technology/resource, got ''");
    EXPECT_EQ(CallFile::parse("Channel: a/b\nnonsense\n").error().text(),
              "line 2: expected 'Key: value', got 'nonsense'");
    EXPECT_EQ(CallFile::parse("RetryTime: soon\n").error().text(),
              "line 1: RetryTime: expected seconds from 1 on, got 'soon'");
}

struct Spool {
    TestExchange exchange;
    std::string directory;

    explicit Spool(const std::string& dialplan)
        : exchange(dialplan, "[carol](phone)\naors=carol\n[carol]\ntype=aor\nmax_contacts=1\n"),
          directory(exchange.directory + "/state/outgoing/") {}
    void put(const std::string& name, const std::string& text) {
        ASSERT_TRUE(io::replace_file(exchange.directory + "/new.call", text));
        ASSERT_TRUE(io::rename_file(exchange.directory + "/new.call", directory + name));
    }
    bool gone(const std::string& name) {
        return exchange.loop.run_until([&] { return !io::file_exists(directory + name); }, 3s);
    }
};

TEST(CallFiles, CallAndRunTheDialplanForWhoeverAnswers) {
    Spool spool("exten => 9,1,UserEvent(done,is: ${EXTEN} ${colour} ${CALLERID(num)})\n");
    TestCallee carol(spool.exchange, "carol");
    spool.put("a.call",
              "Channel: PJSIP/carol\nContext: test\nExtension: 9\nSet: colour=red\n"
              "Callerid: Desk <77>\n");
    ASSERT_TRUE(carol.rings());
    EXPECT_NE(carol.shown().find("77"), std::string::npos);
    carol.answer_call();
    EXPECT_EQ(spool.exchange.say("done"), "9 red 77");
    EXPECT_TRUE(spool.gone("a.call"));
}

TEST(CallFiles, AreTriedAgainAndThenRunTheFailedExtension) {
    Spool spool("exten => failed,1,UserEvent(done,is: ${REASON} ${colour})\n");
    TestCallee carol(spool.exchange, "carol");
    spool.put("a.call",
              "Channel: PJSIP/carol\nContext: test\nMaxRetries: 1\nRetryTime: 1\nArchive: yes\n"
              "Set: colour=red\n");
    ASSERT_TRUE(carol.rings());
    carol.refuse(486);
    EXPECT_TRUE(io::file_exists(spool.directory + "a.call"));
    ASSERT_TRUE(carol.rings());
    carol.refuse(486);
    EXPECT_EQ(spool.exchange.say("done"), "5 red");
    EXPECT_TRUE(spool.gone("a.call"));
    const auto kept = io::read_file(spool.exchange.directory + "/state/outgoing_done/a.call");
    ASSERT_TRUE(kept);
    EXPECT_NE(kept->find("StartRetry: "), std::string::npos);
    EXPECT_NE(kept->find("EndRetry: "), std::string::npos);
    EXPECT_NE(kept->find("Status: Expired"), std::string::npos);
}

TEST(CallFiles, WaitForTheirTimeAndOnesThatMakeNoSenseAreDeleted) {
    Spool spool("exten => 9,1,NoOp()\n");
    TestCallee carol(spool.exchange, "carol");
    spool.put("bad.call", "nonsense\n");
    EXPECT_TRUE(spool.gone("bad.call"));
    const auto text = "Channel: PJSIP/carol\nApplication: Wait\nData: 1\n";
    const auto path = spool.exchange.directory + "/new.call";
    ASSERT_TRUE(io::replace_file(path, text));
    ASSERT_TRUE(io::set_modified(path, io::wall_now() + 1s));
    ASSERT_TRUE(io::rename_file(path, spool.directory + "later.call"));
    EXPECT_FALSE(carol.rings(500ms));
    EXPECT_TRUE(carol.rings());
}

}  // namespace
}  // namespace strowger::pbx
