#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <utility>

#include "app/commands.hpp"
#include "base/log.hpp"
#include "base/version.hpp"
#include "io/disk_files.hpp"
#include "io/file.hpp"
#include "io/line_stream.hpp"
#include "io/loop.hpp"
#include "io/open_files.hpp"
#include "io/time_slice.hpp"
#include "media/codec/codec.hpp"
#include "relay/options.hpp"
#include "relay/server.hpp"

namespace strowger::app {
namespace {

// As rtpengine ends when it cannot understand its options.
constexpr int bad_options = 255;

constexpr std::string_view standard_command_line = "127.0.0.1:9900";

Result<relay::Configured> read(const std::vector<std::string>& arguments) {
    io::DiskFileSource files;
    return relay::configure(arguments, {files, [](const char* name) { return std::getenv(name); }});
}

// One a line, with what is done to it; those that are not here go through as they are.
void list_codecs() {
    std::string_view before;
    for (const auto& one : codec::all()) {
        if (std::exchange(before, one.name) == one.name) continue;
        const auto support =
            codec::support_of({std::string(one.name), one.clock_rate, one.channels, {}});
        fmt::print("{:>20}: {}\n", one.name,
                   support.decodes && support.encodes ? "fully supported"
                   : support.decodes                  ? "supported for decoding only"
                   : support.encodes                  ? "supported for encoding only"
                                                      : "not supported");
    }
    fmt::print("{:>20}: fully supported\n", "telephone-event");
}

}  // namespace

int run_relay(const std::vector<std::string>& arguments) {
    if (!arguments.empty() && arguments[0] == "ctl")
        return ask_relay({arguments.begin() + 1, arguments.end()});
    auto configured = read(arguments);
    if (!configured) {
        fmt::print(stderr, "strowger relay: {}\n", configured.error().text());
        return bad_options;
    }
    if (configured->wants_help) fmt::print("{}", relay::help_text());
    if (configured->wants_version) fmt::print("Version: {}\n", version);
    if (configured->wants_codecs) list_codecs();
    if (configured->wants_help || configured->wants_version || configured->wants_codecs)
        return success;

    log::configure(log::Format::text, relay::level_of(configured->settings.log_level));
    for (const auto& name : configured->ignored)
        LOG_NOTICE((log::About{"relay"}), "option '{}' has no meaning here and is ignored", name);
    const auto files = io::raise_open_files();
    io::ask_for_short_time_slice();
    io::Loop loop;
    auto server = relay::Server::start(loop, configured->settings);
    if (!server) {
        fmt::print(stderr, "strowger relay: {}\n", server.error().text());
        return failure;
    }
    if (!configured->settings.pidfile.empty())
        std::ofstream(configured->settings.pidfile) << ::getpid() << "\n";
    for (const int number : {SIGTERM, SIGINT}) loop.on_signal(number, [&](int) { loop.stop(); });
    loop.on_signal(SIGHUP, [&](int) {
        const auto again = read(arguments);
        if (again)
            (*server)->reload(again->settings);
        else
            LOG_ERROR((log::About{"relay"}), "not reloaded: {}", again.error().text());
    });
    LOG_NOTICE((log::About{"relay"}), "serving, with {} open files at most", files);
    loop.run();
    return success;
}

int ask_relay(const std::vector<std::string>& arguments) {
    std::string address(standard_command_line), command;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        if ((arguments[i] == "--address" || arguments[i] == "-ip") && i + 1 < arguments.size())
            address = arguments[++i];
        else
            command += (command.empty() ? "" : " ") + arguments[i];
    }
    const auto where = SocketAddress::parse(address, 9900);
    if (!where) {
        fmt::print(stderr, "'{}' is not ADDRESS:PORT\n", address);
        return usage;
    }
    io::Loop loop;
    int status = failure;
    std::string reply;
    bool connected = false;
    io::Stream::Handlers handlers{.connected = [&] { connected = true; },
                                  .bytes = [&](Bytes bytes) { reply += as_text(bytes); },
                                  .closed =
                                      [&](const Error& error) {
                                          status = connected ? success : failure;
                                          if (!connected)
                                              fmt::print(stderr, "{}: {}\n", address, error.text());
                                          loop.stop();
                                      }};
    auto stream = io::Stream::connect(loop, *where, {}, handlers);
    stream->send(command + "\n");
    loop.run();
    fmt::print("{}", reply);
    return status == success && reply.starts_with("Unknown") ? failure : status;
}

}  // namespace strowger::app
