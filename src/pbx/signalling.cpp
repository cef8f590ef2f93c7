#include "pbx/signalling.hpp"

#include <algorithm>
#include <array>
#include <tuple>

#include "base/log.hpp"
#include "base/text.hpp"

namespace strowger::pbx {

namespace {

constexpr std::size_t max_cached_sources = 4096;
// Half a second of a thousand calls a second; the kernel gives what net.core.rmem_max allows.
constexpr int receive_buffer = 4 << 20;
constexpr log::About about{"sip"};

sip::Transport wire_transport(config::Transport::Protocol protocol) {
    using Protocol = config::Transport::Protocol;
    switch (protocol) {
        case Protocol::tcp: return sip::Transport::tcp;
        case Protocol::tls: return sip::Transport::tls;
        case Protocol::ws: return sip::Transport::ws;
        case Protocol::wss: return sip::Transport::wss;
        default: return sip::Transport::udp;
    }
}

// `method` names one version; sslv23 and its like, and nothing, all that are safe.
void choose_versions(std::string_view method, io::TlsContext::Options& options) {
    using Version = io::TlsVersion;
    static constexpr std::array<std::pair<std::string_view, Version>, 4> methods{
        {{"tlsv1", Version::tls1_0},
         {"tlsv1_1", Version::tls1_1},
         {"tlsv1_2", Version::tls1_2},
         {"tlsv1_3", Version::tls1_3}}};
    for (const auto& [name, version] : methods)
        if (iequals(method, name)) options.min_version = options.max_version = version;
}

io::TlsContext::Options tls_options(const config::Transport& transport) {
    io::TlsContext::Options options;
    options.certificate_file = transport.cert_file;
    options.key_file = transport.priv_key_file;
    options.key_password = transport.password;
    options.ca_file = transport.ca_list_file;
    options.ca_directory = transport.ca_list_path;
    options.check_client_certificate = transport.verify_client;
    options.require_client_certificate = transport.require_client_cert;
    options.verify_peer = transport.verify_server;
    options.allow_wildcards = transport.allow_wildcard_certs;
    options.ciphers = transport.cipher;
    choose_versions(transport.method, options);
    return options;
}

// What the connections of a transport are told, whoever opens them.
void apply(const config::Transport& transport, io::Stream::Options& options) {
    options.tos = transport.tos;
    options.keepalive = {transport.tcp_keepalive_enable,
                         std::chrono::seconds{transport.tcp_keepalive_idle_time},
                         std::chrono::seconds{transport.tcp_keepalive_interval_time},
                         transport.tcp_keepalive_probe_count};
}

// What its socket is made of: all that a running one cannot change.
auto socket_settings(const config::Transport& t) {
    return std::tie(t.protocol, t.bind, t.tos, t.cert_file, t.priv_key_file, t.password,
                    t.ca_list_file, t.ca_list_path, t.method, t.cipher, t.verify_client,
                    t.require_client_cert, t.tcp_keepalive_enable, t.tcp_keepalive_idle_time,
                    t.tcp_keepalive_interval_time, t.tcp_keepalive_probe_count);
}

}  // namespace

struct Signalling::Udp {
    std::uint64_t id;
    std::string name;
    std::unique_ptr<io::UdpSocket> socket;
};

/// One byte stream or WebSocket with a SIP peer at its other end.
struct Signalling::Connection {
    sip::Flow flow;
    std::unique_ptr<io::Stream> stream;
    std::unique_ptr<io::WebSocket> socket;
    sip::StreamFramer framer;
    std::string host = {};  ///< that its certificate was checked for
};

Signalling::Signalling(io::Loop& loop, Random& random, sip::TransactionLayer::Config config)
    : loop_(loop), random_(random), layer_(std::move(config), random) {}

Signalling::~Signalling() = default;

Result<> Signalling::open(const config::Transport& transport) {
    using Protocol = config::Transport::Protocol;
    const auto kind = wire_transport(transport.protocol);
    SocketAddress bound;
    switch (transport.protocol) {
        case Protocol::flow: return {};
        case Protocol::udp: {
            const auto id = next_flow_++;
            io::UdpSocket::Options options;
            options.tos = transport.tos;
            options.receive_buffer = receive_buffer;
            auto socket = io::UdpSocket::bind(
                loop_, transport.bind, options,
                [this, id](std::span<const io::UdpSocket::Datagram> datagrams) {
                    for (const auto& datagram : datagrams)
                        receive({sip::Transport::udp, datagram.local, datagram.remote, id},
                                as_text(datagram.bytes));
                    pump();
                });
            if (!socket)
                return std::unexpected(socket.error().within("transport '" + transport.name + "'"));
            bound = (*socket)->local();
            udp_.push_back(std::make_unique<Udp>(Udp{id, transport.name, std::move(*socket)}));
            break;
        }
        case Protocol::tcp:
        case Protocol::tls: {
            io::Listener::Options options;
            options.max_connections = max_connections;
            apply(transport, options.stream);
            if (kind == sip::Transport::tls) {
                auto tls = io::TlsContext::server(tls_options(transport));
                if (!tls)
                    return std::unexpected(
                        tls.error().within("transport '" + transport.name + "'"));
                options.tls = *tls;
            }
            Server server{transport.name};
            server.tls = options.tls;
            auto listener = io::Listener::tcp(loop_, transport.bind, std::move(options),
                                              [this, kind](std::unique_ptr<io::Stream> stream) {
                                                  adopt(std::move(stream), kind);
                                              });
            if (!listener)
                return std::unexpected(
                    listener.error().within("transport '" + transport.name + "'"));
            bound = (*listener)->local();
            server.listener = std::move(*listener);
            servers_.push_back(std::move(server));
            break;
        }
        case Protocol::ws:
        case Protocol::wss: {
            std::shared_ptr<io::TlsContext> tls;
            if (kind == sip::Transport::wss) {
                auto made = io::TlsContext::server(tls_options(transport));
                if (!made)
                    return std::unexpected(
                        made.error().within("transport '" + transport.name + "'"));
                tls = *made;
            }
            auto server = std::make_unique<io::HttpServer>(loop_, io::HttpServer::Options{});
            io::WebSocket::Options options;
            options.subprotocols = {"sip"};
            options.require_subprotocol = true;  // RFC 7118 section 4
            options.max_message = sip::Message::max_size;
            server->websocket("/ws", options, [this](std::unique_ptr<io::WebSocket> socket) {
                adopt(std::move(socket));
            });
            auto address = server->listen(transport.bind, tls);
            if (!address)
                return std::unexpected(
                    address.error().within("transport '" + transport.name + "'"));
            bound = *address;
            servers_.push_back({transport.name, nullptr, std::move(server), tls});
            break;
        }
    }
    listening_.push_back({transport.name, kind, bound});
    transports_.push_back(transport);
    transports_.back().bind = bound;
    return {};
}

std::vector<std::string> Signalling::change(const std::vector<config::Transport>& wanted) {
    std::vector<std::string> complaints;
    const auto still_wanted = [&](const std::string& name) -> const config::Transport* {
        for (const auto& transport : wanted)
            if (transport.name == name) return &transport;
        return nullptr;
    };
    std::vector<std::string> gone;
    for (const auto& open : transports_)
        if (!still_wanted(open.name)) gone.push_back(open.name);
    for (const auto& name : gone) {
        if (named(name)->allow_reload)
            close(name);
        else
            complaints.push_back("transport '" + name + "' stays until the restart");
    }
    for (const auto& transport : wanted) {
        const auto known = std::find_if(transports_.begin(), transports_.end(),
                                        [&](const auto& t) { return t.name == transport.name; });
        if (known != transports_.end()) {
            auto now = transport;
            // A port that the kernel chose stays.
            if (now.bind.port == 0 && now.bind.ip == known->bind.ip)
                now.bind.port = known->bind.port;
            const bool same = socket_settings(now) == socket_settings(*known);
            if (same || !transport.allow_reload) {
                if (!same)
                    complaints.push_back(
                        "transport '" + transport.name +
                        "' was changed; that takes a restart, or allow_reload=yes");
                auto kept = std::move(now);
                if (!same) {
                    kept = *known;
                    kept.local_net = transport.local_net;
                    kept.external_signaling_address = transport.external_signaling_address;
                    kept.external_signaling_port = transport.external_signaling_port;
                    kept.external_media_address = transport.external_media_address;
                }
                *known = std::move(kept);
                continue;
            }
            close(transport.name);
        }
        if (auto opened = open(transport); !opened) complaints.push_back(opened.error().text());
    }
    client_tls_.clear();
    return complaints;
}

// Connections that it accepted stay.
void Signalling::close(const std::string& name) {
    LOG_NOTICE(about, "transport '{}' is closed", name);
    std::erase_if(udp_, [&](const auto& udp) { return udp->name == name; });
    std::erase_if(servers_, [&](const auto& server) { return server.name == name; });
    std::erase_if(listening_, [&](const auto& listening) { return listening.name == name; });
    std::erase_if(transports_, [&](const auto& transport) { return transport.name == name; });
}

const config::Transport* Signalling::named(std::string_view name) const {
    for (const auto& transport : transports_)
        if (transport.name == name) return &transport;
    return nullptr;
}

Result<> Signalling::reload_certificates() {
    for (const auto& server : servers_)
        if (server.tls)
            if (auto result = server.tls->reload(); !result) return result;
    client_tls_.clear();
    return {};
}

sip::OwnerTag Signalling::attach(Handler handler) {
    const auto owner = next_owner_++;
    owners_.emplace(owner, std::make_shared<Handler>(std::move(handler)));
    return owner;
}

void Signalling::receive(const sip::Flow& flow, std::string_view bytes) {
    if (tap_) tap_(flow, bytes, false);
    layer_.receive(flow, bytes, loop_.now());
}

void Signalling::touch() {
    if (touched_ || pumping_) return;
    touched_ = true;
    loop_.at_round_end([this, alive = std::weak_ptr(alive_)] {
        if (alive.expired()) return;
        touched_ = false;
        pump();
    });
}

void Signalling::pump() {
    if (pumping_) return;
    pumping_ = true;
    sip::Transmit transmit;
    sip::TransactionEvent event;
    for (bool more = true; more;) {
        more = false;
        while (layer_.poll(event)) {
            dispatch(event);
            more = true;
        }
        while (layer_.poll(transmit)) {
            send(transmit);
            more = true;
        }
    }
    pumping_ = false;
    arm();
}

void Signalling::arm() {
    const auto deadline = layer_.deadline();
    if (deadline == armed_ && (timer_.pending() || deadline == Time::max())) return;
    armed_ = deadline;
    if (deadline == Time::max()) {
        timer_.cancel();
        return;
    }
    timer_ = loop_.at(deadline, [this] {
        armed_ = Time::max();
        layer_.tick(loop_.now());
        pump();
    });
}

void Signalling::dispatch(const sip::TransactionEvent& event) {
    const auto owner = std::visit(
        [](const auto& e) -> sip::OwnerTag {
            if constexpr (requires { e.owner; })
                return e.owner;
            else
                return 0;
        },
        event);
    if (owner != 0) {
        if (const auto found = owners_.find(owner); found != owners_.end()) {
            const auto handler = found->second;  // it may detach itself
            (*handler)(event);
        }
        return;
    }
    if (on_request_) on_request_(event);
}

void Signalling::send(const sip::Transmit& transmit) {
    const auto& flow = transmit.flow;
    if (tap_) tap_(flow, transmit.bytes, true);
    if (flow.transport == sip::Transport::udp) {
        for (const auto& udp : udp_) {
            if (flow.id != 0 ? udp->id != flow.id
                             : udp->socket->local().ip.is_v4() != flow.remote.ip.is_v4())
                continue;
            udp->socket->send(
                flow.remote, as_bytes(transmit.bytes),
                flow.local.ip.is_unspecified() ? std::nullopt : std::optional(flow.local.ip));
            return;
        }
        LOG_WARNING((log::About{"sip", {}, flow.remote.text()}), "no UDP socket to send from");
        return;
    }
    Connection* connection = nullptr;
    if (const auto found = connections_.find(flow.id); found != connections_.end())
        connection = found->second.get();
    if (!connection) connection = connect(flow);
    if (!connection) {
        layer_.transport_failed(flow.id);
        return;
    }
    const bool taken = connection->socket ? connection->socket->send_text(transmit.bytes)
                                          : connection->stream->send(transmit.bytes);
    if (!taken)
        LOG_VERBOSE((log::About{"sip", {}, flow.remote.text()}),
                    "connection is closing; message dropped");
}

Signalling::Connection& Signalling::keep(std::unique_ptr<Connection> connection) {
    const auto& flow = connection->flow;
    by_remote_.emplace(flow.remote, flow.id);
    return *connections_.emplace(flow.id, std::move(connection)).first->second;
}

void Signalling::adopt(std::unique_ptr<io::Stream> stream, sip::Transport transport) {
    const auto id = next_flow_++;
    auto connection = std::make_unique<Connection>();
    connection->flow = {transport, stream->local(), stream->remote(), id};
    connection->stream = std::move(stream);
    auto& placed = keep(std::move(connection));
    placed.stream->start({.bytes = [this, id](Bytes bytes) { stream_bytes(id, bytes); },
                          .closed = [this, id](const Error&) { closed(id); }});
}

void Signalling::stream_bytes(std::uint64_t id, Bytes bytes) {
    const auto found = connections_.find(id);
    if (found == connections_.end()) return;
    auto& connection = *found->second;
    connection.framer.receive(bytes);
    for (;;) {
        const auto frame = connection.framer.next();
        if (!frame) {
            LOG_NOTICE((log::About{"sip", {}, connection.flow.remote.text()}), "{}; closing",
                       frame.error().text());
            receive(connection.flow,
                    connection.framer.pending());  // so that it is answered, if it can be
            pump();
            connection.stream->close();
            return;
        }
        if (!*frame) break;
        if ((*frame)->kind == sip::StreamFramer::Kind::ping)
            connection.stream->send("\r\n");
        else if ((*frame)->kind == sip::StreamFramer::Kind::message)
            receive(connection.flow, (*frame)->bytes);
    }
    pump();
}

void Signalling::adopt(std::unique_ptr<io::WebSocket> socket) {
    const auto id = next_flow_++;
    auto connection = std::make_unique<Connection>();
    connection->flow = {socket->secure() ? sip::Transport::wss : sip::Transport::ws,
                        socket->local(), socket->remote(), id};
    connection->socket = std::move(socket);
    auto& placed = keep(std::move(connection));
    placed.socket->start({.message =
                              [this, id](Bytes bytes, bool) {
                                  const auto found = connections_.find(id);
                                  if (found == connections_.end()) return;
                                  receive(found->second->flow, as_text(bytes));
                                  pump();
                              },
                          .closed = [this, id](const Error&) { closed(id); }});
}

// The rules of the transport that the connection belongs to; of the first TLS transport when it
// belongs to none, and without any of those: whatever certificate there is.
std::shared_ptr<io::TlsContext> Signalling::client_context(const std::string& transport) {
    auto& context = client_tls_[transport];
    if (context) return context;
    const auto* rules = named(transport);
    if (!rules || rules->protocol != config::Transport::Protocol::tls)
        for (const auto& other : transports_)
            if (other.protocol == config::Transport::Protocol::tls) {
                rules = &other;
                break;
            }
    io::TlsContext::Options options;
    options.verify_peer = false;
    if (rules) options = tls_options(*rules);
    auto made = io::TlsContext::client(std::move(options));
    if (!made) {
        LOG_WARNING(about, "TLS client: {}", made.error().text());
        return nullptr;
    }
    return context = *made;
}

Signalling::Connection* Signalling::connect(const sip::Flow& flow) {
    if (flow.transport == sip::Transport::ws || flow.transport == sip::Transport::wss)
        return nullptr;
    if (connections_.size() >= max_connections) return nullptr;
    Expected expected;
    if (const auto known = expected_.find(flow.id); known != expected_.end()) {
        expected = std::move(known->second);
        expected_.erase(known);
    }
    io::Stream::Options options;
    if (const auto* rules = named(expected.transport)) apply(*rules, options);
    if (flow.transport == sip::Transport::tls) {
        options.tls = client_context(expected.transport);
        if (!options.tls) return nullptr;
        options.server_name = expected.host;
    }
    const auto id = flow.id != 0 ? flow.id : next_flow_++;
    auto connection = std::make_unique<Connection>();
    connection->flow = flow;
    connection->flow.id = id;
    connection->host = expected.host;
    auto& placed = keep(std::move(connection));
    placed.stream = io::Stream::connect(
        loop_, flow.remote, std::move(options),
        {.bytes = [this, id](Bytes bytes) { stream_bytes(id, bytes); },
         .closed =
             [this, id](const Error& why) {
                 const auto known = connections_.find(id);
                 if (known != connections_.end() && !why.text().empty())
                     LOG_NOTICE((log::About{"sip", {}, known->second->flow.remote.text()}),
                                "connection ended: {}", why.text());
                 closed(id);
             }});
    return &placed;
}

void Signalling::closed(std::uint64_t id) {
    // The stream that reports its end is still on the stack: let it go in the next round.
    if (const auto found = connections_.find(id); found != connections_.end()) {
        auto gone = std::make_shared<std::unique_ptr<Connection>>(std::move(found->second));
        connections_.erase(found);
        const auto [begin, end] = by_remote_.equal_range((*gone)->flow.remote);
        for (auto at = begin; at != end; ++at) {
            if (at->second != id) continue;
            by_remote_.erase(at);
            break;
        }
        loop_.post([gone] {});
    }
    layer_.transport_failed(id);
    for (const auto& handler : on_flow_closed_) handler(id);
    pump();
}

IpAddress Signalling::source_for(const IpAddress& remote) {
    if (const auto known = sources_.find(remote); known != sources_.end()) return known->second;
    if (sources_.size() >= max_cached_sources)
        sources_.clear();  // also forgets routes that changed
    const auto source = io::UdpSocket::source_for(remote).value_or(
        remote.is_v4() ? IpAddress::any_v4() : IpAddress::any_v6());
    sources_.emplace(remote, source);
    return source;
}

Result<sip::Flow> Signalling::flow_to(sip::Transport transport, const SocketAddress& remote,
                                      std::string_view transport_name, std::string_view host) {
    const auto choose = [&](bool by_name) -> const Listening* {
        for (const auto& candidate : listening_)
            if (candidate.transport == transport &&
                candidate.address.ip.is_v4() == remote.ip.is_v4() &&
                (!by_name || candidate.name == transport_name))
                return &candidate;
        return nullptr;
    };
    const Listening* from = transport_name.empty() ? nullptr : choose(true);
    if (!from) from = choose(false);
    if (!from && transport == sip::Transport::udp)
        return fail("no {} transport of that address family to reach {}", via_name(transport),
                    remote.text());
    sip::Flow flow{transport, {}, remote, 0};
    if (from) flow.local = from->address;
    if (flow.local.ip.is_unspecified()) flow.local.ip = source_for(remote.ip);
    if (transport == sip::Transport::udp) {
        for (const auto& udp : udp_)
            if (udp->name == from->name) flow.id = udp->id;
        return flow;
    }
    // A connection whose certificate was for another name proves nothing about this one.
    const auto* rules = from ? named(from->name) : nullptr;
    const bool checked = transport == sip::Transport::tls && rules && rules->verify_server;
    const auto [begin, end] = by_remote_.equal_range(remote);
    for (auto at = begin; at != end; ++at) {
        const auto& known = *connections_.at(at->second);
        if (known.flow.transport == transport && (!checked || iequals(known.host, host)))
            return known.flow;
    }
    flow.id = next_flow_++;  // the connection is opened with that id when something is sent
    if (expected_.size() >= max_expected) expected_.clear();
    expected_[flow.id] = {from ? from->name : std::string(transport_name), std::string(host)};
    return flow;
}

bool Signalling::has_flow(std::uint64_t id) const {
    return connections_.contains(id) ||
           std::any_of(udp_.begin(), udp_.end(), [&](const auto& udp) { return udp->id == id; });
}

const config::Transport* Signalling::transport_of(const sip::Flow& flow) const {
    const config::Transport* fallback = nullptr;
    for (const auto& transport : transports_) {
        if (wire_transport(transport.protocol) != flow.transport) continue;
        if (transport.bind.ip.is_v4() != flow.remote.ip.is_v4()) continue;
        if (transport.bind.port == flow.local.port) return &transport;
        if (!fallback) fallback = &transport;
    }
    return fallback;
}

}  // namespace strowger::pbx
