#include "broker/access.hpp"

#include <algorithm>

#include "base/ini.hpp"
#include "base/text.hpp"
#include "broker/storage.hpp"
#include "io/file.hpp"

namespace strowger::broker {

namespace {

constexpr std::size_t longest_file = 4 << 20;

Result<unsigned> parse_roles(std::string_view text) {
    unsigned roles = 0;
    for (const auto part : split(text, ',')) {
        const auto name = trim(part);
        if (name == "run")
            roles |= static_cast<unsigned>(Role::run);
        else if (name == "upload")
            roles |= static_cast<unsigned>(Role::upload);
        else if (name == "provide")
            roles |= static_cast<unsigned>(Role::provide);
        else if (name == "admin")
            roles |= ~0U;
        else
            return fail("'{}' is none of run, upload, provide and admin", name);
    }
    return roles;
}

std::string digest_of(std::string_view secret) { return ref_of(secret).substr(7); }

// Patterns of hosts with '*' for any part of a name.
bool matches(std::string_view pattern, std::string_view text) {
    std::size_t p = 0, t = 0, star = std::string_view::npos, from = 0;
    while (t < text.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            star = p++;
            from = t;
        } else if (p < pattern.size() && lower(pattern[p]) == lower(text[t])) {
            ++p;
            ++t;
        } else if (star != std::string_view::npos) {
            p = star + 1;
            t = ++from;
        } else {
            return false;
        }
    }
    while (p < pattern.size() && pattern[p] == '*') ++p;
    return p == pattern.size();
}

std::string_view bearer(const io::HttpRequest& request) {
    auto field = request.headers.get("Authorization");
    if (!istarts_with(field, "Bearer ")) return {};
    field.remove_prefix(7);
    return trim(field);
}

}  // namespace

Result<Access> Access::load(const Options& options) {
    Access access;
    access.open_ = options.open;
    access.proxies_ = options.trusted_proxies;
    access.origins_ = options.allowed_origins;
    if (options.tokens.empty()) return access;
    auto text = io::read_file(options.tokens, longest_file);
    if (!text) return std::unexpected(text.error());
    ini::MemoryFiles files;
    files.put(options.tokens, std::move(*text));
    ini::Diagnostics diagnostics;
    const auto document = ini::read(files, options.tokens, {}, diagnostics);
    if (!diagnostics.ok()) return fail("{}", diagnostics.text());
    for (const auto* section : document.sections()) {
        Token token{.name = std::string(section->name)};
        std::string digest;
        for (const auto& entry : section->entries) {
            const auto where = document.where(entry.place);
            const auto number = parse_number<std::size_t>(entry.value);
            if (entry.key == "secret") {
                if (entry.value.size() < shortest_secret)
                    return fail("{}: a secret has at least {} characters", where, shortest_secret);
                digest = digest_of(entry.value);
            } else if (entry.key == "sha256") {
                digest = to_lower(entry.value);
                if (!is_ref("sha256:" + digest))
                    return fail("{}: sha256 is 64 hexadecimal digits", where);
            } else if (entry.key == "roles") {
                const auto roles = parse_roles(entry.value);
                if (!roles) return fail("{}: {}", where, roles.error().text());
                token.roles = *roles;
            } else if (entry.key == "queue" && number) {
                token.quota.waiting = *number;
            } else if (entry.key == "concurrency" && number) {
                token.quota.running = *number;
            } else if (entry.key == "stored" && number && *number < (1U << 30)) {
                token.stored = *number << 20;
            } else if (entry.key == "rate" && number) {
                token.rate = static_cast<double>(*number);
            } else {
                return fail("{}: '{} = {}' is not a setting of a token", where, entry.key,
                            entry.value);
            }
        }
        if (digest.empty())
            return fail("{}: token '{}' has no secret", document.where(section->place), token.name);
        if (access.tokens_.size() >= max_tokens)
            return fail("{}: more than {} tokens", options.tokens, max_tokens);
        access.digests_[token.name] = digest;
        access.tokens_[digest] = std::move(token);
    }
    if (access.tokens_.empty()) return fail("{}: no token in it", options.tokens);
    return access;
}

std::string Access::address_of(const io::HttpRequest& request) const {
    const auto& ip = request.remote.ip;
    const bool proxy =
        std::ranges::any_of(proxies_, [&](const Cidr& range) { return range.contains(ip); });
    if (proxy) {
        if (const auto real = IpAddress::parse(trim(request.headers.get("X-Real-IP"))))
            return real->text();
        // The last one is what the proxy itself saw; those before it are hearsay.
        const auto hops = split(request.headers.get("X-Forwarded-For"), ',');
        if (!hops.empty())
            if (const auto last = IpAddress::parse(trim(hops.back()))) return last->text();
    }
    return ip.text();
}

Result<Who> Access::check(const io::HttpRequest& request, Role role) const {
    Who who{.address = address_of(request)};
    if (tokens_.empty()) {
        const auto ip = IpAddress::parse(who.address);
        if (open_ || (ip && ip->is_loopback() && request.remote.ip.is_loopback())) {
            who.admin = true;
            return who;
        }
        return fail_with(403, "this broker has no tokens and serves its own machine alone");
    }
    std::string secret(bearer(request));
    // Pages cannot set fields on a WebSocket's request.
    if (secret.empty()) secret = request.parameter("token");
    if (secret.empty()) return fail_with(401, "a bearer token is needed");
    const auto found = tokens_.find(digest_of(secret));
    if (found == tokens_.end()) return fail_with(401, "unknown token");
    const auto& token = found->second;
    if (!(token.roles & static_cast<unsigned>(role)))
        return fail_with(403, "token '{}' may not do this", token.name);
    who.token = token.name;
    who.admin = (token.roles & static_cast<unsigned>(Role::admin)) != 0;
    who.quota = token.quota;
    who.stored = token.stored;
    return who;
}

// A bucket that holds one second's worth, and one task at least.
bool Access::take(const Who& who, Time now) {
    const auto digest = digests_.find(who.token);
    if (digest == digests_.end()) return true;
    auto& token = tokens_[digest->second];
    if (token.rate <= 0) return true;
    const bool first = token.filled == Time{};
    const auto full = std::max(1.0, token.rate);
    token.left =
        first ? full : std::min(full, token.left + token.rate * seconds(now - token.filled));
    token.filled = now;
    if (token.left < 1) return false;
    token.left -= 1;
    return true;
}

Scheduler::Quota Access::quota_of(const std::string& token) const {
    const auto digest = digests_.find(token);
    return digest == digests_.end() ? Scheduler::Quota{} : tokens_.at(digest->second).quota;
}

bool Access::origin_allowed(const io::HttpRequest& request) const {
    const auto origin = request.headers.get("Origin");
    if (origin.empty()) return true;
    const auto scheme_end = origin.find("://");
    const auto host = scheme_end == std::string_view::npos ? origin : origin.substr(scheme_end + 3);
    if (iequals(host, request.headers.get("Host"))) return true;
    return std::ranges::any_of(origins_,
                               [&](const auto& pattern) { return matches(pattern, host); });
}

}  // namespace strowger::broker
