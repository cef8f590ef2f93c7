#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/address.hpp"
#include "base/result.hpp"
#include "base/task.hpp"
#include "io/loop.hpp"
#include "io/srv_order.hpp"

namespace strowger::io {

/// DNS without blocking (c-ares), with a cache that honours TTLs within bounds. An awaiting task
/// may be destroyed at any time; the resolver outlives the tasks.
class Resolver {
public:
    struct Options {
        std::vector<SocketAddress> servers = {};  ///< empty: those of /etc/resolv.conf
        Duration timeout =
            std::chrono::seconds{2};  ///< of the first try; c-ares lengthens later ones
        int tries = 3;
        std::size_t max_cached = 4096;  ///< names; the cache is emptied of the oldest beyond
        Duration min_ttl = std::chrono::seconds{5};  ///< a TTL of 0 must not make each call ask
        Duration max_ttl = std::chrono::hours{1};
        Duration negative_ttl = std::chrono::seconds{30};  ///< "no such name" (not failures)
        std::string hosts_file = "/etc/hosts";
    };
    /// Error codes: not_found means the name or record type does not exist, temporary that no
    /// server gave an answer.
    static constexpr int not_found = 404;
    static constexpr int temporary = 503;
    /// Records taken from one answer; an answer with more is cut, since nobody tries them all.
    static constexpr std::size_t max_records = 64;

    Resolver(Loop& loop, Options options);
    ~Resolver();

    Task<Result<std::vector<IpAddress>>> a(std::string name);
    Task<Result<std::vector<IpAddress>>> aaaa(std::string name);
    Task<Result<std::vector<SrvRecord>>> srv(std::string name);  ///< "_sip._udp.example.com"
    Task<Result<std::vector<NaptrRecord>>> naptr(std::string name);
    /// Each record's character-strings joined (RFC 7208 section 3.3 says why).
    Task<Result<std::vector<std::string>>> txt(std::string name);
    /// Literals and the hosts file without network, else A and AAAA together; IPv4 first.
    Task<Result<std::vector<IpAddress>>> addresses(std::string host);

    void clear_cache();

private:
    struct Impl;
    std::shared_ptr<Impl> impl_;  // shared with queries in flight
};

}  // namespace strowger::io
