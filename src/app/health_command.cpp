#include <fmt/format.h>

#include <cstdio>

#include "app/commands.hpp"
#include "io/http_client.hpp"
#include "io/loop.hpp"
#include "io/udp.hpp"

namespace strowger::app {

namespace {

// A container's health check is killed and counts as failed after 30 s; a service that needs more
// than this for a line of text is not healthy.
constexpr Duration patience = std::chrono::seconds{5};

Task<> ask(io::HttpClient& client, const std::string& url,
           std::optional<Result<io::HttpResponse>>& answer) {
    io::HttpClient::Request request;
    request.url = url;
    answer = co_await client.fetch(std::move(request));
}

// A relay may have no HTTP port at all, but always one for its proxies.
constexpr std::string_view ng = "ng://", ng_ping = "health d7:command4:pinge";
constexpr std::uint16_t ng_port = 22222;

int ping_relay(std::string_view where) {
    const auto address = SocketAddress::parse(where, ng_port);
    if (!address) {
        fmt::print(stderr, "'{}' is not ADDRESS:PORT\n", where);
        return usage;
    }
    const SocketAddress any{address->ip.is_v4() ? IpAddress::any_v4() : IpAddress::any_v6(), 0};
    io::Loop loop;
    std::string reply;
    auto socket =
        io::UdpSocket::bind(loop, any, {}, [&](std::span<const io::UdpSocket::Datagram> datagrams) {
            reply = as_text(datagrams.front().bytes);
        });
    if (!socket) {
        fmt::print(stderr, "{}\n", socket.error().text());
        return failure;
    }
    (*socket)->send(*address, as_bytes(ng_ping));
    loop.run_until([&] { return !reply.empty(); }, patience);
    const bool pong = reply.find("4:pong") != std::string::npos;
    if (pong)
        fmt::print("pong\n");
    else
        fmt::print(stderr, "{}{}: {}\n", ng, where, reply.empty() ? "no answer" : reply);
    return pong ? success : failure;
}

}  // namespace

int check_health(const std::string& url, bool any_certificate) {
    if (url.starts_with(ng)) return ping_relay(std::string_view(url).substr(ng.size()));
    io::Loop loop;
    io::Resolver resolver(loop, {});
    io::HttpClient::Options options;
    options.timeout = patience;
    if (any_certificate) {
        auto tls = io::TlsContext::client({.verify_peer = false});
        if (tls) options.tls = *tls;
    }
    io::HttpClient client(loop, resolver, options);
    std::optional<Result<io::HttpResponse>> answer;
    TaskScope tasks;
    tasks.spawn(ask(client, url, answer));
    loop.run_until([&] { return answer.has_value(); }, patience + std::chrono::seconds{1});
    if (!answer || !*answer) {
        fmt::print(stderr, "{}\n", answer ? answer->error().text() : url + ": no answer");
        return failure;
    }
    const auto& response = **answer;
    fmt::print("{} {}{}", response.status, response.body,
               response.body.ends_with('\n') ? "" : "\n");
    return response.status / 100 == 2 ? success : failure;
}

}  // namespace strowger::app
