#include "app/echo_command.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <csignal>

#include "app/commands.hpp"
#include "app/log_options.hpp"
#include "base/log.hpp"
#include "echo/client.hpp"
#include "echo/load.hpp"
#include "echo/server.hpp"
#include "io/time_slice.hpp"

namespace strowger::app {

struct EchoCommand::Options {
    CLI::App* echo = nullptr;
    CLI::App* server = nullptr;
    CLI::App* client = nullptr;
    CLI::App* load = nullptr;

    std::string host = "::";
    std::uint16_t port = 8080, udp_port = 0;
    std::string udp_host;
    std::vector<std::string> announced;
    echo::Server::Options serve;
    LogOptions log;

    std::string positional_url, option_url;
    unsigned limit = 10, seconds = 10, media_seconds = 3;
    echo::ClientOptions call;
    echo::LoadOptions many;
};

namespace {

std::string check_ip(const std::string& text) {
    return IpAddress::parse(text) ? std::string() : "'" + text + "' is no IP address";
}

void add_server_options(CLI::App& app, auto& o) {
    app.add_option("--host", o.host, "address to take offers on; :: is every address, IPv4 too")
        ->check(check_ip)
        ->capture_default_str();
    app.add_option("--port", o.port, "TCP port of HTTP; 0: any")->capture_default_str();
    app.add_option("--certificate", o.serve.certificate, "PEM file: HTTPS instead of HTTP");
    app.add_option("--key", o.serve.key, "PEM file of its key (default: in the certificate's)");
    app.add_option("--udp-host", o.udp_host, "address for WebRTC (default: that of --host)")
        ->check(check_ip);
    app.add_option("--udp-port", o.udp_port,
                   "UDP port of all sessions; 0: the same number as --port")
        ->capture_default_str();
    app.add_option("--announce", o.announced,
                   "addresses to name in answers instead of this host's own")
        ->check(check_ip);
    app.add_option("--max-sessions", o.serve.max_sessions, "sessions at once; beyond: 503")
        ->capture_default_str();
    app.add_option("--max-sessions-per-source", o.serve.max_per_source,
                   "of those, sessions that one address asked for")
        ->capture_default_str();
    app.add_flag("--ice-lite", o.serve.lite, "answer connectivity checks and make none");
    o.log.add_to(app);
}

void add_client_options(CLI::App& app, auto& o) {
    app.add_option("url", o.positional_url,
                   "the server's offer URL (default: http://localhost:8080/offer)");
    app.add_option("-s,--server", o.option_url, "the same as an option");
    app.add_option("-t,--test", o.call.test,
                   "0: a connection, 1: a text on a channel, 2: packets of sound")
        ->check(CLI::Range(0, 2))
        ->capture_default_str();
    app.add_option("--limit", o.limit, "seconds to connect in")->capture_default_str();
    app.add_option("--media-time", o.media_seconds, "seconds of sound in test 2")
        ->capture_default_str();
    app.add_option("--max-loss", o.call.max_loss, "percent of them that may be lost")
        ->capture_default_str();
    app.add_flag("--insecure", o.call.caller.insecure, "take any certificate of an HTTPS server");
    app.footer(
        "Of a server whose candidates are .local names none is resolved: its own checks reach us.");
}

void add_load_options(CLI::App& app, auto& o) {
    app.add_option("url", o.positional_url,
                   "the server's offer URL (default: http://localhost:8080/offer)");
    app.add_option("--sessions", o.many.sessions, "sessions at once")->capture_default_str();
    app.add_option("--seconds", o.seconds, "how long, once all are connected")
        ->capture_default_str();
    app.add_option("--at-once", o.many.at_once, "sessions that are being set up at a time")
        ->check(CLI::Range(1, 1000))
        ->capture_default_str();
    app.add_option("--message-size", o.many.message_size,
                   "bytes: messages on a channel instead of sound")
        ->check(CLI::Range(0, 262144))
        ->capture_default_str();
    app.add_option("--in-flight", o.many.in_flight, "messages of a session at a time")
        ->check(CLI::Range(1, 4096))
        ->capture_default_str();
    app.add_flag("--silent", o.many.silent, "connections alone, nothing is sent in them");
}

}  // namespace

EchoCommand::EchoCommand(CLI::App& app) : options_(std::make_unique<Options>()) {
    auto& o = *options_;
    o.echo = app.add_subcommand("echo", "A WebRTC peer that sends back what it gets");
    o.echo->require_subcommand(1);
    o.server = o.echo->add_subcommand("server", "Takes offers by HTTP and sends back what comes");
    add_server_options(*o.server, o);
    o.client = o.echo->add_subcommand("client", "Tests an echo server; status 0 or 1 tells");
    add_client_options(*o.client, o);
    o.load = o.echo->add_subcommand("load", "Many sessions at once, and what became of them");
    add_load_options(*o.load, o);
}

EchoCommand::~EchoCommand() = default;

bool EchoCommand::chosen() const { return options_->echo->parsed(); }

std::vector<std::string> EchoCommand::arguments(int argc, char** argv) {
    std::vector<std::string> all(argv + std::min(argc, 1), argv + argc);
    if (!is_client(all)) return all;
    auto words = echo::split_arguments({all.begin() + 2, all.end()});
    words.insert(words.begin(), all.begin(), all.begin() + 2);
    return words;
}

bool EchoCommand::is_client(const std::vector<std::string>& arguments) {
    return arguments.size() >= 2 && arguments[0] == "echo" && arguments[1] == "client";
}

int EchoCommand::run() {
    auto& o = *options_;
    if (*o.server) return run_server();
    const auto& url = o.option_url.empty() ? o.positional_url : o.option_url;
    if (*o.client) {
        if (!url.empty()) o.call.caller.url = url;
        o.call.caller.limit = std::chrono::seconds{o.limit};
        o.call.media_time = std::chrono::seconds{o.media_seconds};
        return echo::run_client(o.call) ? success : failure;
    }
    if (!url.empty()) o.many.caller.url = url;
    o.many.time = std::chrono::seconds{o.seconds};
    return echo::run_load(o.many) ? success : failure;
}

int EchoCommand::run_server() {
    auto& o = *options_;
    o.log.apply();
    for (const auto& address : o.announced) o.serve.announced.push_back(*IpAddress::parse(address));
    o.serve.http = {*IpAddress::parse(o.host), o.port};
    o.serve.udp = {*IpAddress::parse(o.udp_host.empty() ? o.host : o.udp_host), o.udp_port};
    io::ask_for_short_time_slice();
    io::Loop loop;
    auto server = echo::Server::start(loop, o.serve);
    if (!server && o.serve.http.ip == IpAddress::any_v6()) {  // a machine without IPv6
        o.serve.http.ip = IpAddress::any_v4();
        if (o.udp_host.empty()) o.serve.udp.ip = IpAddress::any_v4();
        server = echo::Server::start(loop, o.serve);
    }
    if (!server) {
        fmt::print(stderr, "strowger echo server: {}\n", server.error().text());
        return failure;
    }
    for (const int number : {SIGTERM, SIGINT}) loop.on_signal(number, [&](int) { loop.stop(); });
    loop.run();
    return success;
}

}  // namespace strowger::app
