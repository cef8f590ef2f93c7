#pragma once

#include <string>
#include <vector>

#include "base/address.hpp"
#include "broker/scheduler.hpp"

namespace strowger::broker {

/// What a broker is told when it starts. Each has an option of the command line and a variable of
/// the environment; docs/broker.md lists them.
struct Options {
    std::string listen = "localhost:4080";
    std::string certificate, key;  ///< PEM; both or none
    std::vector<std::string> allowed_origins;
    std::vector<Cidr> trusted_proxies;  ///< whose X-Real-IP and X-Forwarded-For count
    std::string static_files = "web/dist";
    std::string storage = ":memory:";
    std::string tokens;  ///< file of tokens; empty: everybody may do everything
    bool open = false;   ///< without tokens, serve others than this machine too
    bool metrics = false;
    bool debug = false;         ///< serve /debug/pprof/ to admins
    std::size_t benchmode = 0;  ///< tasks of its own that run at all times

    /// HOST:PORT for WebTransport; "none": without it. Empty: localhost:4443, if that is free.
    std::string quic_listen;
    std::string quic_certificate, quic_key;  ///< PEM; empty: made here, and known by their hash
    bool https = false;                      ///< the same pair on the HTTP port
    std::string transport_url;  ///< that providers are told; empty: localhost and the port
    Duration quic_lifetime = std::chrono::days{14};  ///< of certificates made here

    Scheduler::Config scheduler;
    std::size_t max_file = 64 << 20;        ///< one stored file, and so one message and one body
    std::size_t max_stored = 4ULL << 30;    ///< all stored files on disk
    std::size_t max_memory = 512ULL << 20;  ///< all stored files in memory
    std::string redis;                      ///< URL of what several brokers share; empty: none
    std::string redis_ca;                   ///< PEM, for rediss://; empty: what the system trusts
    std::size_t max_shared = 1ULL << 30;    ///< all stored files in Redis
    std::size_t max_cached = 64 << 20;      ///< results of deterministic tasks
    std::size_t agreement = 1;              ///< providers that must agree on one
    std::string cloud_function;     ///< URL that runs what no provider has room for; empty: none
    std::string cloud_credentials;  ///< file of an account's key, JSON; empty: none are needed
    std::uint32_t cloud_concurrency = 32;
    std::size_t max_providers = 4096;
    std::size_t max_clients = 1024;  ///< client WebSockets
};

}  // namespace strowger::broker
