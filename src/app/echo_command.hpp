#pragma once

#include <memory>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace strowger::app {

/// `strowger echo server | client | load`: their options, and what they do.
class EchoCommand {
public:
    explicit EchoCommand(CLI::App& app);
    ~EchoCommand();

    bool chosen() const;
    int run();

    /// The arguments of `echo client` may come in one piece, as container runs quote them.
    static std::vector<std::string> arguments(int argc, char** argv);
    /// `echo client` has two statuses alone, also for its usage.
    static bool is_client(const std::vector<std::string>& arguments);

private:
    struct Options;
    int run_server();
    int run_client();

    std::unique_ptr<Options> options_;
};

}  // namespace strowger::app
