#include "pbx/screening.hpp"

#include <algorithm>

#include "pbx/dialplan/regex.hpp"
#include "wire/sip/builder.hpp"
#include "wire/sip/uri.hpp"

namespace strowger::pbx {

namespace {

using sip::HeaderId;

// What is verified for an account that does not exist, so that it takes as long as for one that
// does.
constexpr std::string_view nobodys_password = "9c1185a5c5e9fc54612808977ee8f548";

constexpr Duration default_nonce_lifetime = std::chrono::seconds{32};

struct FromParts {
    std::string user;
    std::string_view host;
};

std::optional<FromParts> from_parts(const sip::Message& request) {
    const auto address = sip::NameAddress::parse(request.from());
    if (!address) return std::nullopt;
    const auto uri = sip::Uri::parse(address->uri);
    if (!uri) return std::nullopt;
    return FromParts{sip::unescape(uri->user), uri->host};
}

// A value as it stands, or a regular expression between slashes.
bool fits(std::string_view wanted, std::string_view value) {
    if (wanted.size() < 2 || !wanted.starts_with('/') || !wanted.ends_with('/'))
        return wanted == value;
    const auto found = dialplan::search(wanted.substr(1, wanted.size() - 2), value);
    return found && found->matched;
}

std::optional<sip::Credentials> credentials_for(const sip::Message& request,
                                                std::string_view realm) {
    for (const auto& header : request.headers()) {
        if (header.id != HeaderId::authorization) continue;
        const auto credentials = sip::Credentials::parse(header.value);
        if (credentials && credentials->is_digest() &&
            (realm.empty() || credentials->realm == realm))
            return *credentials;
    }
    return std::nullopt;
}

}  // namespace

Screening::Screening(Core& core) : core_(core), key_(sip::Authenticator::random_key()) {}

void Screening::configure(const std::shared_ptr<const config::Configuration>& config, Lines lines) {
    config_ = config;
    lines_ = std::move(lines);
    authenticators_.clear();
    by_auth_user_.clear();
    domain_aliases_.clear();
    for (const auto& alias : config->domain_aliases)
        domain_aliases_.emplace(to_lower(alias.name), alias.domain);
    // One list of algorithms for all, since a list of its own would tell that an account exists.
    algorithms_.clear();
    bool sha256 = false, sha512 = false;
    for (const auto& auth : config->auths) {
        for (const auto& digest : auth.password_digest) {
            sha256 |= istarts_with(digest, "SHA-256:");
            sha512 |= istarts_with(digest, "SHA-512-256:");
        }
        for (const auto& name : auth.supported_algorithms_uas) {
            sha256 |= iequals(name, "SHA-256");
            sha512 |= iequals(name, "SHA-512-256");
        }
    }
    if (sha512) algorithms_.push_back(sip::Algorithm::sha512_256);
    if (sha256) algorithms_.push_back(sip::Algorithm::sha256);
    algorithms_.push_back(sip::Algorithm::md5);
    names_with_domain_ = std::any_of(
        config->endpoints.begin(), config->endpoints.end(),
        [](const auto& endpoint) { return endpoint.name.find('@') != std::string::npos; });
    for (const auto& endpoint : config->endpoints)
        for (const auto* auth : endpoint.known_auths)
            by_auth_user_.emplace(auth->username, &endpoint);
    unknown_realm_ = config->global.default_realm;
    const auto& order = config->global.endpoint_identifier_order;
    orders_header_ = std::find(order.begin(), order.end(), "header") != order.end();
    orders_request_uri_ = std::find(order.begin(), order.end(), "request_uri") != order.end();
}

sip::Authenticator& Screening::authenticator(const std::string& realm) {
    if (const auto known = authenticators_.find(realm); known != authenticators_.end())
        return known->second;
    if (authenticators_.size() >= max_realms) authenticators_.clear();
    // One lifetime a realm, the longest that its accounts have: before the challenge is answered
    // nobody knows whose nonce it is.
    Duration lifetime = Duration::zero();
    for (const auto& auth : config_->auths)
        if ((auth.realm.empty() ? config_->global.default_realm : auth.realm) == realm)
            lifetime = std::max<Duration>(lifetime, std::chrono::seconds{auth.nonce_lifetime});
    if (lifetime == Duration::zero()) lifetime = default_nonce_lifetime;
    sip::Authenticator::Config config{realm, algorithms_, lifetime};
    return authenticators_.emplace(realm, sip::Authenticator(std::move(config), key_))
        .first->second;
}

const config::Endpoint* Screening::by_address(const sip::Flow& flow) const {
    for (const auto& identify : config_->identifies) {
        bool matches = std::any_of(identify.match.begin(), identify.match.end(),
                                   [&](const Cidr& cidr) { return cidr.contains(flow.remote.ip); });
        for (const auto& name : identify.match_names)
            matches |= core_.names.matches(name, flow.remote.ip);
        if (matches)
            if (const auto* endpoint = config_->endpoints.find(identify.endpoint)) return endpoint;
    }
    return nullptr;
}

// match_header: "Name: value", or "Name: /regular expression/".
const config::Endpoint* Screening::by_header(const sip::Message& request) const {
    for (const auto& identify : config_->identifies) {
        if (identify.match_header.empty()) continue;
        const auto [name, wanted] = split_once(identify.match_header, ':');
        const auto id = sip::header_by_name(trim(name));
        for (const auto& header : request.headers()) {
            const bool named =
                id == HeaderId::other ? iequals(header.name, trim(name)) : header.id == id;
            if (!named || !fits(trim(wanted), header.value)) continue;
            if (const auto* endpoint = config_->endpoints.find(identify.endpoint)) return endpoint;
        }
    }
    return nullptr;
}

const config::Endpoint* Screening::by_request_uri(const sip::Message& request) const {
    for (const auto& identify : config_->identifies)
        if (!identify.match_request_uri.empty() &&
            fits(identify.match_request_uri, request.request_uri()))
            if (const auto* endpoint = config_->endpoints.find(identify.endpoint)) return endpoint;
    return nullptr;
}

// A trunk that was registered with line=yes calls the Contact that we gave it, token included. The
// token is 64 random bits or more, so whoever knows it is the trunk or was told by it.
const config::Endpoint* Screening::by_line(const sip::Message& request) const {
    if (!lines_) return nullptr;
    const auto uri = sip::Uri::parse(request.request_uri());
    const auto token = uri ? uri->parameter("line") : std::nullopt;
    if (!token || token->empty()) return nullptr;
    const auto name = lines_(*token);
    return name.empty() ? nullptr : config_->endpoints.find(name);
}

const config::Endpoint* Screening::by_username(const sip::Message& request) const {
    const auto from = from_parts(request);
    if (!from || from->user.empty()) return nullptr;
    if (names_with_domain_) {
        const std::string name = from->user + '@' + std::string(from->host);
        if (const auto* endpoint = config_->endpoints.find(name)) return endpoint;
        if (const auto alias = domain_aliases_.find(to_lower(from->host));
            alias != domain_aliases_.end())
            if (const auto* endpoint = config_->endpoints.find(from->user + '@' + alias->second))
                return endpoint;
    }
    std::string_view user = from->user;
    if (config_->global.ignore_uri_user_options) user = split_once(user, ';').first;
    return config_->endpoints.find(user);
}

const config::Endpoint* Screening::by_digest_user(const sip::Message& request) const {
    const auto credentials = credentials_for(request, {});
    if (!credentials) return nullptr;
    const auto found = by_auth_user_.find(credentials->username);
    return found == by_auth_user_.end() ? nullptr : found->second;
}

const config::Endpoint* Screening::identify(const sip::Message& request,
                                            const sip::Flow& flow) const {
    using config::IdentifyBy;
    const auto permits = [](const config::Endpoint& endpoint, IdentifyBy how) {
        return std::find(endpoint.identify_by.begin(), endpoint.identify_by.end(), how) !=
               endpoint.identify_by.end();
    };
    if (const auto* endpoint = by_line(request)) return endpoint;
    for (const auto& how : config_->global.endpoint_identifier_order) {
        const config::Endpoint* endpoint = nullptr;
        // An `identify` counts with its addresses; its other criteria too where the order does not
        // give them places of their own.
        if (how == "ip") {
            endpoint = by_address(flow);
            if (!endpoint && !orders_header_) endpoint = by_header(request);
            if (!endpoint && !orders_request_uri_) endpoint = by_request_uri(request);
        } else if (how == "header") {
            endpoint = by_header(request);
        } else if (how == "request_uri") {
            endpoint = by_request_uri(request);
        } else if (how == "username") {
            endpoint = by_username(request);
            if (endpoint && !permits(*endpoint, IdentifyBy::username)) endpoint = nullptr;
        } else if (how == "auth_username") {
            endpoint = by_digest_user(request);
            if (endpoint && !permits(*endpoint, IdentifyBy::auth_username)) endpoint = nullptr;
        } else if (how == "anonymous") {
            if (const auto from = from_parts(request))
                endpoint = config_->endpoints.find("anonymous@" + std::string(from->host));
            if (!endpoint) endpoint = config_->endpoints.find("anonymous");
        }
        if (endpoint) return endpoint;
    }
    return nullptr;
}

bool Screening::allowed(const config::Endpoint& endpoint, const IpAddress& source) const {
    if (!endpoint.access.allows(source)) return false;
    for (const auto& name : endpoint.acl)
        if (const auto* acl = config_->acls.find(name); acl && !acl->access.allows(source))
            return false;
    return true;
}

std::shared_ptr<const config::Endpoint> Screening::screen(const sip::RequestReceived& received) {
    const auto& request = received.request->message();
    const auto& flow = received.request->flow();
    for (const auto& acl : config_->acls) {
        // Objects of type=acl in pjsip.conf hold for everybody, and may name lists of acl.conf.
        if (acl.named_only) continue;
        bool allows = acl.access.allows(flow.remote.ip);
        for (const auto& name : acl.acl)
            if (const auto* list = config_->acls.find(name))
                allows &= list->access.allows(flow.remote.ip);
        if (allows) continue;
        tell(events::Security::What::failed_acl, received, {}, acl.name);
        refuse(received, 403);
        return nullptr;
    }
    const auto* endpoint = identify(request, flow);
    if (!endpoint) {
        const auto from = from_parts(request);
        const std::string account = from ? from->user : std::string();
        // Each one is an event for whoever shuts sources out; the log hears once of many.
        tell(events::Security::What::invalid_account, received, account);
        note_stranger(request, flow);
        auto& gate = authenticator(unknown_realm_);
        bool stale = false;
        if (const auto credentials = credentials_for(request, unknown_realm_)) {
            const auto verdict =
                gate.verify(*credentials, request.method_text(),
                            sip::Secret::password(nobodys_password), core_.now(), request.body());
            stale = verdict == sip::Authenticator::Verdict::stale;
            tell(events::Security::What::challenge_response_failed, received, "<unknown>");
        }
        challenge(received, unknown_realm_, stale);
        return nullptr;
    }
    std::shared_ptr<const config::Endpoint> shared(config_, endpoint);
    if (!endpoint->force_rport)
        core_.signalling.layer().answer_by_via(received.transaction, *received.request);
    if (!allowed(*endpoint, flow.remote.ip)) {
        tell(events::Security::What::failed_acl, received, endpoint->name, "endpoint");
        refuse(received, 403);
        return nullptr;
    }
    if (endpoint->auth.empty()) return shared;
    if (request.method() == sip::Method::options && endpoint->allow_unauthenticated_options)
        return shared;

    bool stale = false, tried = false;
    std::string first_realm;
    for (const auto* auth : endpoint->known_auths) {
        const auto& realm = auth->realm.empty() ? config_->global.default_realm : auth->realm;
        if (first_realm.empty()) first_realm = realm;
        const auto credentials = credentials_for(request, realm);
        if (!credentials) continue;
        tried = true;
        sip::Secret secret = sip::Secret::password(auth->password);
        if (!auth->md5_cred.empty()) secret = sip::Secret::ha1(auth->md5_cred);
        for (const auto& digest : auth->password_digest) {
            const auto [algorithm, hash] = split_once(digest, ':');
            if (iequals(algorithm, credentials->algorithm) ||
                (credentials->algorithm.empty() && iequals(algorithm, "MD5")))
                secret = sip::Secret::ha1(hash);
        }
        const bool right_user = credentials->username == auth->username;
        if (!right_user) secret = sip::Secret::password(nobodys_password);
        const auto verdict = authenticator(realm).verify(*credentials, request.method_text(),
                                                         secret, core_.now(), request.body());
        if (verdict == sip::Authenticator::Verdict::ok && right_user) {
            tell(events::Security::What::successful_auth, received, endpoint->name);
            return shared;
        }
        stale |= verdict == sip::Authenticator::Verdict::stale && right_user;
    }
    if (first_realm.empty()) {  // auth= names nothing that exists: nobody can get in
        refuse(received, 403);
        return nullptr;
    }
    if (tried && !stale) {
        log_failure(request, flow, *endpoint);
        tell(events::Security::What::challenge_response_failed, received, endpoint->name);
    } else {
        tell(events::Security::What::challenge_sent, received, endpoint->name);
    }
    challenge(received, first_realm, stale);
    return nullptr;
}

// unidentified_request_count of them from one source within unidentified_request_period are worth a
// line, and then another one for each period that it goes on.
void Screening::note_stranger(const sip::Message& request, const sip::Flow& flow) {
    const auto& global = config_->global;
    const Time now = core_.now();
    if (now >= next_prune_) {
        const Duration idle = std::chrono::seconds{std::max(
            global.unidentified_request_prune_interval, global.unidentified_request_period)};
        std::erase_if(strangers_,
                      [&](const auto& entry) { return now - entry.second.since >= idle; });
        next_prune_ = now + idle;
    }
    if (strangers_.size() >= max_strangers && !strangers_.contains(flow.remote.ip)) return;
    auto& stranger = strangers_[flow.remote.ip];
    const Duration period = std::chrono::seconds{global.unidentified_request_period};
    if (stranger.count == 0 || now - stranger.since >= period) stranger = {0, now};
    if (++stranger.count == global.unidentified_request_count)
        LOG_NOTICE(
            (log::About{"pbx", request.call_id(), flow.remote.text()}),
            "{} requests within {} s of somebody who is none of our endpoints, the last a {} "
            "from {}",
            stranger.count, global.unidentified_request_period, request.method_text(),
            request.from());
}

// A phone with an old password, or somebody guessing, must not fill the log: one line a second,
// which then tells how many were left out.
void Screening::log_failure(const sip::Message& request, const sip::Flow& flow,
                            const config::Endpoint& endpoint) {
    if (core_.now() < next_failure_line_) {
        ++failures_unlogged_;
        return;
    }
    next_failure_line_ = core_.now() + std::chrono::seconds{1};
    const auto unlogged = std::exchange(failures_unlogged_, 0);
    LOG_NOTICE((log::About{"pbx", request.call_id(), flow.remote.text()}),
               "{} for '{}' failed authentication{}", request.method_text(), endpoint.name,
               unlogged == 0 ? "" : fmt::format(" ({} more since the last line)", unlogged));
}

void Screening::challenge(const sip::RequestReceived& received, const std::string& realm,
                          bool stale) {
    auto builder =
        sip::Builder::response_to(received.request->message(), 401, core_.random.token(10));
    for (const auto& value : authenticator(realm).challenges(core_.now(), stale))
        builder.header(HeaderId::www_authenticate, value);
    if (!config_->global.user_agent.empty())
        builder.header(HeaderId::server, config_->global.user_agent);
    core_.signalling.layer().respond_stateless(received.transaction, std::move(builder).finish());
}

void Screening::refuse(const sip::RequestReceived& received, int status) {
    auto builder =
        sip::Builder::response_to(received.request->message(), status, core_.random.token(10));
    core_.signalling.layer().respond_stateless(received.transaction, std::move(builder).finish());
}

void Screening::tell(events::Security::What what, const sip::RequestReceived& received,
                     std::string_view account, std::string_view detail) const {
    const auto& flow = received.request->flow();
    core_.events.publish(events::Security{what, account, received.request->message().call_id(),
                                          via_name(flow.transport), flow.local, flow.remote,
                                          detail});
}

}  // namespace strowger::pbx
