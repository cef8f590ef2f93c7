#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>

#include "app/broker_command.hpp"
#include "app/commands.hpp"
#include "app/echo_command.hpp"
#include "app/log_options.hpp"
#include "app/task_command.hpp"
#include "base/log.hpp"
#include "base/version.hpp"

namespace {

using namespace strowger;

// CLI11 checks it while it parses, so a bad address is a usage error with the option's name.
std::string check_address(const std::string& text) {
    return SocketAddress::parse(text) ? std::string() : "'" + text + "' is not ADDRESS:PORT";
}

int run(int argc, char** argv) {
    CLI::App app{"Strowger, an automatic exchange for calls, media and compute."};
    app.require_subcommand(0, 1);
    app.footer("strowger SUBCOMMAND --help tells the options of each.");
    app.set_version_flag("-V,--version", fmt::format("Strowger {}", version));

    std::string state = "/var/lib/strowger", command;
    bool remote = false;
    app.add_option("--state", state, "state directory of the exchange to talk to")
        ->capture_default_str();
    app.add_flag("-r", remote, "talk to a running exchange");
    app.add_option("-x", command, "with -r: one command, then exit; its status is the command's");

    auto* pbx = app.add_subcommand("pbx", "The telephone exchange: SIP phones, trunks, dialplan");
    pbx::Exchange::Options options;
    std::string bind, http;
    app::LogOptions log_options;
    bool check = false;
    pbx->add_option("--config", options.config_directory, "configuration directory")
        ->capture_default_str();
    pbx->add_option("--state", options.state_directory,
                    "directory of what outlives a restart, and of the control socket")
        ->capture_default_str();
    pbx->add_option("--bind", bind,
                    "ADDRESS:PORT for every transport instead of the configured ones")
        ->check(check_address);
    pbx->add_option("--http", http,
                    "ADDRESS:PORT to serve /metrics and /healthz on (default: not served)")
        ->check(check_address);
    pbx->add_option("--recordings", options.recordings,
                    "directory of relative recording names (default: STATE/monitor)");
    pbx->add_option("--sounds", options.sound_directories,
                    "directories of prompts, searched before the usual ones");
    pbx->add_option("--media-threads", options.media_threads,
                    "threads that move packets; 0: one a core")
        ->capture_default_str();
    log_options.add_to(*pbx);
    pbx->add_flag(
        "--check", check,
        "only tell what is wrong with the configuration; status 1 when it would be refused");

    app.add_subcommand("relay", "The media relay: rtpengine's control protocol and options");

    app.add_subcommand("recorder", "The recorder: files of sound of what the relay records");

    auto* compare = app.add_subcommand("compare", "How well recorded speech matches what was sent");
    std::string sent, heard;
    bool json = false;
    compare->add_option("sent", sent, "WAV that was sent")->required();
    compare->add_option("heard", heard, "WAV that arrived")->required();
    compare->add_flag("--json", json, "for machines");

    auto* health = app.add_subcommand("health", "Whether a service answers its health page");
    std::string url;
    health
        ->add_option("URL", url,
                     "http://127.0.0.1:8088/healthz, or ng://127.0.0.1:22222 of a relay")
        ->required();
    bool any_certificate = false;
    health->add_flag("--any-certificate", any_certificate,
                     "https: take any certificate; none names 127.0.0.1");

    app::EchoCommand echo(app);
    app::BrokerCommand broker(app);
    app::TaskCommand task(app);

    auto arguments = app::EchoCommand::arguments(argc, argv);
    const int wrong_usage = app::EchoCommand::is_client(arguments) ? app::failure : app::usage;
    std::reverse(arguments.begin(), arguments.end());  // as CLI11 wants them
    try {
        app.parse(std::move(arguments));
    } catch (const CLI::ParseError& error) {
        const int status = app.exit(error);
        return status == 0 ? app::success : wrong_usage;
    }
    if (echo.chosen()) return echo.run();
    if (*pbx) {
        if (check) return app::check_configuration(options);
        log_options.apply();
        if (!bind.empty()) options.bind = SocketAddress::parse(bind);
        if (!http.empty()) options.http = SocketAddress::parse(http);
        return app::run_pbx(std::move(options));
    }
    if (broker.chosen()) return broker.run();
    if (task.chosen()) return task.run();
    if (*compare) return app::compare_speech(sent, heard, json);
    if (*health) return app::check_health(url, any_certificate);
    if (remote || !command.empty())
        return command.empty() ? app::talk_to_exchange(state) : app::ask_exchange(state, command);
    fmt::print("{}", app.help());
    return app::usage;
}

}  // namespace

int main(int argc, char** argv) {
    // Linked to the names of what it stands in for, it is that, so that scripts go on working.
    const auto name = std::filesystem::path(argc > 0 ? argv[0] : "").filename();
    if (name == "rtpengine") return app::run_relay({argv + 1, argv + argc});
    if (name == "rtpengine-ctl") return app::ask_relay({argv + 1, argv + argc});
    if (name == "rtpengine-recording") return app::run_recorder({argv + 1, argv + argc});
    // Its options are those of rtpengine, letter for letter, which are not read as the others are.
    if (argc > 1 && std::string_view(argv[1]) == "relay")
        return app::run_relay({argv + 2, argv + argc});
    if (argc > 1 && std::string_view(argv[1]) == "recorder")
        return app::run_recorder({argv + 2, argv + argc});
    return run(argc, argv);
}
