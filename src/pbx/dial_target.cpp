#include "pbx/dial_target.hpp"

#include "pbx/local_channel.hpp"
#include "pbx/next_hop.hpp"
#include "wire/sip/uri.hpp"

namespace strowger::pbx {

namespace {

// The first contact of the endpoint's aors that may be dialled.
const Contact* first_available(const Core& core, const config::Endpoint& endpoint) {
    for (const auto& aor : endpoint.aors)
        for (const auto& contact : core.location.contacts(aor))
            if (contact.available()) return &contact;
    return nullptr;
}

std::string with_user(std::string_view uri_text, std::string_view user) {
    const auto uri = sip::Uri::parse(uri_text);
    if (!uri) return std::string(uri_text);
    std::string text(uri->scheme);
    ((text += ':') += sip::escape_user(user)) += '@';
    text += uri->host;
    if (uri->port) text += ':' + std::to_string(*uri->port);
    text += uri->parameters;
    return text;
}

}  // namespace

std::vector<DialTarget> DialTarget::parse_list(std::string_view text) {
    std::vector<DialTarget> targets;
    for (const auto part : split(text, '&')) {
        const auto one = trim(part);
        if (one.empty()) continue;
        const auto [technology, resource] = split_once(one, '/');
        targets.push_back({std::string(technology), std::string(resource)});
    }
    return targets;
}

Task<Result<PreparedLeg>> prepare_leg(Core& core, DialTarget target, std::string linkedid) {
    if (!iequals(target.technology, "PJSIP") && !iequals(target.technology, "SIP"))
        co_return fail("there is no channel technology '{}'", target.technology);
    const auto config = core.config;
    std::string_view endpoint_name = target.resource;
    std::string uri, user;
    const config::Endpoint* endpoint = config->endpoints.find(endpoint_name);
    if (!endpoint) {
        // "number@endpoint" or "endpoint/uri": an exact name that contains either goes first.
        if (const auto slash = target.resource.find('/'); slash != std::string::npos) {
            endpoint_name = std::string_view(target.resource).substr(0, slash);
            uri = target.resource.substr(slash + 1);
        } else if (const auto at = target.resource.rfind('@'); at != std::string::npos) {
            endpoint_name = std::string_view(target.resource).substr(at + 1);
            user = target.resource.substr(0, at);
        }
        endpoint = config->endpoints.find(endpoint_name);
    }
    if (!endpoint) co_return fail("there is no endpoint '{}'", endpoint_name);

    PreparedLeg leg;
    const Contact* contact = nullptr;
    if (uri.empty()) {
        contact = first_available(core, *endpoint);
        if (!contact) co_return fail("'{}' has no contact that can be reached", endpoint->name);
    } else {
        // The URI of a registered contact goes the way that contact came.
        for (const auto& aor : endpoint->aors)
            for (const auto& known : core.location.contacts(aor))
                if (known.uri == uri) contact = &known;
    }
    if (contact) {
        auto reached =
            co_await contact_target(core, *contact, endpoint->outbound_proxy, endpoint->transport);
        if (!reached) co_return std::unexpected(reached.error());
        leg.target.uri = std::move(reached->uri);
        leg.target.flow = reached->flow;
        leg.target.route = std::move(reached->route);
        leg.target.others = std::move(reached->others);
        if (!user.empty()) leg.target.uri = with_user(leg.target.uri, user);
    } else {
        if (!istarts_with(uri, "sip:") && !istarts_with(uri, "sips:"))
            co_return fail("'{}' is not a SIP URI", uri);
        std::string hop = endpoint->outbound_proxy.empty() ? uri : endpoint->outbound_proxy;
        std::string transport = endpoint->transport;
        auto flows = co_await next_hops(core, std::move(hop), transport);
        if (!flows) co_return std::unexpected(flows.error());
        leg.target.uri = uri;
        leg.target.flow = flows->front();
        leg.target.others.assign(flows->begin() + 1, flows->end());
        if (!endpoint->outbound_proxy.empty())
            leg.target.route.push_back(route_value(endpoint->outbound_proxy));
    }
    leg.channel = SipChannel::outgoing(
        core, std::shared_ptr<const config::Endpoint>(config, endpoint), std::move(linkedid));
    co_return leg;
}

Task<Result<OutgoingLeg>> OutgoingLeg::make(Core& core, DialTarget target, std::string linkedid) {
    OutgoingLeg leg;
    if (iequals(target.technology, "Local")) {
        auto local = LocalChannel::make(core, target.resource, std::move(linkedid));
        if (!local) co_return std::unexpected(local.error());
        leg.channel_ = std::move(*local);
        co_return leg;
    }
    auto prepared = co_await prepare_leg(core, std::move(target), std::move(linkedid));
    if (!prepared) co_return std::unexpected(prepared.error());
    leg.channel_ = std::move(prepared->channel);
    leg.target_ = std::move(prepared->target);
    co_return leg;
}

Task<Result<>> OutgoingLeg::dial(Bridge::Starter starter, std::vector<media::CodecSpec> preferred) {
    if (auto* const local = dynamic_cast<LocalChannel*>(channel_.get())) {
        local->dialled_by(std::move(preferred));
        co_return local->start(starter);
    }
    target_.preferred = std::move(preferred);
    co_return co_await static_cast<SipChannel&>(*channel_).dial(std::move(target_));
}

}  // namespace strowger::pbx
