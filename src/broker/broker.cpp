#include "broker/broker.hpp"

#include "base/log.hpp"
#include "base/text.hpp"

namespace strowger::broker {

namespace {

constexpr log::About about{"broker"};
constexpr int close_protocol_error = 1002;  // RFC 6455 section 7.4.1
constexpr int close_try_later = 1013;

}  // namespace

// What an envelope adds to the largest file that it may carry, in base64 at worst.
std::size_t message_limit(std::size_t file) { return file / 3 * 4 + (1 << 20); }

Result<std::vector<SocketAddress>> addresses_of(std::string_view listen) {
    const auto colon = listen.rfind(':');
    const auto port = colon == std::string_view::npos
                          ? std::nullopt
                          : parse_number<std::uint16_t>(listen.substr(colon + 1));
    if (!port) return fail("'{}' is not HOST:PORT", listen);
    const auto host = listen.substr(0, colon);
    if (host == "localhost")
        return std::vector<SocketAddress>{{*IpAddress::parse("127.0.0.1"), *port},
                                          {*IpAddress::parse("::1"), *port}};
    if (host.empty()) return std::vector<SocketAddress>{{IpAddress::any_v6(), *port}};
    const auto ip = IpAddress::parse(host);
    if (!ip) return fail("'{}' is neither an address nor localhost", host);
    return std::vector<SocketAddress>{{*ip, *port}};
}

namespace {

std::optional<wasimoff::Codec> codec_of(const io::WebSocket& socket) {
    if (socket.subprotocol() == wasimoff::protobuf_subprotocol) return wasimoff::Codec::protobuf;
    if (socket.subprotocol() == wasimoff::json_subprotocol) return wasimoff::Codec::json;
    return std::nullopt;
}

io::HttpServer::Options server_options(const Options& options) {
    io::HttpServer::Options server;
    server.max_body = 1 << 20;  // routes that take files say so
    server.body_timeout = std::chrono::minutes{10};
    server.max_response = message_limit(options.max_file);
    server.max_connections = options.max_providers + options.max_clients + 4096;
    // A test cluster has all of its providers on one machine, and a proxy stands for everybody.
    server.max_per_source = server.max_connections;
    server.quick_ack = true;
    return server;
}

}  // namespace

Result<std::unique_ptr<Broker>> Broker::start(io::Loop& loop, Options options) {
    const bool disk = Storage::on_disk(options.storage);
    auto storage = Storage::open(
        options.storage,
        {.file = options.max_file, .total = disk ? options.max_stored : options.max_memory});
    if (!storage) return std::unexpected(storage.error());
    auto access = Access::load(options);
    if (!access) return std::unexpected(access.error());
    std::optional<io::Redis::Endpoint> redis;
    if (!options.redis.empty()) {
        auto endpoint = io::Redis::parse(options.redis, options.redis_ca);
        if (!endpoint) return std::unexpected(endpoint.error().within("--redis"));
        redis = std::move(*endpoint);
    }
    std::unique_ptr<Broker> broker(
        new Broker(loop, std::move(options), std::move(*storage), std::move(*access)));
    broker->keep_submissions(std::move(redis));
    broker->add_routes();
    if (const auto load = broker->options_.benchmode)
        broker->own_load_ = std::make_unique<OwnLoad>(loop, broker->jobs_, load);
    if (auto opened = broker->open_cloud(); !opened) return std::unexpected(opened.error());
    if (auto listening = broker->listen(); !listening) return std::unexpected(listening.error());
    if (auto opened = broker->open_door(); !opened) return std::unexpected(opened.error());
    return broker;
}

Broker::Broker(io::Loop& loop, Options options, std::unique_ptr<Storage> storage, Access access)
    : loop_(loop),
      options_(std::move(options)),
      storage_(std::move(storage)),
      access_(std::move(access)),
      jobs_(loop, options_.scheduler, *storage_, access_, options_.max_cached, options_.agreement),
      events_(loop),
      live_(loop, jobs_),
      server_(std::make_unique<io::HttpServer>(loop, server_options(options_))) {}

// Handlers that wait let go of their tasks first, then the sockets go, then what they refer to.
Broker::~Broker() {
    server_.reset();
    clients_.clear();
    providers_.clear();
    starless_.clear();
    refused_.clear();
    door_.reset();
}

void Broker::keep_submissions(std::optional<io::Redis::Endpoint> redis) {
    if (redis) {
        store_ = std::make_unique<SharedStore>(loop_, std::move(*redis));
        shared_files_ = std::make_unique<SharedFiles>(*store_, *storage_, options_.max_shared);
        cluster_ =
            std::make_unique<Cluster>(loop_, *store_, jobs_, *shared_files_, options_.scheduler);
        submissions_ = cluster_.get();
    } else {
        kept_ = std::make_unique<KeptSubmissions>(loop_, jobs_);
        submissions_ = kept_.get();
    }
    submissions_->on_done([this](const std::string& id) { events_.ended(id); });
}

Result<> Broker::open_cloud() {
    if (options_.cloud_function.empty()) {
        if (!options_.cloud_credentials.empty())
            LOG_NOTICE(about, "cloud credentials without a function have no effect");
        return {};
    }
    auto made = Cloud::start(loop_, jobs_,
                             {.url = options_.cloud_function,
                              .credentials = options_.cloud_credentials,
                              .concurrency = options_.cloud_concurrency,
                              .max_body = message_limit(options_.max_file),
                              .timeout = options_.scheduler.longest_task});
    if (!made) return std::unexpected(made.error());
    cloud_ = std::move(*made);
    return {};
}

// Redis may be away, and nobody wants to wait for it then.
void Broker::leave(std::function<void()> then) {
    constexpr Duration patience = std::chrono::milliseconds{500};
    if (!cluster_) return then();
    leaving_ = loop_.after(patience, then);
    cluster_->leave(then);
}

Result<> Broker::listen() {
    if (options_.https && options_.certificate.empty()) {
        if (options_.quic_certificate.empty())
            return fail("--https needs --quic-cert and --quic-key");
        options_.certificate = options_.quic_certificate;
        options_.key = options_.quic_key;
    }
    if (options_.certificate.empty() != options_.key.empty())
        return fail("a certificate needs its key, and a key its certificate");
    if (!options_.certificate.empty()) {
        auto tls = io::TlsContext::server({.certificate_file = options_.certificate,
                                           .key_file = options_.key,
                                           .alpn = {"h2", "http/1.1"}});
        if (!tls) return std::unexpected(tls.error());
        tls_ = std::move(*tls);
    }
    auto wanted = addresses_of(options_.listen);
    if (!wanted) return std::unexpected(wanted.error());
    bool loopback = true;
    for (auto address : *wanted) {
        // With port 0 both families of localhost get the port that the first one got.
        if (address.port == 0 && !addresses_.empty()) address.port = addresses_.front().port;
        auto bound = server_->listen(address, tls_);
        if (!bound && address.ip == IpAddress::any_v6())
            bound = server_->listen({IpAddress::any_v4(), address.port}, tls_);
        if (!bound && !addresses_.empty()) {
            LOG_NOTICE(about, "not on {}: {}", address.text(), bound.error().text());
            continue;
        }
        if (!bound) return std::unexpected(bound.error());
        addresses_.push_back(*bound);
        loopback = loopback && bound->ip.is_loopback();
        LOG_NOTICE(about, "listening on {}://{}", tls_ ? "https" : "http", bound->text());
    }
    if (!access_.open_to_all()) return {};
    if (options_.open)
        LOG_WARNING(about, "open to everybody: whoever reaches this port may run programs");
    else if (loopback)
        LOG_NOTICE(about, "no tokens: open to every program on this machine");
    else
        LOG_WARNING(about,
                    "no tokens: serving this machine alone; --tokens or --open changes that");
    return {};
}

void Broker::reload() {
    if (tls_) {
        if (auto done = tls_->reload(); !done)
            LOG_ERROR(about, "certificate stays as it was: {}", done.error().text());
        else
            LOG_NOTICE(about, "certificate and key were read again");
    }
    if (door_)
        if (auto done = door_->reload(); !done)
            LOG_ERROR(about, "WebTransport's certificate stays as it was: {}", done.error().text());
    auto access = Access::load(options_);
    if (!access)
        LOG_ERROR(about, "tokens stay as they were: {}", access.error().text());
    else
        access_ = std::move(*access);
}

void Broker::add_routes() {
    add_status_routes();
    if (options_.debug) add_debug_routes();
    add_rpc_routes();
    add_run_route();
    add_storage_routes();
    add_task_routes();
    add_starless_routes();
    add_sockets();
}

void Broker::add_sockets() {
    io::WebSocket::Options socket;
    socket.subprotocols = {std::string(wasimoff::protobuf_subprotocol),
                           std::string(wasimoff::json_subprotocol)};
    socket.max_message = message_limit(options_.max_file);
    socket.max_queued = 2 * message_limit(options_.max_file);
    auto to_provider = socket;
    to_provider.ping_interval = {};  // the scheduler asks whether they are there
    server_->websocket(
        "/api/provider/ws", to_provider,
        [this](std::unique_ptr<io::WebSocket> s) { provider_connected(std::move(s)); },
        [this](const io::HttpRequest& request) { return admit_provider(request); });
    server_->websocket(
        "/api/client/ws", socket,
        [this](std::unique_ptr<io::WebSocket> s) { client_connected(std::move(s)); },
        [this](const io::HttpRequest& request) -> std::optional<io::HttpResponse> {
            if (const auto who = access_.check(request, Role::run); !who)
                return io::HttpResponse::text(who.error().code(), who.error().text() + "\n");
            return std::nullopt;
        });
}

std::optional<io::HttpResponse> Broker::admit_provider(const io::HttpRequest& request) const {
    if (request.headers.get("User-Agent").empty())
        return io::HttpResponse::text(400, "a User-Agent is needed\n");
    if (!access_.origin_allowed(request))
        return io::HttpResponse::text(403, "pages of this origin may not provide here\n");
    if (const auto who = access_.check(request, Role::provide); !who)
        return io::HttpResponse::text(who.error().code(), who.error().text() + "\n");
    return std::nullopt;
}

void Broker::provider_connected(std::unique_ptr<io::WebSocket> socket) {
    const auto id = socket->id();
    const auto codec = codec_of(*socket);
    const bool full = providers_.size() >= options_.max_providers;
    if (!codec || full) {
        auto& kept = refused_[id] = std::move(socket);
        const auto gone = [this, id](const Error&) {
            loop_.post([this, id] { refused_.erase(id); });
        };
        kept->start({.closed = gone});
        return kept->close(full ? close_try_later : close_protocol_error,
                           full ? "too many providers" : "no common subprotocol");
    }
    auto& link = providers_[id] = std::make_unique<ProviderLink>(
        jobs_, std::move(socket), *codec,
        [this, id] { loop_.post([this, id] { providers_.erase(id); }); });
    link->start();
}

void Broker::client_connected(std::unique_ptr<io::WebSocket> socket) {
    const auto id = socket->id();
    const auto codec = codec_of(*socket);
    const auto who = access_.check(socket->request(), Role::run);
    const bool full = clients_.size() >= options_.max_clients;
    if (!codec || full || !who) {
        auto& kept = refused_[id] = std::move(socket);
        const auto gone = [this, id](const Error&) {
            loop_.post([this, id] { refused_.erase(id); });
        };
        kept->start({.closed = gone});
        return kept->close(full ? close_try_later : close_protocol_error,
                           full ? "too many clients" : "no common subprotocol");
    }
    const bool may_upload = access_.check(socket->request(), Role::upload).has_value();
    auto& link = clients_[id] = std::make_unique<ClientLink>(
        jobs_, std::move(socket), *codec, *who, may_upload,
        [this, id] { loop_.post([this, id] { clients_.erase(id); }); });
    link->start();
}

}  // namespace strowger::broker
