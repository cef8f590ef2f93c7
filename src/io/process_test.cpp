#include "io/process.hpp"

#include <gtest/gtest.h>
#include <signal.h>

#include <cerrno>

#include "base/text.hpp"
#include "io/file.hpp"

namespace strowger::io {
namespace {

using namespace std::chrono_literals;

struct ProcessTest : testing::Test {
    Loop loop;

    Result<ProcessResult> run(Process::Options options, std::string input = {},
                              Duration limit = 10s, std::size_t max_output = 1 << 20) {
        std::optional<Result<ProcessResult>> result;
        spawn([](Task<Result<ProcessResult>> task, auto& out) -> Task<> {
            out = co_await std::move(task);
        }(run_process(loop, std::move(options), std::move(input), limit, max_output), result));
        loop.run_until([&] { return result.has_value(); }, 20s);
        if (!result) return fail("it did not end");
        return std::move(*result);
    }
};

TEST_F(ProcessTest, RunsAProgramWithInputEnvironmentAndDirectory) {
    const std::string input(500000, 'i');
    const auto cat = run({.arguments = {"cat"}}, input);
    ASSERT_TRUE(cat) << cat.error().text();
    EXPECT_EQ(cat->output, input);
    EXPECT_TRUE(cat->status.success());
    const auto shell = run({.arguments = {"/bin/sh", "-c", "echo $A $PWD; echo bad >&2; exit 3"},
                            .environment = {"A=b c"},
                            .directory = "/"});
    ASSERT_TRUE(shell) << shell.error().text();
    EXPECT_EQ(shell->output, "b c /\n");
    EXPECT_EQ(shell->error, "bad\n");
    EXPECT_EQ(shell->status.code, 3);
}

TEST_F(ProcessTest, ArgumentsAreNotSeenByAShell) {
    EXPECT_EQ(run({.arguments = {"echo", "$(id); `id` *"}})->output, "$(id); `id` *\n");
}

TEST_F(ProcessTest, IsKilledAfterItsTimeAndBeyondItsOutput) {
    const auto slow = run({.arguments = {"sleep", "60"}}, "", 50ms);
    ASSERT_FALSE(slow);
    EXPECT_EQ(slow.error().text(), "sleep: not done within 0.1 s; killed");
    const auto loud = run({.arguments = {"cat", "/dev/zero"}}, "", 10s, 100000);
    ASSERT_FALSE(loud);
    EXPECT_EQ(loud.error().text(), "cat: wrote more than 100000 bytes; killed");
}

TEST_F(ProcessTest, AMissingProgramIsAnError) {
    const auto absent = run({.arguments = {"no-such-program-here"}});
    ASSERT_FALSE(absent);
    EXPECT_EQ(absent.error().code(), ENOENT);
    EXPECT_FALSE(run({}));
}

TEST_F(ProcessTest, TellsTheSignalAndTalksWhileItRuns) {
    std::string output;
    auto process = Process::start(loop, {.arguments = {"cat"}},
                                  {.output = [&](Bytes b) { output += as_text(b); }})
                       .value();
    process->write("AGI ");
    process->write("line\n");
    ASSERT_TRUE(loop.run_until([&] { return output == "AGI line\n"; }, 5s));
    process->kill(SIGTERM);
    const auto ended = process->wait();
    ASSERT_TRUE(loop.run_until([&] { return ended.resolved(); }, 5s));
    int signal = 0;
    spawn([](Completion<ExitStatus> end, int& out) -> Task<> { out = (co_await end).signal; }(
                                                       ended, signal));
    EXPECT_EQ(signal, SIGTERM);
}

TEST_F(ProcessTest, DestroyingItKillsItsWholeGroup) {
    std::string output;
    auto process =
        Process::start(loop, {.arguments = {"/bin/sh", "-c", "sleep 60 & echo $!; wait"}},
                       {.output = [&](Bytes b) { output += as_text(b); }})
            .value();
    ASSERT_TRUE(loop.run_until([&] { return output.ends_with('\n'); }, 5s));
    const int parent = process->pid();
    process.reset();
    EXPECT_EQ(::kill(parent, 0), -1);
    EXPECT_EQ(errno, ESRCH);
    // The grandchild dies too: gone, or a zombie until its new parent notices.
    EXPECT_TRUE(loop.run_until([&, path = "/proc/" + std::string(trim(output)) + "/stat"] {
        loop.post([] {});
        const auto stat = read_file(path);
        return !stat || stat->find(") Z ") != std::string::npos;
    }));
}

}  // namespace
}  // namespace strowger::io
