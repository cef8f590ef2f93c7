#include "io/process.hpp"
#include "pbx/applications.hpp"
#include "pbx/dialplan/substitution.hpp"

namespace strowger::pbx {

namespace {

// As System's: a shell that hangs must not keep a call for good.
constexpr Duration command_limit = std::chrono::hours{1};

Task<Result<std::string>> shell(dialplan::Call& call, std::string command) {
    auto& core = static_cast<Channel&>(call).core();
    if (command.empty()) co_return fail("which command?");
    io::Process::Options options;
    options.arguments.emplace_back("sh");
    options.arguments.emplace_back("-c");
    options.arguments.push_back(std::move(command));
    std::string input;
    auto result = co_await io::run_process(core.loop, std::move(options), std::move(input),
                                           command_limit, dialplan::max_substituted);
    if (!result) co_return std::unexpected(result.error());
    co_return std::move(result->output);
}

}  // namespace

void add_shell_functions(dialplan::Functions& functions) {
    functions.add_waiting("SHELL", "What a shell command prints: SHELL(command)", shell);
    functions.mark_dangerous("SHELL");
}

}  // namespace strowger::pbx
