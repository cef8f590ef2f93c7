#include "pbx/registration_client.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <variant>

#include "pbx/credentials.hpp"
#include "pbx/next_hop.hpp"
#include "pbx/own_address.hpp"
#include "wire/sip/builder.hpp"
#include "wire/sip/contact.hpp"
#include "wire/sip/uri.hpp"

namespace strowger::pbx {

namespace {

using sip::HeaderId;

constexpr std::string_view methods =
    "OPTIONS, INVITE, ACK, BYE, CANCEL, UPDATE, PRACK, MESSAGE, REFER, SUBSCRIBE, NOTIFY, INFO";
// Credentials, once more after a stale nonce, a longer Expires, and credentials for that again.
constexpr int most_requests = 5;

// So that a lost request can be repeated before the binding ends, and trunks do not refresh in
// step.
Duration refresh_after(std::uint32_t granted, Random& random) {
    const double margin = granted <= 10 ? granted / 2.0 : std::clamp(granted / 10.0, 5.0, 60.0);
    return scale(std::chrono::seconds{1}, granted - margin * random.between(1.0, 1.5));
}

// What may be over when we ask again. 5xx names trouble of the server but for these.
bool is_temporary(int status) {
    if (status == 408 || status == 429 || status == 430 || status == 480) return true;
    return status >= 500 && status < 600 && status != 501 && status != 505 && status != 513;
}

std::string status_line(const sip::Message& response) {
    return fmt::format(
        "{} {}", response.status(),
        response.reason().empty() ? sip::reason_phrase(response.status()) : response.reason());
}

// What an operator should look at.
std::string explanation(const sip::Message& response, const config::Registration& settings) {
    std::string text;
    switch (response.status()) {
        case 403:
            text = "the account is barred there, or its user name or password are wrong";
            break;
        case 404:
            text =
                fmt::format("the registrar does not know '{}' (client_uri)", settings.client_uri);
            break;
        case 405:
        case 501:
            text = fmt::format("'{}' (server_uri) does not register anybody", settings.server_uri);
            break;
        case 423:
            text = fmt::format("expiration={} is too short for it", settings.expiration);
            break;
        case 301:
        case 302: text = "it refers to another server; set server_uri accordingly"; break;
        default: break;
    }
    for (const auto id : {HeaderId::warning, HeaderId::reason})
        if (const auto value = response.header(id))
            (text += text.empty() ? "it says: " : "; it says: ") += *value;
    return text;
}

Duration retry_after_of(const sip::Message& response) {
    const auto value = response.header(HeaderId::retry_after);
    if (!value) return {};
    const auto digits = value->substr(0, value->find_first_not_of("0123456789"));
    const auto wanted = parse_number<std::uint32_t>(digits).value_or(0);
    return std::min<Duration>(std::chrono::seconds{wanted},
                              RegistrationClient::longest_retry_after);
}

}  // namespace

std::shared_ptr<RegistrationClient> RegistrationClient::create(
    Core& core, const config::Registration& settings) {
    const std::shared_ptr<RegistrationClient> client(new RegistrationClient(core, settings));
    client->owner_ =
        core.signalling.attach([weak = std::weak_ptr(client)](const sip::TransactionEvent& event) {
            if (const auto self = weak.lock()) self->handle(event);
        });
    return client;
}

RegistrationClient::RegistrationClient(Core& core, const config::Registration& settings)
    : core_(core),
      settings_(settings),
      fingerprint_(fingerprint(*core.config, settings)),
      call_id_(core.random.token(24)),
      from_tag_(core.random.token(12)),
      line_(settings.line ? core.random.token(10) : std::string()) {}

RegistrationClient::~RegistrationClient() { core_.signalling.detach(owner_); }

std::string RegistrationClient::fingerprint(const config::Configuration& config,
                                            const config::Registration& r) {
    auto text = fmt::format("{}\n{}\n{}\n{}\n{}\n{}\n{} {} {} {} {} {} {} {} {}\n{}\n{}\n{}\n",
                            r.server_uri, r.client_uri, r.contact_user, r.outbound_proxy,
                            r.transport, r.endpoint, r.expiration, r.retry_interval, r.max_retries,
                            r.fatal_retry_interval, r.forbidden_retry_interval,
                            r.auth_rejection_permanent, r.line, r.support_path, r.support_outbound,
                            r.contact_header_params, r.user_agent, config.global.user_agent);
    for (const auto& name : r.outbound_auth) {
        (text += name) += '\n';
        const auto* auth = config.auths.find(name);
        if (!auth) continue;
        text += fmt::format("{}\n{}\n{}\n{}\n{}\n", static_cast<int>(auth->auth_type),
                            auth->username, auth->password, auth->md5_cred, auth->realm);
        for (const auto& digest : auth->password_digest) (text += digest) += '\n';
    }
    return text;
}

void RegistrationClient::start() {
    const auto delay =
        scale(std::chrono::seconds{settings_.max_random_initial_delay}, core_.random.between(0, 1));
    next_try_ = core_.now() + delay;
    timer_ = core_.loop.after(delay, [this] { attempt(settings_.expiration); });
}

void RegistrationClient::register_now() {
    failures_ = 0;
    taking_back_ = false;
    attempt(settings_.expiration);
}

void RegistrationClient::unregister() {
    const bool was_there = status_ == Status::registered;
    status_ = Status::stopped;
    detail_ = "taken back";
    abandon();
    if (!was_there) return;
    taking_back_ = true;
    attempt(0);
}

void RegistrationClient::abandon() {
    timer_.cancel();
    next_try_ = Time::max();
    taking_back_ = false;
    ++generation_;
    transaction_ = {};
    if (const auto waiting = std::exchange(waiting_, std::nullopt))
        waiting->resolve({nullptr, "given up"});
}

void RegistrationClient::flow_closed(std::uint64_t flow) {
    if (status_ != Status::registered || taking_back_ || !sip::is_reliable(flow_.transport) ||
        flow_.id != flow)
        return;
    // Calls for us would arrive over that connection. Not at once: a server that restarts has lost
    // everybody's.
    LOG_NOTICE(about(),
               "the connection to {} that it is registered over has ended; registering again",
               flow_.remote.text());
    status_ = Status::unregistered;
    detail_ = "its connection has ended";
    const auto delay = scale(std::chrono::seconds{1}, core_.random.between(1, 5));
    next_try_ = core_.now() + delay;
    timer_ = core_.loop.after(delay, [this] { attempt(settings_.expiration); });
}

std::string RegistrationClient::status_text() const {
    const auto seconds_to = [&](Time when) {
        return std::max<std::int64_t>(
            0, std::chrono::duration_cast<std::chrono::seconds>(when - core_.now()).count());
    };
    switch (status_) {
        case Status::registered:
            return fmt::format("Registered (exp. {}s)", seconds_to(expires_at_));
        case Status::unregistered: return "Unregistered";
        case Status::rejected: return "Rejected";
        case Status::stopped: return "Stopped";
    }
    return {};
}

void RegistrationClient::attempt(std::uint32_t expires) {
    timer_.cancel();
    next_try_ = Time::max();
    const auto generation = ++generation_;
    transaction_ = {};
    if (const auto waiting = std::exchange(waiting_, std::nullopt))
        waiting->resolve({nullptr, "begun anew"});
    core_.tasks.spawn(run(expires, generation));
}

Task<> RegistrationClient::run(std::uint32_t expires, std::uint64_t generation) {
    const auto self = shared_from_this();
    std::string hop =
        settings_.outbound_proxy.empty() ? settings_.server_uri : settings_.outbound_proxy;
    if (hop.starts_with('<'))
        if (const auto address = sip::NameAddress::parse(hop)) hop = std::string(address->uri);
    std::string transport = settings_.transport;
    auto flows = co_await next_hops(core_, std::move(hop), std::move(transport));
    if (generation != generation_) co_return;
    if (!flows) {
        failed(Failure::temporary, flows.error().text());
        co_return;
    }
    std::string why;
    Duration retry_after{};
    for (const auto& flow : *flows) {
        auto reply = co_await exchange(flow, expires);
        if (generation != generation_) co_return;
        if (reply.response && reply.response->message().status() != 503) {
            conclude(flow, reply.response->message(), expires);
            co_return;
        }
        if (reply.response) {
            retry_after = retry_after_of(reply.response->message());
            reply.why = status_line(reply.response->message());
        }
        why = fmt::format("{} ({}): {}", flow.remote.text(), via_name(flow.transport), reply.why);
        if (&flow != &flows->back()) LOG_NOTICE(about(), "{}; trying the next server", why);
    }
    failed(Failure::temporary, std::move(why), retry_after);
}

// One server: the REGISTER, and again with credentials or a longer expiry if it wants those.
Task<RegistrationClient::Reply> RegistrationClient::exchange(sip::Flow flow,
                                                             std::uint32_t expires) {
    const auto generation = generation_;
    answered_with_credentials_ = false;
    bool lengthened = false;
    sip::HeaderLines extra;
    for (int requests = 1;; ++requests) {
        auto sent = core_.signalling.layer().send_request(
            request(flow, expires, extra), flow, core_.now(), owner_, own_address(core_, flow));
        if (!sent) co_return Reply{nullptr, sent.error().text()};
        transaction_ = *sent;
        if (status_ == Status::unregistered)
            detail_ = fmt::format("asked {} ({}), no answer yet", flow.remote.text(),
                                  via_name(flow.transport));
        const io::Completion<Reply> done;
        waiting_ = done;
        core_.signalling.touch();
        Reply reply = co_await done;
        if (generation != generation_ || !reply.response || requests == most_requests)
            co_return reply;

        const auto& response = reply.response->message();
        if (response.status() == 423 && !lengthened) {
            const auto least =
                parse_number<std::uint32_t>(response.header(HeaderId::min_expires).value_or(""));
            if (!least || *least <= expires) co_return reply;
            lengthened = true;
            expires = *least;
            continue;
        }
        if (response.status() != 401 && response.status() != 407) co_return reply;
        auto answer = answer_challenges(*core_.config, settings_.outbound_auth, response,
                                        "REGISTER", settings_.server_uri, core_.random);
        if (!answer) {
            reply.why = answer.error().text();
            detail_ = reply.why;
            co_return reply;
        }
        const bool repeated = std::any_of(extra.begin(), extra.end(), [&](const auto& line) {
            return line.name == name_of(answer->header);
        });
        if (repeated && !answer->stale) {
            answered_with_credentials_ = true;
            co_return reply;
        }
        std::erase_if(extra,
                      [&](const auto& line) { return line.name == name_of(answer->header); });
        sip::HeaderLine line{std::string(name_of(answer->header)), std::move(answer->value)};
        extra.push_back(std::move(line));
    }
}

std::string RegistrationClient::contact_uri(const sip::Flow& flow) const {
    const auto bracketed = own_contact(core_, flow, settings_.contact_user);
    std::string uri = bracketed.substr(1, bracketed.size() - 2);
    if (!line_.empty()) uri += ";line=" + line_;
    return uri;
}

std::string RegistrationClient::request(const sip::Flow& flow, std::uint32_t expires,
                                        const sip::HeaderLines& extra) {
    auto builder = sip::Builder::request("REGISTER", settings_.server_uri);
    if (!settings_.outbound_proxy.empty())
        builder.header(HeaderId::route, route_value(settings_.outbound_proxy));
    auto contact = fmt::format("<{}>", contact_uri(flow));
    if (!settings_.contact_header_params.empty()) contact += ";" + settings_.contact_header_params;
    const auto& agent =
        settings_.user_agent.empty() ? core_.config->global.user_agent : settings_.user_agent;
    builder.header(HeaderId::max_forwards, std::uint64_t{core_.config->global.max_forwards})
        .header(HeaderId::from, fmt::format("<{}>;tag={}", settings_.client_uri, from_tag_))
        .header(HeaderId::to, fmt::format("<{}>", settings_.client_uri))
        .header(HeaderId::call_id, call_id_)
        .header(HeaderId::cseq, fmt::format("{} REGISTER", ++cseq_))
        .header(HeaderId::contact, contact)
        .header(HeaderId::expires, std::uint64_t{expires})
        .header(HeaderId::allow, methods)
        .header(HeaderId::user_agent, agent);
    if (settings_.support_path) builder.header(HeaderId::supported, "path");
    for (const auto& line : extra) builder.header(line.name, line.value);
    return std::move(builder).finish();
}

void RegistrationClient::handle(const sip::TransactionEvent& event) {
    const auto self = shared_from_this();
    const auto finish = [&](sip::TransactionId id, Reply reply) {
        if (id != transaction_) return;
        transaction_ = {};
        if (const auto waiting = std::exchange(waiting_, std::nullopt))
            waiting->resolve(std::move(reply));
    };
    if (const auto* response = std::get_if<sip::ResponseReceived>(&event)) {
        if (response->response->message().status() >= 200)
            finish(response->transaction, {response->response, {}});
    } else if (const auto* timeout = std::get_if<sip::ClientTimeout>(&event)) {
        finish(timeout->transaction,
               {nullptr,
                "no answer; is the address right, and does a firewall let the answer through?"});
    } else if (const auto* failure = std::get_if<sip::TransportFailed>(&event)) {
        finish(failure->transaction, {nullptr, "no connection"});
    }
}

void RegistrationClient::conclude(const sip::Flow& flow, const sip::Message& response,
                                  std::uint32_t asked) {
    const int status = response.status();
    if (taking_back_) {
        taking_back_ = false;
        if (status >= 300)
            LOG_NOTICE(about(), "taking it back was answered {}", status_line(response));
        return;
    }
    if (status < 300) {
        accepted(flow, response, asked);
        return;
    }
    if (status == 401 || status == 407) {
        auto why =
            answered_with_credentials_
                ? fmt::format(
                      "{} refuses the credentials of '{}': wrong user name or password, or the "
                      "wrong realm",
                      flow.remote.text(), fmt::join(settings_.outbound_auth, ","))
                : fmt::format("{} asks for credentials: {}", flow.remote.text(), detail_);
        // Asking again with a wrong password only gets the address banned there.
        failed(settings_.auth_rejection_permanent ? Failure::fatal : Failure::temporary,
               std::move(why));
        status_ = status_ == Status::stopped ? Status::stopped : Status::rejected;
        return;
    }
    auto why = fmt::format("{} answers {}", flow.remote.text(), status_line(response));
    if (const auto more = explanation(response, settings_); !more.empty()) why += ": " + more;
    const auto failure = status == 403          ? Failure::forbidden
                         : is_temporary(status) ? Failure::temporary
                                                : Failure::fatal;
    failed(failure, std::move(why), retry_after_of(response));
    if (status_ != Status::stopped) status_ = Status::rejected;
}

std::uint32_t RegistrationClient::granted(const sip::Flow& flow, const sip::Message& response,
                                          std::uint32_t asked) const {
    auto otherwise = asked;
    if (const auto header = response.header(HeaderId::expires))
        otherwise = parse_number<std::uint32_t>(*header).value_or(asked);
    const auto own_text = contact_uri(flow);
    const auto own = sip::Uri::parse(own_text);
    for (const auto value : response.values(HeaderId::contact)) {
        const auto contact = sip::Contact::parse(value);
        if (!contact || contact->wildcard || !contact->expires || !own) continue;
        const auto uri = sip::Uri::parse(contact->address.uri);
        if (uri && sip::equivalent(*own, *uri)) return *contact->expires;
    }
    return otherwise;
}

void RegistrationClient::accepted(const sip::Flow& flow, const sip::Message& response,
                                  std::uint32_t asked) {
    const auto lifetime = std::max(granted(flow, response, asked), shortest_expiry);
    const bool is_new = status_ != Status::registered;
    status_ = Status::registered;
    failures_ = 0;
    flow_ = flow;
    // The connection may be newer than the flow that it was asked for with: its id is what closes.
    expires_at_ = core_.now() + std::chrono::seconds{lifetime};
    const auto delay = refresh_after(lifetime, core_.random);
    next_try_ = core_.now() + delay;
    timer_ = core_.loop.after(delay, [this] { attempt(settings_.expiration); });
    detail_ = fmt::format("registered at {} ({})", flow.remote.text(), via_name(flow.transport));
    if (is_new)
        LOG_NOTICE(about(), "registered '{}' at {} ({}) for {} s", settings_.client_uri,
                   flow.remote.text(), via_name(flow.transport), lifetime);
}

void RegistrationClient::failed(Failure failure, std::string why, Duration retry_after) {
    if (taking_back_) {
        taking_back_ = false;
        LOG_NOTICE(about(), "not taken back: {}", why);
        return;
    }
    ++failures_;
    const unsigned interval = failure == Failure::temporary   ? settings_.retry_interval
                              : failure == Failure::forbidden ? settings_.forbidden_retry_interval
                                                              : settings_.fatal_retry_interval;
    const bool last = interval == 0 || failures_ > settings_.max_retries;
    if (last) {
        status_ = Status::stopped;
        detail_ = fmt::format("{}; given up after {} attempt{}", why, failures_,
                              failures_ == 1 ? "" : "s");
        LOG_ERROR(about(),
                  "not registered at {}: {}. Mend it and reload, or say 'pjsip send register {}'",
                  settings_.server_uri, detail_, settings_.name);
        return;
    }
    status_ = Status::unregistered;
    const auto delay = std::max<Duration>(std::chrono::seconds{interval}, retry_after);
    next_try_ = core_.now() + delay;
    timer_ = core_.loop.after(delay, [this] { attempt(settings_.expiration); });
    detail_ = fmt::format("{}; attempt {} of {} in {:.0f} s", why, failures_ + 1,
                          settings_.max_retries + 1, seconds(delay));
    LOG_WARNING(about(), "not registered at {}: {}", settings_.server_uri, detail_);
}

}  // namespace strowger::pbx
