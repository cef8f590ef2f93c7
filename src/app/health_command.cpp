#include <fmt/format.h>

#include <cstdio>

#include "app/commands.hpp"
#include "io/http_client.hpp"
#include "io/loop.hpp"

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

}  // namespace

int check_health(const std::string& url) {
    io::Loop loop;
    io::Resolver resolver(loop, {});
    io::HttpClient::Options options;
    options.timeout = patience;
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
