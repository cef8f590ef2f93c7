#include "echo/server.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/text.hpp"
#include "echo/page.hpp"
#include "io/clock.hpp"

namespace strowger::echo {

namespace {

using Json = nlohmann::json;
using Session = media::WebrtcSession;

// Longer than the pause (7 s) of a handshake that is tried again after 1, 2 and 4 s and of which two
// tries are lost.
constexpr auto sctp_patience = std::chrono::seconds{10};

log::About about(std::string_view call = {}, std::string_view peer = {}) {
    return {"echo", call, peer};
}

// What is no UTF-8 may stand in an error's text, as the offer's own words do.
std::string text_of(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

io::HttpResponse refuse(int status, std::string_view why) {
    return io::HttpResponse::json(status, text_of({{"error", why}}) + "\n");
}

/// RTCSessionDescriptionInit; other members are not ours to judge.
Result<std::string> read_offer(const std::string& body) {
    const auto json = Json::parse(body, nullptr, false);
    if (!json.is_object()) return fail("expected a JSON object with type and sdp");
    const auto type = json.find("type"), sdp = json.find("sdp");
    if (type == json.end() || *type != "offer") return fail("expected type to be \"offer\"");
    if (sdp == json.end() || !sdp->is_string()) return fail("expected sdp to be a string");
    return sdp->get<std::string>();
}

// A request's whole life, where an idle connection costs little but its place.
io::HttpServer::Options http_options() {
    io::HttpServer::Options options;
    options.max_header = 16 << 10;
    options.max_body = 256 << 10;  // the largest offers of browsers have 20 KiB
    options.header_timeout = std::chrono::seconds{5};
    options.body_timeout = std::chrono::seconds{10};
    options.keepalive_timeout = std::chrono::seconds{5};
    options.max_connections = 256;
    options.max_per_source = 256;
    return options;
}

std::string_view type_of(std::string_view name) {
    if (name.ends_with(".html")) return "text/html; charset=utf-8";
    if (name.ends_with(".css")) return "text/css; charset=utf-8";
    return "text/javascript; charset=utf-8";
}

void allow_any_origin(io::HttpResponse& response) {
    response.headers.set("Access-Control-Allow-Origin", "*");
}

double milliseconds(Duration duration) { return seconds(duration) * 1000; }

}  // namespace

Server::Server(io::Loop& loop, Options options)
    : loop_(loop),
      options_(std::move(options)),
      identity_(dtls::Certificate::Key::ecdsa_p256, loop.now(), io::wall_now()) {}

Result<std::unique_ptr<Server>> Server::start(io::Loop& loop, Options options) {
    std::unique_ptr<Server> server(new Server(loop, std::move(options)));
    if (auto opened = server->open_ports(); !opened) return std::unexpected(opened.error());
    server->renew_identity();
    return server;
}

Server::~Server() {
    for (const auto id : std::exchange(open_, {})) {
        if (auto* user = dynamic_cast<EchoSession*>(host_->user(id))) user->say_bye();
        if (auto* session = host_->session(id)) session->close();
        host_->work(id);
    }
}

Result<> Server::open_ports() {
    std::shared_ptr<io::TlsContext> tls;
    if (!options_.certificate.empty()) {
        auto context = io::TlsContext::server(
            {.certificate_file = options_.certificate, .key_file = options_.key});
        if (!context) return std::unexpected(context.error());
        tls = *context;
    }
    http_ = std::make_unique<io::HttpServer>(loop_, http_options());
    add_routes();
    auto bound = http_->listen(options_.http, tls);
    if (!bound) return std::unexpected(bound.error());
    http_bound_ = *bound;
    SocketAddress udp = options_.udp;
    if (udp.port == 0) udp.port = http_bound_.port;
    auto host = media::WebrtcHost::start(
        loop_,
        {.bind = udp, .announced = options_.announced, .max_sessions = options_.max_sessions});
    if (!host) return std::unexpected(host.error());
    host_ = std::move(*host);
    LOG_NOTICE(about(), "http{}://{} takes offers, UDP port {} carries sessions", tls ? "s" : "",
               http_bound_.text(), host_->port());
    return {};
}

void Server::add_routes() {
    for (const auto& file : embedded_files()) {
        const auto serve = [&file](const io::HttpRequest&) {
            return io::HttpResponse::of(200, std::string(type_of(file.name)),
                                        std::string(file.bytes));
        };
        http_->route_now("GET", fmt::format("/{}", file.name), serve);
        if (file.name == "index.html") http_->route_now("GET", "/", serve);
    }
    http_->route_now("POST", "/offer", [this](const io::HttpRequest& request) {
        auto response = offer(request);
        allow_any_origin(response);
        return response;
    });
    http_->route_now("OPTIONS", "/offer", [](const io::HttpRequest&) {
        io::HttpResponse response;
        response.status = 204;
        allow_any_origin(response);
        response.headers.set("Access-Control-Allow-Methods", "POST, OPTIONS");
        response.headers.set("Access-Control-Allow-Headers", "Content-Type");
        response.headers.set("Access-Control-Max-Age", "86400");
        return response;
    });
    http_->route_now("GET", "/healthz",
                     [](const io::HttpRequest&) { return io::HttpResponse::text(200, "ok\n"); });
    http_->route_now("GET", "/metrics", [this](const io::HttpRequest&) {
        update_metrics();
        return io::HttpResponse::of(200, std::string(metrics::content_type),
                                    metrics::Registry::global().text());
    });
}

io::HttpResponse Server::offer(const io::HttpRequest& request) {
    const auto sdp = read_offer(request.body);
    auto answered = sdp ? answer(*sdp, request.remote) : std::unexpected(sdp.error());
    const int status = answered ? 200 : answered.error().code() == 503 ? 503 : 400;
    metrics::Registry::global()
        .counter("strowger_echo_offers_total", "Offers by the HTTP status of their answer",
                 {{"status", fmt::format("{}", status)}})
        .add();
    if (!answered) {
        const auto peer = request.remote.text();
        LOG_VERBOSE(about({}, peer), "offer refused: {}", answered.error().text());
        return refuse(status, answered.error().text());
    }
    return io::HttpResponse::json(200, text_of({{"type", "answer"}, {"sdp", *answered}}));
}

Session::Config Server::config_for(const OfferPlan& plan) {
    Session::Config config;
    config.ice.role = ice::Role::controlled;
    config.ice.lite = options_.lite;
    config.ice.ordinary_checks = false;  // the client knows where we are; we return its checks
    config.ice.pacing = std::chrono::milliseconds{5};  // RFC 8445 section 14.2
    config.identity = identity_.current();
    config.media = plan.has_media();
    if (plan.has_channels()) config.sctp.emplace().max_message = max_message;
    config.sctp_patience = sctp_patience;
    return config;
}

Result<std::string> Server::answer(std::string_view offer, const SocketAddress& from) {
    auto plan = OfferPlan::make(offer, host_->random());
    if (!plan) return std::unexpected(plan.error());
    auto& of_source = by_source_[from.ip];
    if (of_source >= options_.max_per_source) {
        return fail_with(503, "{} has {} sessions, as many as may be", from.ip.text(), of_source);
    }
    const bool loopback = from.ip.is_loopback();
    auto user = std::make_unique<EchoSession>(*host_, totals_, plan->lines(), plan->cname());
    auto* session_user = user.get();
    const auto id = host_->open(config_for(*plan), std::move(user), loopback);
    if (!id) {
        if (of_source == 0) by_source_.erase(from.ip);
        return std::unexpected(id.error());
    }
    ++of_source;
    open_.push_back(*id);
    session_user->begin(*id, [this, id = *id, from](const auto& event, Time now) {
        changed(id, from, event, now);
    });
    auto& session = *host_->session(*id);
    if (auto set = session.set_peer(plan->peer(), host_->now()); !set) {
        host_->end(*id);
        return std::unexpected(set.error());
    }
    const media::WebrtcLocal local{.credentials = session.ice().local(),
                                   .lite = options_.lite,
                                   .candidates = host_->candidates(*id, loopback),
                                   .fingerprint = identity_.current()->fingerprint(),
                                   .setup = plan->setup()};
    auto text = plan->answer(local, host_->random());
    host_->work(*id);
    return text;
}

void Server::changed(media::WebrtcHost::SessionId id, const SocketAddress& from,
                     const Session::Event& event, Time now) {
    const auto& session = *host_->session(id);
    const auto& name = session.ice().local().ufrag;
    const auto peer = from.text();
    const auto age = milliseconds(now - session.steps().begun);
    if (event.kind == Session::Event::Kind::connected) {
        metrics::Registry::global()
            .histogram("strowger_echo_connect_seconds", "From the offer to agreed keys",
                       metrics::duration_bounds())
            .observe(age / 1000);
        LOG_VERBOSE(about(name, peer), "connected after {:.1f} ms", age);
    } else if (event.kind == Session::Event::Kind::ended) {
        metrics::Registry::global()
            .counter("strowger_echo_ended_total", "Sessions that ended, by why",
                     {{"reason", std::string(media::text_of(session.end()))}})
            .add();
        LOG_VERBOSE(about(name, peer), "ended after {:.1f} s: {}", age / 1000, session.reason());
        std::erase(open_, id);
        release(from.ip);
    }
}

void Server::release(const IpAddress& source) {
    const auto found = by_source_.find(source);
    if (found != by_source_.end() && --found->second == 0) by_source_.erase(found);
}

void Server::renew_identity() {
    identity_.tick(loop_.now(), io::wall_now());
    identity_timer_ = loop_.at(identity_.deadline(), [this] { renew_identity(); });
}

void Server::update_metrics() {
    auto& registry = metrics::Registry::global();
    registry.gauge("strowger_echo_sessions", "Sessions that are open")
        .set(static_cast<double>(host_->size()));
    // Counted without atomics on the packet path; the registry gets what came since.
    const auto raise = [&](const char* name, const char* help, std::uint64_t value) {
        auto& counter = registry.counter(name, help);
        counter.add(value - counter.value());
    };
    raise("strowger_echo_connected_total", "Sessions that agreed on keys", totals_.connected);
    raise("strowger_echo_packets_total", "RTP packets sent back", totals_.packets);
    raise("strowger_echo_bytes_total", "Bytes of those", totals_.bytes);
    raise("strowger_echo_dropped_total", "RTP packets that belong nowhere", totals_.dropped);
    raise("strowger_echo_resent_total", "RTP packets sent again for a NACK", totals_.again);
    raise("strowger_echo_channels_total", "Data channels that were opened", totals_.channels);
    raise("strowger_echo_messages_total", "Messages sent back", totals_.messages);
    raise("strowger_echo_message_bytes_total", "Bytes of those", totals_.message_bytes);
    const auto& socket = host_->socket_counters();
    raise("strowger_echo_udp_overflow_total", "Datagrams that came faster than they were read",
          socket.receive_dropped);
    raise("strowger_echo_udp_unknown_total", "Datagrams of no session", host_->counters().unknown);
}

}  // namespace strowger::echo
