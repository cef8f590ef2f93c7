#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "app/commands.hpp"
#include "base/log.hpp"
#include "base/version.hpp"
#include "io/disk_files.hpp"
#include "io/loop.hpp"
#include "io/open_files.hpp"
#include "recorder/options.hpp"
#include "recorder/service.hpp"

namespace strowger::app {
namespace {

// As rtpengine-recording ends when it cannot understand its options.
constexpr int bad_options = 255;

// What rtpengine's numbers for log levels (those of syslog) mean here.
log::Level level_of(int number) {
    if (number >= 7) return log::Level::debug;
    if (number >= 5) return log::Level::notice;
    return number == 4 ? log::Level::warning : log::Level::error;
}

}  // namespace

int run_recorder(const std::vector<std::string>& arguments) {
    io::DiskFileSource files;
    auto configured =
        recorder::configure(arguments, {files, [](const char* name) { return std::getenv(name); }});
    if (!configured) {
        fmt::print(stderr, "strowger recorder: {}\n", configured.error().text());
        return bad_options;
    }
    if (configured->wants_help) fmt::print("{}", recorder::help_text());
    if (configured->wants_version) fmt::print("Version: {}\n", version);
    if (configured->wants_help || configured->wants_version) return success;

    log::configure(log::Format::text, level_of(configured->settings.log_level));
    for (const auto& name : configured->ignored)
        LOG_NOTICE((log::About{"recorder"}), "option '{}' has no meaning here and is ignored",
                   name);
    (void)io::raise_open_files();
    io::Loop loop;
    const auto pidfile = configured->settings.pidfile;
    const auto spool = configured->settings.spool;
    auto service = recorder::Service::start(loop, std::move(configured->settings));
    if (!service) {
        fmt::print(stderr, "strowger recorder: {}\n", service.error().text());
        return failure;
    }
    if (!pidfile.empty()) std::ofstream(pidfile) << ::getpid() << "\n";
    for (const int number : {SIGTERM, SIGINT}) loop.on_signal(number, [&](int) { loop.stop(); });
    // A full disk (or a limit on files) is told by the write that fails.
    std::signal(SIGXFSZ, SIG_IGN);
    LOG_NOTICE((log::About{"recorder"}), "recording what comes to {}", spool);
    loop.run();
    return success;
}

}  // namespace strowger::app
