#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "io/stream.hpp"

namespace strowger::pbx {

class Exchange;

/// The command line that looks into a running exchange: commands by their words, served over a Unix
/// socket to `strowger -r` and `-rx`.
class Cli {
public:
    struct Command {
        std::string words;  ///< "pjsip show endpoints"
        std::string usage;  ///< what may follow: "[like pattern]"
        std::string summary;
        /// The words that follow, and the answer. An Error is shown and makes the exit status 1.
        std::function<Result<std::string>(const std::vector<std::string>& arguments)> run;
    };

    explicit Cli(Exchange& exchange);
    ~Cli();

    /// Serves on that path, for the owner only.
    Result<> listen(const std::string& path);

    void add(Command command);
    /// "pjsip show endpoint alice": the longest command that fits runs; abbreviated words do when
    /// only one command fits. Aliases of cli_aliases.conf may be added the same way.
    Result<std::string> execute(std::string_view line) const;
    const std::vector<Command>& commands() const { return commands_; }

private:
    struct Client;

    Exchange& exchange_;
    std::vector<Command> commands_;
    std::unique_ptr<io::Listener> listener_;
    std::vector<std::shared_ptr<Client>> clients_;
};

/// Asks a running exchange over its socket; the text it answers, or the Error it gave.
Result<std::string> ask(const std::string& socket_path, const std::string& command);

/// Where the socket of an exchange with that state directory is.
std::string cli_socket(const std::string& state_directory);

// The commands, a family each.
void add_core_commands(Cli& cli, Exchange& exchange);
void add_pjsip_commands(Cli& cli, Exchange& exchange);
void add_dialplan_commands(Cli& cli, Exchange& exchange);
void add_parking_commands(Cli& cli, Exchange& exchange);
void add_conference_commands(Cli& cli, Exchange& exchange);
void add_queue_commands(Cli& cli, Exchange& exchange);

}  // namespace strowger::pbx
