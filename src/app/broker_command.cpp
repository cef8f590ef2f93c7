#include "app/broker_command.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdlib>

#include "app/commands.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "broker/broker.hpp"
#include "io/file.hpp"
#include "io/time_slice.hpp"

namespace strowger::app {

namespace {

constexpr log::About about{"broker"};
constexpr std::string_view variable_prefix = "WASIMOFF_";
constexpr std::size_t longest_environment_file = 64 << 10;

// KEY=VALUE lines, perhaps quoted, perhaps after "export"; what is in the environment stays.
void read_environment_file(const char* name) {
    const auto text = io::read_file(name, longest_environment_file);
    if (!text) return;
    for (auto line : split(*text, '\n')) {
        line = trim(line);
        if (line.starts_with("export ")) line = trim(line.substr(7));
        const auto [key, rest] = split_once(line, '=');
        auto value = trim(rest);
        if (!key.starts_with(variable_prefix)) continue;
        if (value.size() >= 2 && (value.front() == '"' || value.front() == '\'') &&
            value.back() == value.front())
            value = value.substr(1, value.size() - 2);
        setenv(std::string(trim(key)).c_str(), std::string(value).c_str(), 0);
    }
}

Duration seconds_of(double seconds) { return scale(std::chrono::seconds{1}, seconds); }

}  // namespace

BrokerCommand::BrokerCommand(CLI::App& app) {
    for (const auto* name : {".env", "config.env"}) read_environment_file(name);
    command_ = app.add_subcommand("broker", "Gives WebAssembly tasks to browsers and servers");
    auto& o = options_;
    const auto add = [&](const std::string& name, auto& value, const std::string& variable,
                         const std::string& what) {
        return command_->add_option(name, value, what)
            ->envname(std::string(variable_prefix) + variable)
            ->capture_default_str();
    };
    add("--listen", o.listen, "HTTP_LISTEN", "HOST:PORT; without HOST every address");
    add("--cert", o.certificate, "HTTP_CERT", "certificate, PEM; HUP reads it again");
    add("--key", o.key, "HTTP_KEY", "its key, PEM");
    add("--allowed-origins", origins_, "ALLOWED_ORIGINS", "hosts, with *, whose pages may provide")
        ->delimiter(',');
    add("--trusted-proxies", proxies_, "TRUSTED_PROXIES",
        "networks whose X-Real-IP and X-Forwarded-For count")
        ->delimiter(',');
    add("--static-files", o.static_files, "STATIC_FILES", "directory of the provider's page");
    add("--storage", o.storage, "FILESTORAGE", ":memory:, a directory or boltdb://FILE");
    add("--tokens", o.tokens, "TOKENS", "file of tokens; without it nobody needs one");
    command_->add_flag("--open", o.open, "without tokens, serve other machines too")
        ->envname("WASIMOFF_OPEN");
    command_->add_flag("--metrics", o.metrics, "serve /metrics")->envname("WASIMOFF_METRICS");
    command_->add_flag("--debug", o.debug, "serve /debug/pprof/ to admins")
        ->envname("WASIMOFF_DEBUG");
    add("--benchmode", o.benchmode, "BENCHMODE",
        "tasks of its own that run at all times, once a tsp.wasm is stored")
        ->check(CLI::Range(std::size_t{0}, broker::OwnLoad::most));
    add("--queue", o.scheduler.max_waiting, "QUEUE", "tasks that may wait");
    add("--attempts", o.scheduler.max_attempts, "ATTEMPTS", "of a task whose call fails")
        ->check(CLI::Range(1, 100));
    add("--prefetch", o.scheduler.prefetch, "PREFETCH", "short tasks sent ahead to a busy provider")
        ->check(CLI::Range(0, 16));
    add("--second-copy", o.scheduler.second_copy, "SECOND_COPY",
        "a task late by this factor is begun a second time elsewhere; 0: never")
        ->check(CLI::Range(0.0, 1000.0));
    add("--ping-timeout", ping_timeout_, "PING_TIMEOUT",
        "seconds of silence after which a provider is dropped")
        ->check(CLI::Range(1.0, 3600.0));
    add("--longest-task", longest_task_, "LONGEST_TASK",
        "seconds after which a task without a deadline is given up")
        ->check(CLI::Range(0.001, 1e7));
    add("--max-file", megabytes_a_file_, "MAX_FILE", "MiB of one file, message or body")
        ->check(CLI::Range(1, 1024));
    add("--max-stored", megabytes_stored_, "MAX_STORED", "MiB of all files in a directory");
    add("--max-memory", megabytes_in_memory_, "MAX_MEMORY", "MiB of all files in memory");
    add("--max-kept-results", megabytes_cached_, "MAX_KEPT_RESULTS",
        "MiB of results of deterministic tasks");
    add("--agreement", o.agreement, "AGREEMENT",
        "providers that must give the same result for a deterministic task")
        ->check(CLI::Range(1, 5));
    add("--redis", o.redis, "REDIS",
        "redis://HOST:PORT that several brokers share queue, files and results by");
    add("--redis-ca", o.redis_ca, "REDIS_CA",
        "PEM of who signs the certificate of a rediss:// server; without it those the system "
        "trusts");
    add("--max-shared", megabytes_shared_, "MAX_SHARED", "MiB of all files in Redis");
    add("--cloud-function", o.cloud_function, "CLOUD_FUNCTION",
        "URL that gets the WASI tasks which no provider has room for");
    add("--cloud-credentials", o.cloud_credentials, "CLOUD_CREDENTIALS",
        "JSON file with the key of the account that may call it");
    add("--cloud-concurrency", o.cloud_concurrency, "CLOUD_CONCURRENCY", "tasks there at once")
        ->check(CLI::Range(1, 4096));
    add("--max-providers", o.max_providers, "MAX_PROVIDERS", "providers at once");
    add("--max-clients", o.max_clients, "MAX_CLIENTS", "client WebSockets at once");
    add("--quic-listen", o.quic_listen, "QUIC_LISTEN",
        "HOST:PORT for WebTransport, or none; without it localhost:4443 if that is free");
    add("--quic-cert", o.quic_certificate, "QUIC_CERT",
        "its certificate, PEM; HUP reads it again; without it one is made");
    add("--quic-key", o.quic_key, "QUIC_KEY", "its key, PEM");
    command_->add_flag("--https", o.https, "the same pair on the HTTP port")
        ->envname("WASIMOFF_HTTPS");
    add("--transport-url", o.transport_url, "TRANSPORT_URL",
        "URL that providers are told; https://localhost:PORT/transport");
    add("--quic-lifetime", quic_lifetime_, "QUIC_LIFETIME",
        "seconds that a certificate made here is valid")
        ->check(CLI::Range(1.0, 1209600.0));
    log_.add_to(*command_);
}

bool BrokerCommand::chosen() const { return command_->parsed(); }

int BrokerCommand::run() {
    log_.apply();
    options_.allowed_origins = origins_;
    options_.max_file = megabytes_a_file_ << 20;
    options_.max_stored = megabytes_stored_ << 20;
    options_.max_cached = megabytes_cached_ << 20;
    options_.max_shared = megabytes_shared_ << 20;
    options_.max_memory = megabytes_in_memory_ << 20;
    options_.scheduler.ping_timeout = seconds_of(ping_timeout_);
    // Half of it at most, so that a lost answer is noticed and the next one still in time.
    options_.scheduler.ping_interval =
        std::min(options_.scheduler.ping_interval, options_.scheduler.ping_timeout / 2);
    options_.scheduler.longest_task = seconds_of(longest_task_);
    options_.quic_lifetime = seconds_of(quic_lifetime_);
    for (const auto& text : proxies_) {
        auto range = Cidr::parse(text);
        if (!range) {
            fmt::print(stderr, "strowger broker: --trusted-proxies: {}\n", range.error().text());
            return usage;
        }
        options_.trusted_proxies.push_back(*range);
    }
    io::ask_for_short_time_slice();
    io::Loop loop;
    auto broker = broker::Broker::start(loop, options_);
    if (!broker) {
        fmt::print(stderr, "strowger broker: {}\n", broker.error().text());
        return failure;
    }
    for (const int number : {SIGTERM, SIGINT})
        loop.on_signal(number, [&](int) { (*broker)->leave([&] { loop.stop(); }); });
    loop.on_signal(SIGHUP, [&](int) { (*broker)->reload(); });
    loop.run();
    return success;
}

}  // namespace strowger::app
