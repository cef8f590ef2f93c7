#include "relay/server.hpp"

#include "io/clock.hpp"
#include "io/host_addresses.hpp"
#include "relay/command_line.hpp"

namespace strowger::relay {
namespace {

// Proxies keep one or a few connections open; a flood of them is none.
constexpr std::size_t max_connections = 1024;

// A proxy that does not take a request in this time has other troubles; and when a network fails,
// all calls of it time out together.
constexpr Duration teardown_patience = std::chrono::seconds{10};
constexpr std::size_t max_telling = 256;

constexpr Duration refusal_interval = std::chrono::seconds{10};  // a flood fills no log

}  // namespace

Server::Server(io::Loop& loop, Settings settings, Interfaces interfaces)
    : loop_(loop),
      relay_(std::make_unique<Relay>(std::move(settings), std::move(interfaces),
                                     Relay::Clock{.now = [&loop] { return loop.now(); },
                                                  .wall = [] { return io::wall_now(); }})),
      resolver_(loop, {}),
      teardown_(loop, resolver_, {.max_body = 64 << 10, .timeout = teardown_patience}) {
    media_ = std::make_unique<io::Watch>(loop, relay_->engine().event_fd());
    media_->on_readable([this] { relay_->engine().dispatch(); });
    relay_->set_command_line(
        [this](std::string_view command) { return run_command(*relay_, command); });
    relay_->set_teardown([this](std::string url, std::string body) {
        if (telling_ < max_telling)
            tasks_.spawn(tell_teardown(std::move(url), std::move(body)));
        else
            LOG_WARNING((log::About{"relay"}),
                        "b2b-url: {} requests are under way; one is left out", telling_);
    });
    tick();
}

Task<> Server::tell_teardown(std::string url, std::string body) {
    ++telling_;
    io::HttpClient::Request request;
    request.method = "POST";
    request.url = url;
    request.headers.add("Content-Type", "text/xml");
    request.body = std::move(body);
    const auto response = co_await teardown_.fetch(std::move(request));
    --telling_;
    if (!response)
        LOG_WARNING((log::About{"relay"}), "b2b-url: {}: {}", url, response.error().text());
    else if (response->status != 200)
        LOG_WARNING((log::About{"relay"}), "b2b-url: {}: status {}", url, response->status);
}

Server::~Server() { relay_->end_all(); }

Result<std::unique_ptr<Server>> Server::start(io::Loop& loop, Settings settings) {
    auto random = Random::system();
    auto interfaces = Interfaces::make(settings.interfaces, settings.port_min, settings.port_max,
                                       io::addresses_of, random);
    if (!interfaces) return std::unexpected(interfaces.error());
    std::unique_ptr<Server> server(new Server(loop, std::move(settings), std::move(*interfaces)));
    if (auto listening = server->listen(); !listening) return std::unexpected(listening.error());
    return server;
}

Result<> Server::listen() {
    const Settings& settings = relay_->settings();
    for (const auto& address : settings.listen_ng) {
        const auto place = udp_.size();
        udp_.emplace_back();
        const io::UdpSocket::Options options{.v6_only = true, .tos = settings.control_tos};
        auto socket = io::UdpSocket::bind(loop_, address, options, [this, place](auto datagrams) {
            for (const auto& datagram : datagrams) {
                const auto reply = answer(datagram.remote, as_text(datagram.bytes));
                if (reply) udp_[place]->send(datagram.remote, as_bytes(*reply), datagram.local.ip);
            }
        });
        if (!socket) return std::unexpected(socket.error().within("listen-ng"));
        udp_[place] = std::move(*socket);
    }
    io::Listener::Options options{.max_connections = max_connections, .v6_only = true};
    options.first_bytes_timeout =
        Duration{};  // a proxy connects early, and asks when there is a call
    for (const auto& address : settings.listen_tcp_ng) {
        auto listener = io::Listener::tcp(loop_, address, options,
                                          [this](auto stream) { accept_ng(std::move(stream)); });
        if (!listener) return std::unexpected(listener.error().within("listen-tcp-ng"));
        listeners_.push_back(std::move(*listener));
    }
    for (const auto& address : settings.listen_cli) {
        auto listener = io::Listener::tcp(
            loop_, address, options, [this](auto stream) { accept_command(std::move(stream)); });
        if (!listener) return std::unexpected(listener.error().within("listen-cli"));
        listeners_.push_back(std::move(*listener));
    }
    return serve_http();
}

bool Server::allowed(const SocketAddress& sender) {
    const auto& networks = relay_->settings().control_allow;
    if (networks.empty()) return true;
    for (const auto& network : networks)
        if (network.contains(sender.ip)) return true;
    if (loop_.now() - refusal_told_ >= refusal_interval) {
        refusal_told_ = loop_.now();
        LOG_WARNING((log::About{"relay", {}, sender.text()}),
                    "refused: the address is not in control-allow");
    }
    return false;
}

std::optional<std::string> Server::answer(const SocketAddress& sender, std::string_view message) {
    if (!allowed(sender)) return std::nullopt;
    const auto parts = ng::split_message(message);
    if (!parts) {
        LOG_WARNING((log::About{"relay", {}, sender.text()}), "{} bytes without a cookie; no reply",
                    message.size());
        return std::nullopt;
    }
    if (const auto* known = cookies_.find(sender, parts->cookie, loop_.now())) return *known;
    auto reply = ng::join_message(parts->cookie, relay_->handle(parts->document, sender.ip));
    cookies_.keep(sender, parts->cookie, reply, loop_.now());
    return reply;
}

void Server::accept_ng(std::unique_ptr<io::Stream> stream) {
    if (!allowed(stream->remote())) return;
    const auto id = stream->id();
    auto& connection = connections_[id] = std::make_unique<Connection>();
    connection->stream = std::move(stream);
    connection->stream->start(
        {.bytes =
             [this, id](Bytes bytes) {
                 Connection& from = *connections_.at(id);
                 from.framer.receive(as_text(bytes));
                 for (;;) {
                     const auto message = from.framer.poll();
                     if (!message) {
                         connections_.erase(id);
                         return;
                     }
                     if (!*message) return;
                     const auto whole = ng::join_message((*message)->cookie, (*message)->document);
                     if (const auto reply = answer(from.stream->remote(), whole))
                         from.stream->send(*reply);
                 }
             },
         .closed = [this, id](const Error&) { connections_.erase(id); }});
}

void Server::tick() {
    relay_->tick();
    timer_ = loop_.after(std::chrono::seconds{1}, [this] { tick(); });
}

void Server::reload(const Settings& settings) {
    Settings& now = relay_->settings();
    now.timeout = settings.timeout;
    now.silent_timeout = settings.silent_timeout;
    now.final_timeout = settings.final_timeout;
    now.offer_timeout = settings.offer_timeout;
    now.delete_delay = settings.delete_delay;
    now.max_sessions = settings.max_sessions;
    now.max_load = settings.max_load;
    now.learning = settings.learning;
    now.sip_source = settings.sip_source;
    now.templates = settings.templates;
    now.control_allow = settings.control_allow;
    now.tos = settings.tos;
    now.record = settings.record;            // for calls whose recording begins from now on
    now.measure_rtp = settings.measure_rtp;  // of calls that begin from now on, as the next
    now.rtcp_interval = settings.rtcp_interval;
    now.jitter_buffer = settings.jitter_buffer;
    now.pauses = settings.pauses;
    now.hold_duration = settings.hold_duration;
    now.hold_repeats = settings.hold_repeats;
    now.dtls_passive = settings.dtls_passive;
    now.save_interface_ports = settings.save_interface_ports;
    now.dtls_mtu = settings.dtls_mtu;
    now.b2b_url = settings.b2b_url;
    now.xmlrpc_format = settings.xmlrpc_format;
    now.log_level = settings.log_level;
    log::set_level(level_of(now.log_level));
    const auto told = [](std::string_view what) {
        LOG_WARNING((log::About{"relay"}), "reload: {} changes only with a restart", what);
    };
    if (now.listen_ng != settings.listen_ng || now.listen_tcp_ng != settings.listen_tcp_ng ||
        now.listen_cli != settings.listen_cli || now.listen_http != settings.listen_http ||
        now.listen_https != settings.listen_https)
        told("where to listen");
    if (now.port_min != settings.port_min || now.port_max != settings.port_max)
        told("the range of ports");
    if (now.interfaces != settings.interfaces) told("the interfaces");
    if (now.threads != settings.threads) told("the number of threads");
    if (now.codec_threads != settings.codec_threads) told("codec-num-threads");
    if (now.control_tos != settings.control_tos) told("control-tos");
    if (now.pidfile != settings.pidfile) told("pidfile");
    if (now.dtls_certificate != settings.dtls_certificate) told("the kind of certificate");
    if (now.dtls_ciphers != settings.dtls_ciphers) told("dtls-ciphers");
    if (now.https_certificate != settings.https_certificate || now.https_key != settings.https_key)
        told("the names of the files of https-cert and https-key");
    if (tls_)
        if (auto read = tls_->reload(); !read)
            LOG_WARNING((log::About{"relay"}), "https-cert stays as it was: {}",
                        read.error().text());
    LOG_NOTICE((log::About{"relay"}), "reloaded");
}

}  // namespace strowger::relay
