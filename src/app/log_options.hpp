#pragma once

#include <string>

namespace CLI {
class App;
}

namespace strowger::app {

/// `--log-level` and `--log-format`, which the services have in common.
class LogOptions {
public:
    /// Must stay where it is until the command line is parsed.
    void add_to(CLI::App& command);
    void apply() const;

private:
    std::string level_ = "notice", format_ = "text";
};

}  // namespace strowger::app
