#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/text.hpp"
#include "broker/broker.hpp"
#include "broker/envelope_stream.hpp"
#include "broker/host_names.hpp"

namespace strowger::broker {

namespace {

constexpr log::About about{"broker"};
constexpr std::string_view default_listen = "localhost:4443";
constexpr std::string_view starless_path = "/transport";
constexpr std::string_view envelope_path = "/api/provider/webtransport";

}  // namespace

Result<> Broker::open_door() {
    if (options_.quic_listen == "none") return {};
    if (options_.quic_certificate.empty() != options_.quic_key.empty())
        return fail("a certificate for QUIC needs its key, and a key its certificate");
    const bool chosen = !options_.quic_listen.empty() || !options_.quic_certificate.empty();
    const std::string_view listen = options_.quic_listen;
    auto addresses = addresses_of(listen.empty() ? default_listen : listen);
    if (!addresses) return std::unexpected(addresses.error());
    TransportDoor::Options door{.addresses = std::move(*addresses),
                                .certificate = options_.quic_certificate,
                                .key = options_.quic_key,
                                .lifetime = options_.quic_lifetime,
                                .max_connections = options_.max_providers};
    auto opened = TransportDoor::open(
        loop_, std::move(door),
        [this](const io::HttpRequest& request) { return admit_session(request); },
        [this](std::unique_ptr<TransportSession> session) { session_entered(std::move(session)); });
    if (!opened && chosen) return std::unexpected(opened.error());
    if (opened)
        door_ = std::move(*opened);
    else
        LOG_NOTICE(about, "no WebTransport: {}", opened.error().text());
    return {};
}

unsigned Broker::admit_session(const io::HttpRequest& request) const {
    if (request.path != starless_path && request.path != envelope_path) return 404;
    const auto origin = request.headers.get("Origin");
    const auto from = host_of(origin), to = host_of(request.headers.get("Host"));
    const bool own = iequals(from, to) || (is_own_machine(from) && is_own_machine(to));
    if (!origin.empty() && !own && !access_.origin_allowed(request)) return 403;
    if (const auto who = access_.check(request, Role::provide); !who)
        return static_cast<unsigned>(who.error().code());
    if (providers_.size() + starless_.size() >= options_.max_providers) return 503;
    return 200;
}

void Broker::session_entered(std::unique_ptr<TransportSession> session) {
    if (session->request().path == envelope_path)
        return provider_connected(std::make_unique<EnvelopeStream>(
            std::move(session), std::string(wasimoff::protobuf_subprotocol),
            message_limit(options_.max_file)));
    const auto id = session->id();
    auto& link = starless_[id] = std::make_unique<StarlessLink>(
        loop_, jobs_, std::move(session), message_limit(options_.max_file),
        [this, id] { loop_.post([this, id] { starless_.erase(id); }); });
    link->start();
}

void Broker::publish_transport_metrics() {
    auto& all = metrics::Registry::global();
    const auto set = [&](std::string_view name, std::string_view help, std::uint64_t value) {
        all.gauge(name, help).set(static_cast<double>(value));
    };
    const auto counters = door_ ? door_->server().counters() : io::quic::Server::Counters{};
    set("wasimoff_webtransport_sessions", "Providers on WebTransport",
        door_ ? door_->sessions() : 0);
    set("wasimoff_quic_connections", "QUIC connections, those that end included",
        door_ ? door_->server().connections() : 0);
    set("wasimoff_quic_handshakes", "Handshakes begun", counters.accepted);
    set("wasimoff_quic_retries", "Handshakes that were asked for their address", counters.retries);
    set("wasimoff_quic_refused", "Handshakes refused for a limit or a bad token", counters.refused);
    set("wasimoff_quic_dropped", "Datagrams that belonged to no connection", counters.dropped);
}

}  // namespace strowger::broker
