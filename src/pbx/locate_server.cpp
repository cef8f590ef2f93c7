#include "pbx/locate_server.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "wire/sip/uri.hpp"

namespace strowger::pbx {

namespace {

using sip::Transport;

/// What is known of the target from the URI alone.
struct Wanted {
    std::string host;  ///< maddr, or the host (section 4: TARGET)
    std::optional<std::uint16_t> port;
    std::optional<Transport> transport;
    bool secure = false;
};

// Section 4.1: sips goes over TLS even where the transport parameter names what TLS runs on.
Transport secured(Transport transport) {
    if (transport == Transport::tcp) return Transport::tls;
    if (transport == Transport::ws) return Transport::wss;
    return transport;
}

Result<Wanted> wanted_by(std::string_view text) {
    const auto uri = sip::Uri::parse(text);
    if (!uri) return std::unexpected(uri.error());
    if (!iequals(uri->scheme, "sip") && !iequals(uri->scheme, "sips"))
        return fail("'{}' is no SIP URI, so there is no server to send to", text);
    Wanted wanted;
    wanted.secure = uri->is_secure();
    wanted.host = uri->parameter("maddr").value_or(uri->host);
    if (wanted.host.empty()) return fail("'{}' names no host", text);
    wanted.port = uri->port;
    if (const auto name = uri->parameter("transport")) {
        wanted.transport = transport_by_name(*name);
        if (!wanted.transport) return fail("'{}': transport '{}' is not known here", text, *name);
        if (wanted.secure) wanted.transport = secured(*wanted.transport);
        if (wanted.secure && !sip::is_secure(*wanted.transport))
            return fail("'{}': sips cannot go over {}", text, *name);
    }
    return wanted;
}

// Section 4.1, where neither NAPTR nor SRV decides.
Transport default_transport(const Wanted& wanted, const Reach& reach) {
    if (wanted.secure) return Transport::tls;
    if (reach.preferred) return *reach.preferred;
    if (reach.udp) return Transport::udp;
    return reach.tcp ? Transport::tcp : Transport::tls;
}

std::string srv_name(Transport transport, std::string_view host) {
    std::string name = transport == Transport::udp                                 ? "_sip._udp."
                       : transport == Transport::tls                               ? "_sips._tcp."
                       : transport == Transport::ws || transport == Transport::wss ? "_sip._ws."
                                                                                   : "_sip._tcp.";
    return name.append(host);
}

std::optional<Transport> naptr_transport(std::string_view service) {
    static constexpr std::array<std::pair<std::string_view, Transport>, 3> services{
        {{"SIPS+D2T", Transport::tls}, {"SIP+D2T", Transport::tcp}, {"SIP+D2U", Transport::udp}}};
    for (const auto& [name, transport] : services)
        if (iequals(service, name)) return transport;
    return std::nullopt;
}

void add(std::vector<Hop>& hops, Transport transport, const IpAddress& ip, std::uint16_t port) {
    const Hop hop{transport, {ip, port}};
    if (hops.size() < max_hops && std::find(hops.begin(), hops.end(), hop) == hops.end())
        hops.push_back(hop);
}

// Section 4.2: the servers behind one SRV name.
Task<Result<>> add_srv(io::Resolver& resolver, Random& random, std::string name,
                       Transport transport, std::vector<Hop>& hops) {
    auto records = co_await resolver.srv(name);
    if (!records) co_return std::unexpected(records.error());
    io::order_srv(*records, random);
    for (auto& record : *records) {
        // RFC 2782: a target of "." says that the service is decidedly not there.
        if (record.target.empty() || record.target == ".") continue;
        const auto ips = co_await resolver.addresses(record.target);
        if (!ips) continue;
        for (const auto& ip : *ips)
            add(hops, transport, ip, record.port != 0 ? record.port : default_port(transport));
        if (hops.size() == max_hops) break;
    }
    if (hops.empty())
        co_return fail_with(io::Resolver::not_found, "'{}' leads to no address", name);
    co_return Result<>{};
}

}  // namespace

bool Reach::has(Transport transport) const {
    switch (transport) {
        case Transport::udp: return udp;
        case Transport::tcp: return tcp;
        case Transport::tls: return tls;
        default:
            return false;  // browsers come to us; they cannot be called up (RFC 7118 section 5)
    }
}

std::optional<Transport> transport_by_name(std::string_view name) {
    for (const auto transport :
         {Transport::udp, Transport::tcp, Transport::tls, Transport::ws, Transport::wss})
        if (iequals(name, uri_name(transport))) return transport;
    return std::nullopt;
}

Task<Result<std::vector<Hop>>> locate_server(io::Resolver& resolver, Random& random,
                                             std::string uri, Reach reach) {
    const auto wanted = wanted_by(uri);
    if (!wanted) co_return std::unexpected(wanted.error());
    std::vector<Hop> hops;

    if (const auto literal = IpAddress::parse(wanted->host)) {
        const auto transport = wanted->transport.value_or(default_transport(*wanted, reach));
        add(hops, transport, *literal, wanted->port.value_or(default_port(transport)));
        co_return hops;
    }

    std::optional<Error>
        temporary;  // a server that does not answer is told from a name that is not there
    const auto note = [&](const Error& error) {
        if (error.code() != io::Resolver::not_found && !temporary) temporary = error;
    };
    auto transport = wanted->transport;
    if (!transport && !wanted->secure) transport = reach.preferred;

    if (!wanted->port) {
        if (!transport) {
            auto records = co_await resolver.naptr(wanted->host);
            if (records) {
                io::order_naptr(*records);
                for (const auto& record : *records) {
                    const auto offered = naptr_transport(record.service);
                    if (!offered || !iequals(record.flags, "s") || !reach.has(*offered)) continue;
                    if (wanted->secure && !sip::is_secure(*offered)) continue;
                    std::string name = record.replacement;
                    const auto added =
                        co_await add_srv(resolver, random, std::move(name), *offered, hops);
                    if (!added) note(added.error());
                    if (hops.size() == max_hops) break;
                }
            } else {
                note(records.error());
            }
            if (!hops.empty()) co_return hops;
        }
        std::vector<Transport> order;
        if (transport) {
            order = {*transport};
        } else {
            for (const auto candidate : {Transport::udp, Transport::tcp, Transport::tls})
                if (reach.has(candidate) && (!wanted->secure || sip::is_secure(candidate)))
                    order.push_back(candidate);
        }
        for (const auto candidate : order) {
            std::string name = srv_name(candidate, wanted->host);
            const auto added = co_await add_srv(resolver, random, std::move(name), candidate, hops);
            if (!added) note(added.error());
            // Without a NAPTR we choose, so the first transport that the domain serves is enough.
            if (!hops.empty()) co_return hops;
        }
    }

    const auto chosen = transport.value_or(default_transport(*wanted, reach));
    std::string host = wanted->host;
    const auto ips = co_await resolver.addresses(std::move(host));
    if (ips)
        for (const auto& ip : *ips)
            add(hops, chosen, ip, wanted->port.value_or(default_port(chosen)));
    else
        note(ips.error());
    if (!hops.empty()) co_return hops;
    if (temporary)
        co_return fail_with(io::Resolver::temporary, "cannot find '{}': no answer from DNS ({})",
                            wanted->host, temporary->text());
    co_return fail_with(io::Resolver::not_found, "cannot find '{}': {}", wanted->host,
                        wanted->port ? "the name has no address"
                                     : "the name has neither SRV records nor an address");
}

}  // namespace strowger::pbx
