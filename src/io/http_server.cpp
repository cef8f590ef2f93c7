#include "io/http_server.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <ctime>
#include <unordered_map>

#include "base/log.hpp"
#include "base/text.hpp"
#include "io/clock.hpp"
#include "io/http2.hpp"

namespace strowger::io {

namespace {

namespace http = boost::beast::http;
using Parser = http::request_parser<http::string_body>;

constexpr log::About about{"http"};
// What waits for a slow reader of HTTP/2 beside the answers themselves.
constexpr std::size_t http2_output = 256 << 10;

// RFC 9110 section 5.6.7.
std::string http_date() {
    const auto whole = std::chrono::system_clock::to_time_t(
        std::chrono::time_point_cast<std::chrono::system_clock::duration>(wall_now()));
    std::tm parts{};
    gmtime_r(&whole, &parts);
    std::array<char, 40> text{};
    std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    return text.data();
}

std::string to_string(boost::beast::string_view text) { return {text.data(), text.size()}; }

HttpRequest take_request(Parser& parser, const Stream& stream) {
    auto& message = parser.get();
    HttpRequest request;
    request.method = to_string(message.method_string());
    request.target = to_string(message.target());
    const auto [path, query] = split_once(request.target, '?');
    request.path = percent_decode(path);
    request.query = query;
    for (const auto& field : message)
        request.headers.fields.emplace_back(to_string(field.name_string()),
                                            to_string(field.value()));
    request.body = std::move(message.body());
    request.remote = stream.remote();
    request.secure = stream.secure();
    return request;
}

int status_of(const boost::system::error_code& error) {
    if (error == http::error::header_limit) return 431;
    if (error == http::error::body_limit) return 413;
    if (error == http::error::bad_version) return 505;
    return 400;
}

}  // namespace

struct HttpServer::Impl : std::enable_shared_from_this<Impl> {
    struct Route {
        std::string method, path;
        bool prefix = false;
        Handler handler;
        WebSocket::Options websocket_options;
        Upgrade upgrade;  // instead of a handler
        Admission admission;
        TakeOver take_over;  // instead of both
        std::size_t max_body = 0;
    };

    struct Connection : std::enable_shared_from_this<Connection> {
        Connection(Impl& owner, std::unique_ptr<Stream> s) : server(owner), stream(std::move(s)) {}

        Impl& server;  // which destroys its connections before itself
        std::unique_ptr<Stream> stream;
        std::unique_ptr<Parser> parser;
        std::string input;
        bool busy = false;       // a handler has the request
        bool continued = false;  // 100 has been sent for this request
        bool keep_alive = true;
        bool head = false;
        bool http10 = false;
        std::size_t requests = 0;
        Timer timer;
        enum class Phase { idle, header, body } phase = Phase::idle;
        Task<> task;
        std::unique_ptr<Http2Connection> http2;  // instead of all that
        std::unordered_map<Http2Connection::Id, Task<>> tasks;

        void begin() {
            stream->start({.connected =
                               [this] {
                                   if (stream->alpn() == "h2") begin_http2();
                               },
                           .bytes = [this](Bytes bytes) { receive(bytes); },
                           .closed = [this](const Error&) { server.forget(this); },
                           .drained =
                               [this] {
                                   if (http2) http2->drained();
                               }});
        }

        void limit(Duration time) {
            timer = server.loop.after(time, [this] {
                if (phase == Phase::idle) return server.forget(this);
                refuse(408);
            });
        }

        void receive(Bytes bytes) {
            const auto keep = shared_from_this();
            if (http2) {
                if (!http2->receive(bytes)) return let_go();
                return limit_http2();
            }
            input += as_text(bytes);
            if (busy) {
                // Pipelined requests may wait, but not without bound.
                if (input.size() > server.options.max_header) stream->pause(true);
                return;
            }
            parse();
        }

