#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "broker/options.hpp"
#include "io/http.hpp"

namespace strowger::broker {

enum class Role { run = 1, upload = 2, provide = 4, admin = 8 };

/// Who asks, as far as a request tells.
struct Who {
    std::string token;  ///< its name; empty when nobody needs one
    std::string address;
    bool admin = false;
    Scheduler::Quota quota;
    std::size_t stored = 0;  ///< bytes of files it may have; 0: no limit

    /// Whose turn it is in the queue: the token, or without one the address.
    const std::string& tenant() const { return token.empty() ? address : token; }
};

/// Who may do what: bearer tokens with roles and quotas, allowed origins, trusted proxies.
///
/// Without a file of tokens everybody on this machine may do everything, and others only if `open`.
/// The file is INI: a section a token, with `secret` (or `sha256`, the secret's digest in
/// hexadecimal), `roles` (run, upload, provide, admin), and the quotas `queue`, `concurrency`,
/// `rate` (tasks a second) and `stored` (MiB of files).
class Access {
public:
    static constexpr std::size_t max_tokens = 10'000;
    static constexpr std::size_t shortest_secret = 16;  ///< below it, guessing becomes worth while

    static Result<Access> load(const Options& options);

    /// The error's code is an HTTP status: 401 without a good token, 403 with one that may not.
    Result<Who> check(const io::HttpRequest& request, Role role) const;
    /// Takes one task off the token's rate; false: too many.
    bool take(const Who& who, Time now);
    Scheduler::Quota quota_of(const std::string& token) const;  ///< by its name
    /// Whether a page of that origin may open a provider's socket here.
    bool origin_allowed(const io::HttpRequest& request) const;
    bool open_to_all() const { return tokens_.empty(); }

private:
    struct Token {
        std::string name;
        unsigned roles = 0;
        Scheduler::Quota quota;
        std::size_t stored = 0;
        double rate = 0;  // tasks a second; 0: no limit
        double left = 0;
        Time filled{};
    };
    std::string address_of(const io::HttpRequest& request) const;

    bool open_ = false;
    std::vector<Cidr> proxies_;
    std::vector<std::string> origins_;
    std::map<std::string, Token> tokens_;         // by the digest of the secret
    std::map<std::string, std::string> digests_;  // by the name
};

}  // namespace strowger::broker
