#pragma once

#include <string>
#include <vector>

#include "app/log_options.hpp"
#include "broker/options.hpp"

namespace CLI {
class App;
}

namespace strowger::app {

/// `strowger broker`: its options, which the environment (and .env and config.env in the working
/// directory) can give as well, and the service itself.
class BrokerCommand {
public:
    explicit BrokerCommand(CLI::App& app);

    bool chosen() const;
    /// Runs until TERM or INT; HUP reads certificate and tokens again.
    int run();

private:
    CLI::App* command_;
    broker::Options options_;
    std::vector<std::string> origins_, proxies_{"127.0.0.0/8", "::1"};
    LogOptions log_;
    double ping_timeout_ = 15, longest_task_ = 24 * 3600, quic_lifetime_ = 14 * 24 * 3600;
    std::size_t megabytes_a_file_ = 64, megabytes_stored_ = 4096, megabytes_in_memory_ = 512,
                megabytes_shared_ = 1024, megabytes_cached_ = 64;
};

}  // namespace strowger::app
