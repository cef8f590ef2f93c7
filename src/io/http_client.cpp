#include "io/http_client.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include "base/text.hpp"
#include "io/completion.hpp"
#include "io/stream.hpp"

namespace strowger::io {

namespace {

namespace http = boost::beast::http;

/// One request on one connection; ends in `done`.
struct Exchange {
    http::response_parser<http::string_body> parser;
    std::string input;
    std::unique_ptr<Stream> stream;
    Completion<Result<HttpResponse>> done;
    bool over = false;
    std::function<void(std::string_view)> on_body;

    void end(Result<HttpResponse> result) {
        if (std::exchange(over, true)) return;
        done.resolve(std::move(result));
    }

    void receive(Bytes bytes) {
        input += as_text(bytes);
        boost::system::error_code error;
        while (!input.empty() && !over) {
            const auto used = parser.put(boost::asio::buffer(input), error);
            input.erase(0, used);
            if (error && error != http::error::need_more)
                return end(fail("malformed answer: {}", error.message()));
            lend_body();
            if (parser.is_done() && skip_interim()) continue;
            if (parser.is_done()) return end(take());
            if (error || used == 0) return;
        }
    }

    void lend_body() {
        auto& body = parser.get().body();
        if (!on_body || body.empty() || parser.get().result_int() != 200) return;
        on_body(body);
        body.clear();
    }

    // 1xx answers come before the real one (RFC 9110 section 15.2).
    bool skip_interim() {
        if (parser.get().result_int() / 100 != 1 || parser.get().result_int() == 101) return false;
        make_parser();
        return true;
    }

    std::uint32_t max_header = 0;
    std::size_t max_body = 0;
    bool head = false;

    void make_parser() {
        std::destroy_at(&parser);
        std::construct_at(&parser);
        parser.header_limit(max_header);
        parser.body_limit(max_body);
        parser.eager(true);
        parser.skip(head);
    }

    void closed(const Error& error) {
        if (over) return;
        boost::system::error_code code;
        if (error.code() == 0 && parser.got_some()) parser.put_eof(code);
        if (!code && parser.is_done()) return end(take());
        end(std::unexpected(error));
    }

    HttpResponse take() {
        auto& message = parser.get();
        HttpResponse response;
        response.status = static_cast<int>(message.result_int());
        for (const auto& field : message)
            response.headers.fields.emplace_back(
                std::string(field.name_string().data(), field.name_string().size()),
                std::string(field.value().data(), field.value().size()));
        response.body = std::move(message.body());
        return response;
    }
};

std::string write_request(const HttpClient::Request& request, const HttpUrl& url) {
    HttpHeaders headers;
    const bool v6 = url.host.find(':') != std::string::npos;
    const bool usual_port = url.port == (url.secure ? 443 : 80);
    headers.add("Host", fmt::format("{}{}{}{}", v6 ? "[" : "", url.host, v6 ? "]" : "",
                                    usual_port ? "" : fmt::format(":{}", url.port)));
    for (const auto& [name, value] : request.headers.fields)
        if (!iequals(name, "Content-Length") && !iequals(name, "Connection") &&
            !iequals(name, "Host"))
            headers.add(name, value);
    if (!request.body.empty() || request.method == "POST" || request.method == "PUT")
        headers.add("Content-Length", std::to_string(request.body.size()));
    headers.add("Connection", "close");
    std::string text = fmt::format("{} {} HTTP/1.1\r\n", request.method, url.target);
    for (const auto& [name, value] : headers.fields) text += fmt::format("{}: {}\r\n", name, value);
    return text + "\r\n" + request.body;
}

}  // namespace

HttpClient::HttpClient(Loop& loop, Resolver& resolver, Options options)
    : loop_(loop), resolver_(resolver), options_(std::move(options)) {}

Task<Result<HttpResponse>> HttpClient::fetch(Request request) {
    const auto url = parse_http_url(request.url);
    if (!url) co_return fail("'{}' is no http or https URL", request.url);
    for (const char c : request.method)
        if (c < 'A' || c > 'Z') co_return fail("'{}' is no HTTP method", request.method);
    if (url->secure && !options_.tls) {
        auto context = TlsContext::client({});
        if (!context) co_return std::unexpected(context.error());
        options_.tls = *context;
    }
    const auto where = fmt::format("{} {}", request.method, request.url);
    const Time end = loop_.now() + options_.timeout;
    const auto found = co_await resolver_.addresses(url->host);
    if (!found) co_return std::unexpected(found.error().within(where));

    auto exchange = std::make_unique<Exchange>();
    auto* running = exchange.get();
    running->max_header = static_cast<std::uint32_t>(options_.max_header);
    running->max_body = options_.max_body;
    running->head = request.method == "HEAD";
    running->on_body = request.on_body;
    running->make_parser();
    const Timer limit = loop_.at(end, [running, timeout = options_.timeout] {
        running->end(fail("no whole answer within {:.1f} s", seconds(timeout)));
    });
    Stream::Options stream_options;
    stream_options.connect_timeout = options_.timeout;
    stream_options.max_queued = request.body.size() + options_.max_header;
    if (url->secure) stream_options.tls = options_.tls;
    stream_options.server_name = url->host;
    Stream::Handlers handlers;
    handlers.bytes = [running](Bytes bytes) { running->receive(bytes); };
    handlers.closed = [running](const Error& error) { running->closed(error); };
    running->stream = Stream::connect(loop_, SocketAddress{found->front(), url->port},
                                      std::move(stream_options), std::move(handlers));
    running->stream->send(write_request(request, *url));
    auto result = co_await running->done;
    if (!result) co_return std::unexpected(result.error().within(where));
    co_return std::move(*result);
}

}  // namespace strowger::io