        void parse() {
            while (!busy && stream && !input.empty()) {
                if (!parser) begin_request();
                boost::system::error_code error;
                const auto used = parser->put(boost::asio::buffer(input), error);
                input.erase(0, used);
                if (error && error != http::error::need_more) return refuse(status_of(error));
                if (parser->is_header_done() && phase == Phase::header && !header_done()) return;
                if (parser->is_done()) return dispatch();
                if (error || used == 0) return;
            }
        }

        void begin_request() {
            parser = std::make_unique<Parser>();
            parser->header_limit(static_cast<std::uint32_t>(server.options.max_header));
            parser->body_limit(server.largest_body());
            parser->eager(true);
            continued = false;
            phase = Phase::header;
            limit(server.options.header_timeout);
        }

        // False when the connection has become something else.
        bool header_done() {
            phase = Phase::body;
            limit(server.options.body_timeout);
            const auto& message = parser->get();
            if (message.version() == 11 && message.find(http::field::host) == message.end()) {
                refuse(400);  // RFC 9112 section 3.2
                return false;
            }
            if (!fits_route()) {
                refuse(413);
                return false;
            }
            if (!parser->is_done() && !continued &&
                boost::beast::iequals(message[http::field::expect], "100-continue")) {
                continued = true;
                stream->send("HTTP/1.1 100 Continue\r\n\r\n");
            }
            return true;
        }

        // What came along with the header has been taken in already; the rest is held to the limit.
        bool fits_route() {
            const auto& message = parser->get();
            const auto target = to_string(message.target());
            const auto path = percent_decode(split_once(target, '?').first);
            bool path_known = false;
            const Route* route = server.find(to_string(message.method_string()), path, path_known);
            const auto limit = route ? route->max_body : server.options.max_body;
            const auto length = parser->content_length();
            if (message.body().size() > limit || (length && *length > limit)) return false;
            parser->body_limit(limit);
            return true;
        }

        void dispatch() {
            timer.cancel();
            phase = Phase::idle;
            auto request = take_request(*parser, *stream);
            http10 = parser->get().version() < 11;
            keep_alive = parser->get().keep_alive() && ++requests < server.options.max_requests;
            head = request.method == "HEAD";
            parser.reset();
            bool path_known = false;
            const Route* route = server.find(request.method, request.path, path_known);
            if (!route)
                return respond(HttpResponse::text(
                    path_known ? 405 : 404, path_known ? "method not allowed\n" : "not found\n"));
            if (route->take_over) {
                stream->pause(false);
                route->take_over(std::move(request), std::move(stream));
                return server.forget(this);
            }
            if (route->upgrade) return upgrade(*route, std::move(request));
            busy = true;
            task = serve(this, *route, std::move(request));
            task.start();
        }

        static Task<> serve(Connection* connection, const Route& route, HttpRequest request) {
            connection->respond(co_await answer_of(route, std::move(request)));
        }

        static Task<HttpResponse> answer_of(const Route& route, HttpRequest request) {
            const auto what = fmt::format("{} {}", request.method, request.path);
            try {
                co_return co_await route.handler(std::move(request));
            } catch (const std::exception& exception) {
                LOG_ERROR(about, "{}: {}", what, exception.what());
            }
            co_return HttpResponse::text(500, "internal error\n");
        }

        void begin_http2() {
            http2 = std::make_unique<Http2Connection>(
                server.loop,
                Http2Connection::Limits{
                    .max_header = server.options.max_header,
                    .max_bodies = std::max(server.largest_body(), std::size_t{64} << 20),
                    .max_requests = server.options.max_requests,
                    .request_timeout = server.options.header_timeout + server.options.body_timeout},
                Http2Connection::Handlers{
                    .send = [this](std::string_view text) { stream->send(text); },
                    .room =
                        [this] { return http2_output - std::min(stream->queued(), http2_output); },
                    .max_body =
                        [this](const HttpRequest& request) {
                            bool path_known = false;
                            const auto* route =
                                server.find(request.method, request.path, path_known);
                            return route ? route->max_body : server.options.max_body;
                        },
                    .request = [this](auto id, HttpRequest r) { dispatch(id, std::move(r)); },
                    .gone =
                        [this](auto id) {
                            // In a later round: its task may be what has just answered.
                            server.loop.post([weak = weak_from_this(), id] {
                                const auto self = weak.lock();
                                if (!self) return;
                                self->tasks.erase(id);
                                self->limit_http2();
                            });
                        }});
            limit_http2();
        }

