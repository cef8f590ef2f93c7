#include "pbx/outbound_registration.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "pbx/registration_client.hpp"

namespace strowger::pbx {

OutboundRegistrations::OutboundRegistrations(Core& core) : core_(core) {
    core_.signalling.on_flow_closed([this, alive = std::weak_ptr(alive_)](std::uint64_t flow) {
        if (alive.expired()) return;
        for (const auto& client : all_) client->flow_closed(flow);
    });
}

OutboundRegistrations::~OutboundRegistrations() {
    for (const auto& client : all_) client->abandon();
    for (const auto& client : leaving_) client->abandon();
}

void OutboundRegistrations::configure() {
    std::erase_if(leaving_, [](const auto& client) { return !client->busy(); });
    auto old = std::exchange(all_, {});
    for (const auto& settings : core_.config->registrations) {
        const auto same = std::find_if(old.begin(), old.end(), [&](const auto& client) {
            return client && client->settings().name == settings.name &&
                   client->fingerprint() ==
                       RegistrationClient::fingerprint(*core_.config, settings);
        });
        if (same != old.end()) {
            all_.push_back(std::move(*same));
            continue;
        }
        all_.push_back(RegistrationClient::create(core_, settings));
        all_.back()->start();
    }
    for (auto& client : old) {
        if (!client) continue;
        client->unregister();
        if (client->busy()) leaving_.push_back(std::move(client));
    }
}

std::vector<OutboundRegistrations::State> OutboundRegistrations::list() const {
    std::vector<State> states;
    for (const auto& client : all_) {
        const auto& settings = client->settings();
        State state;
        state.name = settings.name;
        state.server_uri = settings.server_uri;
        state.client_uri = settings.client_uri;
        state.auth = settings.outbound_auth.empty()
                         ? "n/a"
                         : fmt::format("{}", fmt::join(settings.outbound_auth, ","));
        state.status = client->status_text();
        state.detail = client->detail();
        state.registered = client->status() == RegistrationClient::Status::registered;
        states.push_back(std::move(state));
    }
    return states;
}

bool OutboundRegistrations::register_now(std::string_view name) {
    for (const auto& client : all_)
        if (client->settings().name == name) return client->register_now(), true;
    return false;
}

bool OutboundRegistrations::unregister(std::string_view name) {
    for (const auto& client : all_)
        if (client->settings().name == name) return client->unregister(), true;
    return false;
}

void OutboundRegistrations::unregister_all() {
    for (const auto& client : all_) client->unregister();
}

bool OutboundRegistrations::idle() const {
    const auto quiet = [](const auto& client) { return !client->busy(); };
    return std::all_of(all_.begin(), all_.end(), quiet) &&
           std::all_of(leaving_.begin(), leaving_.end(), quiet);
}

std::string_view OutboundRegistrations::endpoint_of_line(std::string_view token) const {
    if (token.empty()) return {};
    for (const auto& client : all_)
        if (client->line() == token) return client->settings().endpoint;
    return {};
}

}  // namespace strowger::pbx
