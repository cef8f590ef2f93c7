#include "pbx/next_hop.hpp"

#include <algorithm>

#include "pbx/locate_server.hpp"
#include "wire/sip/uri.hpp"

namespace strowger::pbx {

namespace {

Reach reach_of(const Signalling& signalling, std::string_view transport_name) {
    Reach reach{.udp = false};  // connections are opened when wanted, but datagrams need a socket
    for (const auto& listening : signalling.listening()) {
        if (listening.transport == sip::Transport::udp) reach.udp = true;
        if (listening.name != transport_name || transport_name.empty()) continue;
        // A transport of WebSockets says nothing about where a URI leads.
        if (reach.has(listening.transport) || listening.transport == sip::Transport::udp)
            reach.preferred = listening.transport;
    }
    return reach;
}

bool is_loose(std::string_view uri_text) {
    const auto uri = sip::Uri::parse(uri_text);
    return uri && uri->parameter("lr").has_value();
}

// The URI of a Route or Path value.
std::string uri_of(const std::string& name_address) {
    const auto address = sip::NameAddress::parse(name_address);
    return std::string(address ? address->uri : std::string_view(name_address));
}

}  // namespace

Task<Result<std::vector<sip::Flow>>> next_hops(Core& core, std::string uri,
                                               std::string transport_name) {
    Reach reach = reach_of(core.signalling, transport_name);
    auto hops = co_await locate_server(core.resolver, core.random, uri, reach);
    if (!hops) co_return std::unexpected(hops.error());
    std::vector<sip::Flow> flows;
    std::optional<Error> last;
    const auto parsed = sip::Uri::parse(uri);
    const std::string host(parsed ? parsed->host : std::string_view());
    for (const auto& hop : *hops) {
        if (!sip::is_reliable(hop.transport) || reach.has(hop.transport)) {
            auto flow = core.signalling.flow_to(hop.transport, hop.address, transport_name, host);
            if (flow)
                flows.push_back(*flow);
            else
                last = flow.error();
        } else {
            last = Error(
                fmt::format("{} peers can be reached only over the connection that they opened",
                            via_name(hop.transport)));
        }
    }
    if (flows.empty())
        co_return std::unexpected((last ? *last : Error("no way to send")).within(uri));
    co_return flows;
}

Task<Result<sip::Flow>> next_hop(Core& core, std::string uri, std::string transport_name) {
    auto flows = co_await next_hops(core, std::move(uri), std::move(transport_name));
    if (!flows) co_return std::unexpected(flows.error());
    co_return flows->front();
}

Task<Result<ContactTarget>> contact_target(Core& core, Contact contact, std::string outbound_proxy,
                                           std::string transport_name) {
    ContactTarget target;
    target.uri = contact.uri;
    if (!outbound_proxy.empty()) target.route.push_back(route_value(outbound_proxy));
    for (const auto& path : contact.path) target.route.push_back(path);

    const bool registered = !contact.is_static && contact.flow.id != 0;
    if (outbound_proxy.empty() && registered && sip::is_reliable(contact.flow.transport)) {
        if (core.signalling.has_flow(contact.flow.id)) {
            target.flow = contact.flow;
            co_return target;
        }
        if (contact.flow.transport == sip::Transport::ws ||
            contact.flow.transport == sip::Transport::wss)
            co_return fail("{}: the WebSocket that it registered on is closed", contact.uri);
    }

    std::string first = target.route.empty() ? target.uri : uri_of(target.route.front());
    auto flows = co_await next_hops(core, std::move(first), std::move(transport_name));
    if (!flows) co_return std::unexpected(flows.error());
    target.flow = flows->front();
    target.others.assign(flows->begin() + 1, flows->end());
    if (outbound_proxy.empty() && registered && target.flow.transport == sip::Transport::udp &&
        contact.flow.transport == sip::Transport::udp &&
        core.signalling.has_flow(contact.flow.id) &&
        contact.flow.remote.ip.is_v4() == target.flow.remote.ip.is_v4()) {
        target.flow.id = contact.flow.id;
        target.flow.local = contact.flow.local;
    }
    co_return target;
}

std::string route_value(std::string_view uri) {
    uri = trim(uri);
    if (uri.starts_with('<')) return std::string(uri);
    std::string value = "<";
    value += uri;
    // A strict router would want the Request-URI rewritten; proxies that are configured by hand
    // without lr are loose ones all the same.
    if (!is_loose(uri)) value += ";lr";
    return value + ">";
}

}  // namespace strowger::pbx
