#include "app/log_options.hpp"

#include <CLI/CLI.hpp>

#include "base/log.hpp"

namespace strowger::app {

void LogOptions::add_to(CLI::App& command) {
    command.add_option("--log-level", level_, "debug, verbose, notice, warning or error")
        ->check(CLI::IsMember({"debug", "verbose", "notice", "warning", "error"}))
        ->capture_default_str();
    command.add_option("--log-format", format_, "text or json")
        ->check(CLI::IsMember({"text", "json"}))
        ->capture_default_str();
}

void LogOptions::apply() const {
    log::configure(format_ == "json" ? log::Format::json : log::Format::text,
                   log::level_by_name(level_, log::Level::notice));
}

}  // namespace strowger::app
