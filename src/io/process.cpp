#include "io/process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "io/descriptor.hpp"

extern char** environ;

namespace strowger::io {

namespace {

constexpr std::size_t read_size = 16 << 10;

struct Pipe {
    Descriptor read, write;
};

Result<Pipe> make_pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return fail_with(errno, "pipe: {}", std::strerror(errno));
    return Pipe{Descriptor(ends[0]), Descriptor(ends[1])};
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> list;
    for (auto& text : texts) list.push_back(text.data());
    list.push_back(nullptr);
    return list;
}

// What the child is to become; released when it has started.
struct SpawnPlan {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    SpawnPlan() {
        posix_spawn_file_actions_init(&actions);
        posix_spawnattr_init(&attributes);
    }
    SpawnPlan(const SpawnPlan&) = delete;
    SpawnPlan& operator=(const SpawnPlan&) = delete;
    ~SpawnPlan() {
        posix_spawn_file_actions_destroy(&actions);
        posix_spawnattr_destroy(&attributes);
    }
};

}  // namespace

struct Process::Impl : std::enable_shared_from_this<Impl> {
    struct Output {
        Descriptor fd;
        std::unique_ptr<Watch> watch;
    };

    pid_t pid = -1;
    bool reaped = false;
    bool gone = false;
    Handlers handlers;
    Completion<ExitStatus> ended;
    std::size_t max_input = 0;
    std::string input;
    bool input_closing = false;
    Descriptor pidfd, input_fd;
    Output output, error;
    std::unique_ptr<Watch> exit_watch, input_watch;

    void read(Output& from, const std::function<void(Bytes)>& handler) {
        const auto keep = shared_from_this();
        std::array<std::uint8_t, read_size> buffer;
        const ssize_t got = ::read(from.fd.get(), buffer.data(), buffer.size());
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (got <= 0) {
            from.watch.reset();
            from.fd.reset();
        }
        if (handler) handler(Bytes(buffer.data(), got > 0 ? static_cast<std::size_t>(got) : 0));
    }

    void write_out() {
        while (!input.empty()) {
            const ssize_t wrote = ::write(input_fd.get(), input.data(), input.size());
            if (wrote < 0 && errno == EINTR) continue;
            if (wrote < 0 && errno == EAGAIN) return;
            if (wrote < 0) {  // the child has closed its end
                input.clear();
                input_closing = true;
                break;
            }
            input.erase(0, static_cast<std::size_t>(wrote));
        }
        if (input_watch) input_watch->on_writable(nullptr);
        if (!input_closing) return;
        input_watch.reset();
        input_fd.reset();
    }

    void reap() {
        const auto keep = shared_from_this();
        int status = 0;
        if (::waitpid(pid, &status, WNOHANG) != pid) return;
        reaped = true;
        exit_watch.reset();
        ExitStatus exit;
        if (WIFSIGNALED(status))
            exit.signal = WTERMSIG(status);
        else
            exit.code = WEXITSTATUS(status);
        const auto done = ended;
        if (const auto fn = handlers.exited) fn(exit);
        done.resolve(exit);
    }
};

