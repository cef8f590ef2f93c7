#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/task.hpp"
#include "io/completion.hpp"
#include "io/loop.hpp"

namespace strowger::io {

/// How a child ended.
struct ExitStatus {
    int code = 0;    ///< exit code, when `signal` is 0
    int signal = 0;  ///< that killed it
    bool success() const { return code == 0 && signal == 0; }
};

/// A child process with pipes to its standard input, output and error. Destroying it kills the
/// child's process group (SIGKILL) and reaps it. No shell is involved.
class Process {
public:
    struct Options {
        std::vector<std::string> arguments;         ///< the program first, found in PATH
        std::vector<std::string> environment = {};  ///< "NAME=value"; empty: that of this process
        std::string directory = {};
        std::size_t max_input_queued = 1 << 20;
    };
    struct Handlers {
        std::function<void(Bytes)> output = {};  ///< standard output; empty bytes at its end
        std::function<void(Bytes)> error = {};   ///< standard error; empty bytes at its end
        std::function<void(ExitStatus)> exited = {};
    };

    static Result<std::unique_ptr<Process>> start(Loop& loop, Options options, Handlers handlers);
    ~Process();

    bool write(std::string_view text);  ///< queued; false when over the limit or the pipe is closed
    void close_input();                 ///< after what is queued
    void kill(int signal);
    int pid() const;

    /// `co_await process.wait()`; after the exit it answers at once.
    Completion<ExitStatus> wait() const;

private:
    struct Impl;
    explicit Process(std::shared_ptr<Impl> impl);
    std::shared_ptr<Impl> impl_;  // shared with the callback in progress
};

struct ProcessResult {
    ExitStatus status;
    std::string output;
    std::string error;
};

/// Runs a program to its end with `input`; killed and an error when it takes longer than `timeout`
/// or writes more than `max_output`.
Task<Result<ProcessResult>> run_process(Loop& loop, Process::Options options, std::string input,
                                        Duration timeout, std::size_t max_output = 1 << 20);

}  // namespace strowger::io