        void limit_http2() {
            if (http2->idle())
                limit(server.options.keepalive_timeout);
            else
                timer.cancel();
        }

        void dispatch(Http2Connection::Id id, HttpRequest request) {
            request.remote = stream->remote();
            bool path_known = false;
            const auto* route = server.find(request.method, request.path, path_known);
            if (!route)
                return http2->respond(
                    id, HttpResponse::text(path_known ? 405 : 404,
                                           path_known ? "method not allowed\n" : "not found\n"));
            if (!route->handler) return http2->want_http1(id);
            auto& serving = tasks[id] = serve(this, id, *route, std::move(request));
            serving.start();
        }

        static Task<> serve(Connection* connection, Http2Connection::Id id, const Route& route,
                            HttpRequest request) {
            connection->http2->respond(id, co_await answer_of(route, std::move(request)));
        }

        void upgrade(const Route& route, HttpRequest request) {
            if (!request.headers.has_token("Upgrade", "websocket")) {
                auto response = HttpResponse::text(426, "this is a WebSocket\n");
                response.headers.add("Upgrade", "websocket");
                return respond(std::move(response));
            }
            if (route.admission)
                if (auto refusal = route.admission(request)) return respond(std::move(*refusal));
            const auto what = request.path;
            accept_websocket(server.loop, std::move(stream), std::move(request), std::move(input),
                             route.websocket_options, [fn = route.upgrade, what](auto socket) {
                                 if (socket) return fn(std::move(*socket));
                                 LOG_NOTICE(about, "WebSocket {}: {}", what, socket.error().text());
                             });
            server.forget(this);
        }

        void respond(HttpResponse response) {
            const bool bodyless = response.status == 204 || response.status == 304;
            if (http10 && !keep_alive) keep_alive = false;
            std::string text = fmt::format("HTTP/1.1 {} {}\r\nDate: {}\r\n", response.status,
                                           http_reason(response.status), http_date());
            if (!server.options.server_name.empty())
                text += fmt::format("Server: {}\r\n", server.options.server_name);
            HttpHeaders fields;  // through add, which keeps each on its line
            for (auto& [name, value] : response.headers.fields)
                if (!iequals(name, "Content-Length") && !iequals(name, "Connection") &&
                    !iequals(name, "Transfer-Encoding"))
                    fields.add(std::move(name), std::move(value));
            for (const auto& [name, value] : fields.fields)
                text += fmt::format("{}: {}\r\n", name, value);
            if (!bodyless) text += fmt::format("Content-Length: {}\r\n", response.body.size());
            if (!keep_alive)
                text += "Connection: close\r\n";
            else if (http10)
                text += "Connection: keep-alive\r\n";
            text += "\r\n";
            if (!head && !bodyless) text += response.body;
            busy = true;
            if (!stream->send(text)) return;  // `closed` follows
            // In a later round: the task that answers is still running.
            server.loop.post([weak = weak_from_this()] {
                if (const auto self = weak.lock()) self->answered();
            });
        }

        void answered() {
            task = {};
            busy = false;
            if (!keep_alive) return let_go();
            stream->pause(false);
            limit(server.options.keepalive_timeout);
            parse();
        }

        void refuse(int status) {
            keep_alive = false;
            head = false;
            input.clear();
            timer.cancel();
            phase = Phase::idle;
            respond(HttpResponse::text(status, fmt::format("{}\n", http_reason(status))));
        }

        void let_go() {
            Stream::close_and_forget(std::move(stream));
            server.forget(this);
        }
    };

    explicit Impl(Loop& owner, Options o) : loop(owner), options(std::move(o)) {}