Process::Process(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

Process::~Process() {
    auto& p = *impl_;
    p.gone = true;
    p.exit_watch.reset();
    p.input_watch.reset();
    p.output = {};
    p.error = {};
    p.input_fd.reset();
    if (p.reaped) return;
    ::kill(-p.pid, SIGKILL);
    ::waitpid(p.pid, nullptr, 0);  // SIGKILL leaves it no time to speak of
}

Result<std::unique_ptr<Process>> Process::start(Loop& loop, Options options, Handlers handlers) {
    if (options.arguments.empty() || options.arguments.front().empty())
        return fail("a process needs a program to run");
    auto in = make_pipe(), out = make_pipe(), err = make_pipe();
    for (const auto* pipe : {&in, &out, &err})
        if (!*pipe) return std::unexpected(pipe->error());
    SpawnPlan plan;
    posix_spawn_file_actions_adddup2(&plan.actions, in->read.get(), STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&plan.actions, out->write.get(), STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&plan.actions, err->write.get(), STDERR_FILENO);
    if (!options.directory.empty())
        posix_spawn_file_actions_addchdir_np(&plan.actions, options.directory.c_str());
    // Its own group, so that it can be killed with its children; our signal settings stay ours.
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setpgroup(&plan.attributes, 0);
    posix_spawnattr_setsigmask(&plan.attributes, &none);
    posix_spawnattr_setsigdefault(&plan.attributes, &all);
    posix_spawnattr_setflags(
        &plan.attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    auto arguments = pointers(options.arguments);
    auto environment = pointers(options.environment);
    pid_t pid = -1;
    const int code =
        ::posix_spawnp(&pid, arguments[0], &plan.actions, &plan.attributes, arguments.data(),
                       options.environment.empty() ? environ : environment.data());
    if (code != 0)
        return fail_with(code, "{}: cannot be started: {}", options.arguments[0],
                         std::strerror(code));

    auto impl = std::make_shared<Impl>();
    impl->pid = pid;
    std::unique_ptr<Process> process(new Process(impl));  // from here on it is reaped
    impl->pidfd = Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (!impl->pidfd.valid()) return fail_with(errno, "pidfd_open: {}", std::strerror(errno));
    impl->handlers = std::move(handlers);
    impl->max_input = options.max_input_queued;
    impl->input_fd = std::move(in->write);
    impl->output.fd = std::move(out->read);
    impl->error.fd = std::move(err->read);
    for (const int fd : {impl->input_fd.get(), impl->output.fd.get(), impl->error.fd.get()})
        ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
    impl->input_watch = std::make_unique<Watch>(loop, impl->input_fd.get());
    impl->output.watch = std::make_unique<Watch>(loop, impl->output.fd.get());
    impl->error.watch = std::make_unique<Watch>(loop, impl->error.fd.get());
    impl->exit_watch = std::make_unique<Watch>(loop, impl->pidfd.get());
    auto* p = impl.get();
    p->output.watch->on_readable([p] { p->read(p->output, p->handlers.output); });
    p->error.watch->on_readable([p] { p->read(p->error, p->handlers.error); });
    p->exit_watch->on_readable([p] { p->reap(); });
    return process;
}

bool Process::write(std::string_view text) {
    auto& p = *impl_;
    if (p.input_closing || p.input.size() + text.size() > p.max_input) return false;
    p.input += text;
    p.input_watch->on_writable([raw = impl_.get()] { raw->write_out(); });
    return true;
}

void Process::close_input() {
    if (impl_->input_closing) return;
    impl_->input_closing = true;
    if (impl_->input.empty()) impl_->write_out();
}

void Process::kill(int signal) {
    if (!impl_->reaped) ::kill(-impl_->pid, signal);
}

int Process::pid() const { return impl_->pid; }
Completion<ExitStatus> Process::wait() const { return impl_->ended; }

Task<Result<ProcessResult>> run_process(Loop& loop, Process::Options options, std::string input,
                                        Duration timeout, std::size_t max_output) {
    struct Run {
        ProcessResult result;
        int open = 3;  // two pipes and the exit
        std::string why;
        Completion<bool> over;
        void part_over() {
            if (--open == 0) over.resolve(true);
        }
    };
    // Shared with the process' callbacks, which this frame may not outlive when it is destroyed.
    const auto run = std::make_shared<Run>();
    const std::string program = options.arguments.empty() ? "" : options.arguments[0];
    options.max_input_queued = std::max(options.max_input_queued, input.size());
    const auto collect = [run, max_output](std::string ProcessResult::* into) {
        return [run, max_output, into](Bytes bytes) {
            if (bytes.empty()) return run->part_over();
            auto& text = run->result.*into;
            if (text.size() + bytes.size() > max_output) {
                run->why = fmt::format("wrote more than {} bytes", max_output);
                return run->over.resolve(false);
            }
            text += as_text(bytes);
        };
    };
    Process::Handlers handlers;
    handlers.output = collect(&ProcessResult::output);
    handlers.error = collect(&ProcessResult::error);
    handlers.exited = [run](ExitStatus status) {
        run->result.status = status;
        run->part_over();
    };
    auto process = Process::start(loop, std::move(options), std::move(handlers));
    if (!process) co_return std::unexpected(process.error());
    if (!input.empty()) (*process)->write(input);
    (*process)->close_input();
    const Timer limit = loop.after(timeout, [run, timeout] {
        run->why = fmt::format("not done within {:.1f} s", seconds(timeout));
        run->over.resolve(false);
    });
    const bool whole = co_await run->over;
    if (!whole) co_return fail("{}: {}; killed", program, run->why);
    co_return std::move(run->result);
}

}  // namespace strowger::io
