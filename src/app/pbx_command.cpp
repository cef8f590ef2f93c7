#include <fmt/format.h>

#include <csignal>
#include <cstdio>
#include <iostream>

#include "app/commands.hpp"
#include "base/log.hpp"
#include "io/loop.hpp"
#include "io/time_slice.hpp"
#include "pbx/cli.hpp"
#include "pbx/lint.hpp"
#include "pbx/load_configuration.hpp"

namespace strowger::app {

int run_pbx(pbx::Exchange::Options options) {
    io::ask_for_short_time_slice();
    for (bool again = true; again;) {
        io::Loop loop;
        auto exchange = pbx::Exchange::start(loop, options);
        if (!exchange) {
            fmt::print(stderr, "strowger pbx: {}\n", exchange.error().text());
            return failure;
        }
        for (const int number : {SIGTERM, SIGINT})
            loop.on_signal(number, [&](int) { (*exchange)->stop(); });
        loop.on_signal(SIGHUP, [&](int) { (void)(*exchange)->reload(); });
        loop.run();
        again = (*exchange)->restarts();
    }
    return success;
}

int check_configuration(const pbx::Exchange::Options& options) {
    const auto& directory = options.config_directory;
    const auto [config, plan] = pbx::load_configuration(directory);
    pbx::lint_sounds(*config, *plan, options.sounds(), config->diagnostics);
    fmt::print("{}", config->diagnostics.text());
    const auto errors = config->diagnostics.errors();
    fmt::print("{}: {} endpoints, {} contexts, {} priorities; {} errors, {} warnings\n", directory,
               config->endpoints.size(), plan->contexts().size(), plan->steps(), errors,
               config->diagnostics.all().size() - errors);
    return errors == 0 ? success : failure;
}

int ask_exchange(const std::string& state_directory, const std::string& command) {
    const auto reply = pbx::ask(pbx::cli_socket(state_directory), command);
    if (!reply) {
        const auto& text = reply.error().text();
        fmt::print(stderr, "{}{}", text, text.ends_with('\n') ? "" : "\n");
        return failure;
    }
    fmt::print("{}", *reply);
    return success;
}

int talk_to_exchange(const std::string& state_directory) {
    const auto socket = pbx::cli_socket(state_directory);
    if (auto version = pbx::ask(socket, "core show version"); !version) {
        fmt::print(stderr, "{}\n", version.error().text());
        return failure;
    } else {
        fmt::print("{}Connected. 'core show help' lists the commands; end with 'exit'.\n",
                   *version);
    }
    std::string line;
    for (;;) {
        fmt::print("strowger> ");
        std::fflush(stdout);
        if (!std::getline(std::cin, line) || line == "exit" || line == "quit") break;
        const auto reply = pbx::ask(socket, line);
        fmt::print("{}", reply ? *reply : reply.error().text());
    }
    return success;
}

}  // namespace strowger::app
