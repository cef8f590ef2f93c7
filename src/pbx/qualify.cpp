#include "pbx/qualify.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <variant>

#include "pbx/credentials.hpp"
#include "pbx/next_hop.hpp"
#include "pbx/own_address.hpp"
#include "wire/sip/builder.hpp"
#include "wire/sip/uri.hpp"

namespace strowger::pbx {

namespace {

using Reach = Contact::Reach;
using sip::HeaderId;

std::pair<std::string_view, std::string_view> parts_of(std::string_view key) {
    return split_once(key, '\n');
}

Contact* find_contact(Core& core, std::string_view key) {
    const auto [aor, uri] = parts_of(key);
    auto* contacts = core.location.find(aor);
    if (!contacts) return nullptr;
    const auto found = std::find_if(contacts->begin(), contacts->end(),
                                    [&](const Contact& c) { return c.uri == uri; });
    return found == contacts->end() ? nullptr : &*found;
}

}  // namespace

struct Qualifier::Probe {
    std::string key;
    bool periodic = false;  ///< else asked once, by hand
    Duration period{};
    Reach reach = Reach::unknown;
    Duration round_trip{};
    io::Timer due;
    io::Timer patience;
    sip::TransactionId transaction;
    Time sent{};
    std::string uri;  ///< of the OPTIONS under way, for its digest
    std::string call_id, from_tag;
    std::uint32_t cseq = 0;
    bool authenticated = false;
    std::size_t server = 0, servers = 1;  ///< of those behind the contact's name: asked, and known
};

Qualifier::Qualifier(Core& core) : core_(core) {
    owner_ = core_.signalling.attach([this](const sip::TransactionEvent& event) { handle(event); });
    core_.location.on_change([this, alive = std::weak_ptr(alive_)](const std::string& aor,
                                                                   const Contact& contact,
                                                                   Location::Change change) {
        if (!alive.expired()) changed(aor, contact, change);
    });
}

Qualifier::~Qualifier() { core_.signalling.detach(owner_); }

std::string Qualifier::key(std::string_view aor, std::string_view uri) {
    std::string key(aor);
    key += '\n';  // in neither
    return key.append(uri);
}

void Qualifier::configure() {
    endpoints_.clear();
    for (const auto& endpoint : core_.config->endpoints)
        for (const auto& aor : endpoint.aors) endpoints_.emplace(aor, endpoint.name);

    std::erase_if(probes_, [&](auto& entry) {
        const auto aor = core_.config->aors.find(parts_of(entry.first).first);
        if (aor && aor->qualify_frequency > 0 && find_contact(core_, entry.first)) return false;
        asked_.erase(entry.second.transaction);
        if (auto* contact = find_contact(core_, entry.first)) contact->reach = Reach::unqualified;
        return true;
    });
    for (const auto& aor : core_.config->aors) {
        if (aor.qualify_frequency == 0) continue;
        const Duration period = std::chrono::seconds{aor.qualify_frequency};
        const auto limit = core_.config->global.max_initial_qualify_time;
        const Duration within =
            limit == 0 ? period : std::min<Duration>(period, std::chrono::seconds{limit});
        auto* contacts = core_.location.find(aor.name);
        if (!contacts) continue;
        for (auto& contact : *contacts) {
            const auto known = probes_.find(key(aor.name, contact.uri));
            if (known == probes_.end()) {
                contact.reach = Reach::unknown;
                plan(add(aor.name, contact), scale(within, core_.random.between(0, 1)));
                continue;
            }
            auto& probe = known->second;
            contact.reach = probe.reach;
            contact.round_trip = probe.round_trip;
            if (probe.period != period) {
                probe.period = period;
                plan(probe, scale(period, core_.random.between(0, 1)));
            }
        }
    }
}

Qualifier::Probe& Qualifier::add(const std::string& aor, const Contact& contact) {
    const auto name = key(aor, contact.uri);
    auto& probe = probes_[name];
    probe.key = name;
    if (const auto* policy = core_.config->aors.find(aor);
        policy && policy->qualify_frequency > 0) {
        probe.periodic = true;
        probe.period = std::chrono::seconds{policy->qualify_frequency};
    }
    return probe;
}

void Qualifier::changed(const std::string& aor, const Contact& contact, Location::Change change) {
    const auto* policy = core_.config->aors.find(aor);
    const auto known = probes_.find(key(aor, contact.uri));
    if (change == Location::Change::removed || change == Location::Change::expired) {
        if (known == probes_.end()) return;
        asked_.erase(known->second.transaction);
        probes_.erase(known);
        return;
    }
    // Static contacts are bound by a load, and `configure` spreads them.
    if (known != probes_.end() || contact.is_static || !policy || policy->qualify_frequency == 0)
        return;
    plan(add(aor, contact), Duration{});
}

void Qualifier::plan(Probe& probe, Duration delay) {
    probe.due = core_.loop.after(delay, [this, name = probe.key] { ask(name); });
}

std::size_t Qualifier::qualify(std::string_view name) {
    std::vector<std::string> aors{std::string(name)};
    if (const auto* endpoint = core_.config->endpoints.find(name)) aors = endpoint->aors;
    std::size_t count = 0;
    for (const auto& aor : aors) {
        for (const auto& contact : core_.location.contacts(aor)) {
            ++count;
            plan(add(aor, contact), Duration{});
        }
    }
    return count;
}

const config::Endpoint* Qualifier::endpoint_of(std::string_view aor) const {
    const auto name = endpoints_.find(aor);
    return name == endpoints_.end() ? nullptr : core_.config->endpoints.find(name->second);
}

void Qualifier::ask(const std::string& name) {
    const auto found = probes_.find(name);
    if (found == probes_.end()) return;
    auto& probe = found->second;
    if (probe.periodic) plan(probe, probe.period);
    if (probe.transaction) return;  // the last one is still out: a long timeout, a short period
    probe.call_id = core_.random.token(24);
    probe.from_tag = core_.random.token(12);
    probe.cseq = 0;
    probe.authenticated = false;
    probe.server = 0;
    core_.tasks.spawn(send(probe.key, {}, {}));
}

Task<> Qualifier::send(std::string name, std::string authorization_name,
                       std::string authorization) {
    const std::weak_ptr<bool> alive = alive_;
    const auto* contact = find_contact(core_, name);
    if (!contact) co_return;
    const std::string aor_name(parts_of(name).first);
    const auto config = core_.config;
    const auto* aor = config->aors.find(aor_name);
    const auto* endpoint = endpoint_of(aor_name);
    std::string proxy = aor && !aor->outbound_proxy.empty() ? aor->outbound_proxy
                        : endpoint                          ? endpoint->outbound_proxy
                                                            : "";
    std::string transport = endpoint ? endpoint->transport : "";
    Contact copy = *contact;
    auto target =
        co_await contact_target(core_, std::move(copy), std::move(proxy), std::move(transport));
    if (alive.expired()) co_return;
    const auto found = probes_.find(name);
    if (found == probes_.end()) co_return;
    auto& probe = found->second;
    if (!target) {
        settle(probe, Reach::unreachable, target.error().text());
        co_return;
    }

    probe.servers = 1 + target->others.size();
    if (probe.server > 0 && probe.server <= target->others.size())
        target->flow = target->others[probe.server - 1];
    const auto host = own_address(core_, target->flow);
    const auto& from_user = endpoint && !endpoint->from_user.empty()
                                ? endpoint->from_user
                                : config->global.default_from_user;
    const auto from_host = endpoint && !endpoint->from_domain.empty()
                               ? endpoint->from_domain
                               : target->flow.local.ip.host_text();
    auto builder = sip::Builder::request("OPTIONS", target->uri);
    for (const auto& route : target->route) builder.header(HeaderId::route, route);
    builder.header(HeaderId::max_forwards, std::uint64_t{config->global.max_forwards})
        .header(HeaderId::from, fmt::format("<sip:{}@{}>;tag={}", sip::escape_user(from_user),
                                            from_host, probe.from_tag))
        .header(HeaderId::to, fmt::format("<{}>", target->uri))
        .header(HeaderId::call_id, probe.call_id)
        .header(HeaderId::cseq, fmt::format("{} OPTIONS", ++probe.cseq))
        .header(HeaderId::contact, own_contact(core_, target->flow, from_user))
        .header(HeaderId::accept, "application/sdp")
        .header(HeaderId::user_agent, config->global.user_agent);
    if (!authorization_name.empty()) builder.header(authorization_name, authorization);
    probe.uri = target->uri;
    probe.sent = core_.now();
    const auto sent = core_.signalling.layer().send_request(
        std::move(builder).finish(), target->flow, core_.now(), owner_, host);
    if (!sent) {
        failed(probe, sent.error().text());
        co_return;
    }
    probe.transaction = *sent;
    asked_.emplace(*sent, name);
    core_.signalling.touch();
    const double timeout = aor && aor->qualify_timeout > 0 ? aor->qualify_timeout : 3.0;
    if (!probe.authenticated)  // the timeout is that of the whole exchange
        probe.patience =
            core_.loop.after(scale(std::chrono::seconds{1}, timeout), [this, name, timeout] {
                const auto late = probes_.find(name);
                if (late == probes_.end()) return;
                failed(late->second, fmt::format("no answer to OPTIONS within {:g} s", timeout));
            });
}

void Qualifier::handle(const sip::TransactionEvent& event) {
    const auto take = [&](sip::TransactionId id) -> Probe* {
        const auto name = asked_.find(id);
        if (name == asked_.end()) return nullptr;
        const auto probe = probes_.find(name->second);
        return probe == probes_.end() ? nullptr : &probe->second;
    };
    if (const auto* response = std::get_if<sip::ResponseReceived>(&event)) {
        if (response->response->message().status() < 200) return;
        if (auto* probe = take(response->transaction))
            answered(*probe, response->response->message());
    } else if (const auto* timeout = std::get_if<sip::ClientTimeout>(&event)) {
        if (auto* probe = take(timeout->transaction)) failed(*probe, "no answer to OPTIONS");
    } else if (const auto* failed = std::get_if<sip::TransportFailed>(&event)) {
        if (auto* probe = take(failed->transaction)) this->failed(*probe, "no connection");
    }
}

void Qualifier::answered(Probe& probe, const sip::Message& response) {
    asked_.erase(probe.transaction);
    probe.transaction = {};
    const auto* aor = core_.config->aors.find(parts_of(probe.key).first);
    const int status = response.status();
    if ((status == 401 || status == 407) && aor && aor->authenticate_qualify &&
        !probe.authenticated) {
        const auto* endpoint = endpoint_of(aor->name);
        static const std::vector<std::string> none;
        auto answer = answer_challenges(*core_.config, endpoint ? endpoint->outbound_auth : none,
                                        response, "OPTIONS", probe.uri, core_.random);
        if (answer) {
            probe.authenticated = true;
            core_.tasks.spawn(
                send(probe.key, std::string(name_of(answer->header)), std::move(answer->value)));
            return;
        }
        LOG_VERBOSE((log::About{"pbx", {}, aor->name}), "qualify: {}", answer.error().text());
    }
    probe.round_trip = core_.now() - probe.sent;
    if (aor && aor->qualify_2xx_only && status >= 300)
        settle(probe, Reach::unreachable,
               fmt::format("it answers {} and qualify_2xx_only is set", status));
    else
        settle(probe, Reach::reachable, {});
}

// RFC 3263 section 4.3: it is there as long as one of its servers is.
void Qualifier::failed(Probe& probe, std::string_view why) {
    if (probe.server + 1 >= probe.servers) return settle(probe, Reach::unreachable, why);
    probe.patience.cancel();
    asked_.erase(probe.transaction);
    probe.transaction = {};
    probe.authenticated = false;
    ++probe.server;
    core_.tasks.spawn(send(probe.key, {}, {}));
}

void Qualifier::settle(Probe& probe, Reach reach, std::string_view why) {
    probe.patience.cancel();
    asked_.erase(probe.transaction);
    probe.transaction = {};
    const auto before = std::exchange(probe.reach, reach);
    const auto [aor, uri] = parts_of(probe.key);
    auto* contact = find_contact(core_, probe.key);
    const events::ContactStatus status{std::string(aor), std::string(uri),
                                       reach == Reach::reachable, probe.round_trip};
    if (contact) {
        contact->reach = reach;
        contact->round_trip = probe.round_trip;
    }
    if (reach != before) {
        const log::About about{"pbx", {}, status.aor};
        if (reach == Reach::unreachable)
            LOG_NOTICE(about, "contact {} is unreachable: {}", status.contact, why);
        else
            LOG_VERBOSE(about, "contact {} is reachable ({:.1f} ms)", status.contact,
                        seconds(probe.round_trip) * 1000);
    }
    if (!probe.periodic) {
        // Nobody would ask again, so one answer that got lost must not bar it for good.
        if (contact) contact->reach = Reach::unqualified;
        const std::string name = probe.key;
        probes_.erase(name);
    }
    if (reach != before) core_.events.publish(status);
}

}  // namespace strowger::pbx
