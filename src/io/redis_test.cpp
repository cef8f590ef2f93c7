#include "io/redis.hpp"

#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "io/test_directory.hpp"

namespace strowger::io {
namespace {

using namespace std::chrono_literals;

TEST(RedisUrl, NamesHostPortUserPasswordAndDatabase) {
    const auto full = Redis::parse("redis://al%40ice:p%3Aw@10.1.2.3:7000/4").value();
    EXPECT_EQ(full.host, "10.1.2.3");
    EXPECT_EQ(full.port, 7000);
    EXPECT_EQ(full.user, "al@ice");
    EXPECT_EQ(full.password, "p:w");
    EXPECT_EQ(full.database, 4u);
    EXPECT_EQ(Redis::parse("redis://store").value().port, 6379);
    EXPECT_EQ(Redis::parse("redis://[::1]:7").value().host, "::1");
    EXPECT_EQ(Redis::parse("redis://[::1]").value().host, "::1");
    EXPECT_FALSE(full.tls);
    EXPECT_TRUE(Redis::parse("rediss://store").value().tls);
    EXPECT_EQ(Redis::parse("rediss://store").value().text(), "rediss://store:6379/0");
    EXPECT_EQ(Redis::parse("unix:///run/redis.sock").value().path, "/run/redis.sock");
}

TEST(RedisUrl, WhatIsNoneIsRefusedAndThePasswordNotRepeated) {
    for (const auto* url : {"", "redis://", "http://x", "redis://h:x", "redis://h/x", "unix://",
                            "rediss://h:x", "redis://[::1"})
        EXPECT_FALSE(Redis::parse(url)) << url;
    EXPECT_EQ(Redis::parse("redis://u:secret@h:x").error().text().find("secret"),
              std::string::npos);
    EXPECT_EQ(Redis::parse("redis://u:secret@h")->text().find("secret"), std::string::npos);
}

/// Debian's redis-server on a Unix socket in a folder of its own.
struct Server {
    TestDirectory folder;
    std::string socket = folder.path + "/redis.sock";
    pid_t pid = 0;

    void start() {
        pid = fork();
        if (pid == 0) {
            execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", socket.c_str(),
                   "--save", "", "--dir", folder.path.c_str(), "--logfile", "redis.log",
                   static_cast<char*>(nullptr));
            _exit(127);
        }
    }
    void stop() {
        if (pid <= 0) return;
        kill(std::exchange(pid, 0), SIGKILL);
        wait(nullptr);
    }
    ~Server() { stop(); }
};

struct RedisTest : testing::Test {
    static void SetUpTestSuite() {
        if (std::system("redis-server --version >/dev/null 2>&1") != 0)
            GTEST_SKIP() << "redis-server is not installed";
    }
    Server server;
    Loop loop;
    int up = 0, lost = 0;
    std::vector<std::string> heard;

    std::unique_ptr<Redis> connect() {
        Redis::Options options{.endpoint = {.host = "", .path = server.socket}};
        options.patience = 300ms;
        return std::make_unique<Redis>(
            loop, options,
            Redis::Handlers{
                .connected = [this] { ++up; },
                .lost = [this](const Error&) { ++lost; },
                .message = [this](std::string_view,
                                  std::string_view text) { heard.emplace_back(text); }});
    }
};

TEST_F(RedisTest, AnswersComeInOrderAndErrorsAreErrors) {
    server.start();
    const auto redis = connect();
    ASSERT_TRUE(loop.run_until([&] { return up == 1; }));
    const std::string binary("a\0b\r\n", 5);
    std::vector<Result<Redis::Reply>> replies;
    const auto keep = [&](Result<Redis::Reply> reply) { replies.push_back(std::move(reply)); };
    redis->command({"SET", "k", binary}, keep);
    redis->command({"GET", "k"}, keep);
    redis->command({"GET", "absent"}, keep);
    redis->command({"INCR", "k"}, keep);
    redis->command({"EVAL", "return {1, 'x', {2}}", "0"}, keep);
    ASSERT_TRUE(loop.run_until([&] { return replies.size() == 5; }));
    EXPECT_EQ(replies[0]->text, "OK");
    EXPECT_EQ(replies[1]->text, binary);
    EXPECT_EQ(replies[2]->kind, Redis::Reply::Kind::nil);
    EXPECT_FALSE(replies[3]);
    EXPECT_EQ(replies[4]->items.at(2).items.at(0).number, 2);
}

TEST_F(RedisTest, ALostServerFailsWhatIsUnderWayAndIsFoundAgain) {
    server.start();
    const auto redis = connect();
    ASSERT_TRUE(loop.run_until([&] { return up == 1; }));
    kill(server.pid, SIGSTOP);  // it hears, but says nothing
    std::optional<Result<Redis::Reply>> reply;
    redis->command({"PING"}, [&](Result<Redis::Reply> r) { reply = std::move(r); });
    ASSERT_TRUE(loop.run_until([&] { return lost == 1; }));
    ASSERT_TRUE(reply);
    EXPECT_FALSE(*reply);
    server.stop();
    bool at_once = false;
    redis->command({"PING"}, [&](Result<Redis::Reply> r) { at_once = !r; });
    EXPECT_TRUE(at_once);
    server.start();
    EXPECT_TRUE(loop.run_until([&] { return up == 2; }));
}

TEST_F(RedisTest, MessagesArriveAtWhoSubscribes) {
    server.start();
    const auto listener = connect(), speaker = connect();
    ASSERT_TRUE(loop.run_until([&] { return up == 2; }));
    listener->subscribe({"a", "b"});
    std::int64_t receivers = 0;
    const auto told = [&] {
        speaker->command({"PUBLISH", "b", "text"}, [&](Result<Redis::Reply> r) {
            if (r) receivers = std::max(receivers, r->number);
        });
        return receivers > 0 && !heard.empty();
    };
    ASSERT_TRUE(loop.run_until(told));
    EXPECT_EQ(heard.front(), "text");
}

TEST_F(RedisTest, DestroyedWithCommandsUnderWayItSaysNothing) {
    server.start();
    auto redis = connect();
    ASSERT_TRUE(loop.run_until([&] { return up == 1; }));
    redis->command({"PING"}, [](Result<Redis::Reply>) { FAIL(); });
    redis.reset();
    loop.run_until([] { return false; }, 50ms);
}

}  // namespace
}  // namespace strowger::io
