#pragma once

#include <string>
#include <vector>

#include "pbx/exchange.hpp"

namespace strowger::app {

/// Exit statuses of the program, as scripts see them.
enum ExitStatus { success = 0, failure = 1, usage = 2 };

/// `strowger pbx`: runs until TERM or INT; HUP reloads.
int run_pbx(pbx::Exchange::Options options);
/// `strowger pbx --check`: what is wrong with a configuration directory, on standard output.
int check_configuration(const pbx::Exchange::Options& options);
/// `strowger -rx COMMAND`.
int ask_exchange(const std::string& state_directory, const std::string& command);
/// `strowger -r`: commands from standard input until its end.
int talk_to_exchange(const std::string& state_directory);
/// `strowger health URL`: whether a service's health page answers with a success (2xx), or, as
/// `ng://ADDRESS:PORT`, whether a relay answers a ping of the NG protocol over UDP.
/// `any_certificate`: a service is asked by an address that its certificate does not name.
int check_health(const std::string& url, bool any_certificate);
/// `strowger relay`, with its own options: runs until TERM or INT; HUP reloads.
int run_relay(const std::vector<std::string>& arguments);
/// `strowger recorder`, with its own options: runs until TERM or INT.
int run_recorder(const std::vector<std::string>& arguments);
/// `strowger relay ctl`: one command to a running relay.
int ask_relay(const std::vector<std::string>& arguments);
/// `strowger compare SENT HEARD`: how much of the speech arrived. Failure when it is not the same
/// speech.
int compare_speech(const std::string& sent, const std::string& heard, bool json);

}  // namespace strowger::app