    Loop& loop;
    Options options;
    std::vector<std::unique_ptr<Route>> routes;
    std::vector<std::unique_ptr<Listener>> listeners;
    // Shared with the callback in progress.
    std::unordered_map<Connection*, std::shared_ptr<Connection>> connections;

    void forget(Connection* connection) { connections.erase(connection); }

    const Route* find(std::string_view method, std::string_view path, bool& path_known) const {
        const Route* best = nullptr;
        for (const auto& route : routes) {
            const bool fits = route->prefix ? path.starts_with(route->path) : path == route->path;
            if (!fits) continue;
            path_known = true;
            if (route->method != "*" && route->method != method &&
                !(method == "HEAD" && route->method == "GET"))
                continue;
            // An exact path is longer than any prefix of it that ends before the '*'.
            const auto length = [](const Route& r) { return 2 * r.path.size() + !r.prefix; };
            if (!best || length(*route) > length(*best)) best = route.get();
        }
        return best;
    }

    std::size_t largest_body() const {
        std::size_t largest = options.max_body;
        for (const auto& route : routes) largest = std::max(largest, route->max_body);
        return largest;
    }

    Route& add(std::string method, std::string path) {
        auto route = std::make_unique<Route>();
        route->max_body = options.max_body;
        route->method = std::move(method);
        route->prefix = path.ends_with('*');
        if (route->prefix) path.pop_back();
        route->path = std::move(path);
        return *routes.emplace_back(std::move(route));
    }
};

HttpServer::HttpServer(Loop& loop, Options options)
    : impl_(std::make_shared<Impl>(loop, std::move(options))) {}

HttpServer::~HttpServer() {
    impl_->listeners.clear();
    impl_->connections.clear();
}

void HttpServer::route(std::string method, std::string path, Handler handler,
                       std::optional<std::size_t> max_body) {
    auto& route = impl_->add(std::move(method), std::move(path));
    route.handler = std::move(handler);
    if (max_body) route.max_body = *max_body;
}

void HttpServer::route_now(std::string method, std::string path,
                           std::function<HttpResponse(const HttpRequest&)> handler) {
    // The route lives as long as the server, and so does what this lambda holds.
    route(std::move(method), std::move(path),
          [handler = std::move(handler)](HttpRequest request) -> Task<HttpResponse> {
              co_return handler(request);
          });
}

void HttpServer::take_over(std::string method, std::string path, TakeOver fn,
                           std::optional<std::size_t> max_body) {
    auto& route = impl_->add(std::move(method), std::move(path));
    route.take_over = std::move(fn);
    if (max_body) route.max_body = *max_body;
}

void HttpServer::websocket(std::string path, WebSocket::Options options, Upgrade upgrade,
                           Admission admission) {
    auto& route = impl_->add("GET", std::move(path));
    route.websocket_options = std::move(options);
    route.upgrade = std::move(upgrade);
    route.admission = std::move(admission);
}

Result<SocketAddress> HttpServer::listen(const SocketAddress& address,
                                         std::shared_ptr<TlsContext> tls) {
    Listener::Options options;
    options.max_connections = impl_->options.max_connections;
    options.max_per_source = impl_->options.max_per_source;
    options.first_bytes_timeout = impl_->options.header_timeout;
    options.tls = std::move(tls);
    constexpr std::size_t header_room = 64 << 10;
    options.stream.max_queued = impl_->options.max_response + header_room;
    options.stream.quick_ack = impl_->options.quick_ack;
    auto listener = Listener::tcp(impl_->loop, address, std::move(options),
                                  [impl = impl_.get()](std::unique_ptr<Stream> stream) {
                                      auto connection = std::make_shared<Impl::Connection>(
                                          *impl, std::move(stream));
                                      impl->connections[connection.get()] = connection;
                                      connection->begin();
                                  });
    if (!listener) return std::unexpected(listener.error());
    const auto bound = (*listener)->local();
    impl_->listeners.push_back(std::move(*listener));
    return bound;
}

}  // namespace strowger::io
