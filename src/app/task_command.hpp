#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace strowger::app {

/// `strowger task run|upload|list|cancel`: the broker's command-line client.
class TaskCommand {
public:
    explicit TaskCommand(CLI::App& app);

    bool chosen() const;
    /// For `run` the exit status is the program's.
    int run();

private:
    CLI::App* command_;
    CLI::App *run_, *upload_, *list_, *cancel_;
    std::string broker_ = "http://localhost:4080", token_;
    std::string program_, file_, name_, rootfs_, artifacts_file_ = "artifacts.zip";
    std::vector<std::string> environment_, artifacts_;
    std::uint64_t id_ = 0;
    double timeout_ = 0;
    bool stdin_ = false, json_ = false;
};

}  // namespace strowger::app
