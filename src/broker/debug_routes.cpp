// Where the time and the memory of a running broker go, for who has to find out.
#include "base/text.hpp"
#include "broker/answers.hpp"
#include "broker/broker.hpp"
#include "io/cpu_profile.hpp"

namespace strowger::broker {

namespace {

using io::HttpRequest;
using io::HttpResponse;

constexpr unsigned usual_seconds = 30, most_seconds = 60;
constexpr std::string_view page =
    "<!doctype html><title>/debug/pprof/</title><h1>/debug/pprof/</h1><ul>"
    "<li><a href=\"profile?seconds=10\">profile</a>: CPU, for pprof; seconds=1 to 60"
    "<li><a href=\"heap\">heap</a>: what the allocator holds, XML of malloc_info"
    "<li><a href=\"cmdline\">cmdline</a></ul>\n";

}  // namespace

void Broker::add_debug_routes() {
    const auto denied_to = [this](const HttpRequest& request) {
        const auto who = access_.check(request, Role::admin);
        return who ? std::nullopt : std::optional(denied(who.error()));
    };
    server_->route_now("GET", "/debug/pprof/", [denied_to](const HttpRequest& request) {
        const auto no = denied_to(request);
        return no ? *no : HttpResponse::of(200, "text/html; charset=utf-8", std::string(page));
    });
    server_->route_now("GET", "/debug/pprof/heap", [denied_to](const HttpRequest& request) {
        const auto no = denied_to(request);
        return no ? *no : HttpResponse::of(200, "text/xml", io::heap_report());
    });
    server_->route_now("GET", "/debug/pprof/cmdline", [denied_to](const HttpRequest& request) {
        const auto no = denied_to(request);
        return no ? *no : HttpResponse::text(200, "strowger broker\n");
    });
    server_->route(
        "GET", "/debug/pprof/profile",
        [this, denied_to](HttpRequest request) -> strowger::Task<HttpResponse> {
            if (auto no = denied_to(request)) co_return std::move(*no);
            const auto asked = request.parameter("seconds");
            const auto seconds =
                asked.empty() ? usual_seconds : parse_number<unsigned>(asked).value_or(0);
            if (seconds < 1 || seconds > most_seconds)
                co_return HttpResponse::text(400,
                                             fmt::format("seconds is 1 to {}\n", most_seconds));
            auto profile = co_await io::cpu_profile(loop_, std::chrono::seconds(seconds));
            if (profile.empty())
                co_return HttpResponse::text(409, "another profile is being taken\n");
            co_return HttpResponse::of(200, "application/octet-stream", std::move(profile));
        });
}

}  // namespace strowger::broker
