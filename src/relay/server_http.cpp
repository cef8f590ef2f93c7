// NG, the command line and metrics over HTTP and WebSocket.
#include "base/metrics.hpp"
#include "relay/command_line.hpp"
#include "relay/metrics_page.hpp"
#include "relay/server.hpp"

namespace strowger::relay {
namespace {

constexpr std::string_view ng_type = "application/x-rtpengine-ng";

io::HttpResponse forbidden() { return io::HttpResponse::text(403, "not in control-allow\n"); }

}  // namespace

Result<> Server::serve_http() {
    const Settings& settings = relay_->settings();
    if (settings.listen_http.empty() && settings.listen_https.empty()) return {};
    http_ = std::make_unique<io::HttpServer>(loop_, io::HttpServer::Options{});
    const auto route = [this](std::string method, std::string path, auto handler) {
        http_->route_now(std::move(method), std::move(path),
                         [this, handler](const io::HttpRequest& request) {
                             return allowed(request.remote) ? handler(request) : forbidden();
                         });
    };
    route("POST", "/ng", [this](const io::HttpRequest& request) {
        const auto reply = answer(request.remote, request.body);
        if (!reply) return io::HttpResponse::text(400, "no cookie in the message\n");
        return io::HttpResponse::of(200, std::string(ng_type), *reply);
    });
    route("POST", "/ng-plain", [this](const io::HttpRequest& request) {
        const bool json = request.body.starts_with('{');
        return io::HttpResponse::of(200, json ? "application/json" : std::string(ng_type),
                                    relay_->handle(request.body, request.remote.ip));
    });
    route("GET", "/ping",
          [](const io::HttpRequest&) { return io::HttpResponse::text(200, "pong\n"); });
    route("GET", "/cli/*", [this](const io::HttpRequest& request) {
        std::string command = io::percent_decode(request.path.substr(5), true);
        return io::HttpResponse::text(200, run_command(*relay_, command));
    });
    route("POST", "/cli", [this](const io::HttpRequest& request) {
        return io::HttpResponse::text(200, run_command(*relay_, request.body));
    });
    route("GET", "/metrics", [this](const io::HttpRequest&) {
        return io::HttpResponse::of(200, std::string(metrics::content_type), metrics_page(*relay_));
    });
    const io::WebSocket::Options options{
        .subprotocols = {"ng.rtpengine.com", "ng-plain.rtpengine.com", "cli.rtpengine.com",
                         "echo.rtpengine.com"},
        .require_subprotocol = true};
    for (const auto* path : {"/", "/ng", "/ng-plain", "/cli"})
        http_->websocket(path, options,
                         [this](auto socket) { accept_websocket(std::move(socket)); });
    for (const auto& address : settings.listen_http)
        if (auto bound = http_->listen(address); !bound)
            return std::unexpected(bound.error().within("listen-http"));
    if (settings.listen_https.empty()) return {};
    auto tls = io::TlsContext::server({.certificate_file = settings.https_certificate,
                                       .key_file = settings.https_key,
                                       .alpn = {"http/1.1"}});
    if (!tls) return std::unexpected(tls.error().within("https-cert"));
    tls_ = std::move(*tls);
    for (const auto& address : settings.listen_https)
        if (auto bound = http_->listen(address, tls_); !bound)
            return std::unexpected(bound.error().within("listen-https"));
    return {};
}

void Server::accept_websocket(std::unique_ptr<io::WebSocket> socket) {
    if (!allowed(socket->remote())) return;
    const auto id = socket->id();
    auto& connection = connections_[id] = std::make_unique<Connection>();
    connection->socket = std::move(socket);
    connection->socket->start({.message =
                                   [this, id](Bytes bytes, bool text) {
                                       io::WebSocket& from = *connections_.at(id)->socket;
                                       const auto send = [&](std::string_view reply) {
                                           if (text)
                                               from.send_text(reply);
                                           else
                                               from.send_binary(as_bytes(reply));
                                       };
                                       const auto message = as_text(bytes);
                                       const auto& protocol = from.subprotocol();
                                       if (protocol.starts_with("echo")) return send(message);
                                       if (protocol.starts_with("cli"))
                                           return send(run_command(*relay_, message));
                                       if (protocol.starts_with("ng-plain"))
                                           return send(relay_->handle(message, from.remote().ip));
                                       if (const auto reply = answer(from.remote(), message))
                                           send(*reply);
                                   },
                               .closed = [this, id](const Error&) { connections_.erase(id); }});
}

void Server::accept_command(std::unique_ptr<io::Stream> stream) {
    if (!allowed(stream->remote())) return;
    const auto id = stream->id();
    auto& connection = connections_[id] = std::make_unique<Connection>();
    connection->lines = std::make_unique<io::LineStream>(
        std::move(stream),
        io::LineStream::Handlers{.line =
                                     [this, id](std::string_view line) {
                                         auto& lines = *connections_.at(id)->lines;
                                         lines.send(run_command(*relay_, line));
                                         lines.close();
                                     },
                                 .closed = [this, id](const Error&) { connections_.erase(id); }});
}

}  // namespace strowger::relay
