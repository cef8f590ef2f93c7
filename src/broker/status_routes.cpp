#include <nlohmann/json.hpp>

#include "base/metrics.hpp"
#include "broker/answers.hpp"
#include "broker/broker.hpp"
#include "broker/cluster.hpp"
#include "broker/static_files.hpp"

namespace strowger::broker {

namespace {

using io::HttpRequest;
using io::HttpResponse;

constexpr std::string_view version = "0.1.0";

}  // namespace

void Broker::add_status_routes() {
    server_->route_now("GET", "/healthz",
                       [](const HttpRequest&) { return HttpResponse::text(200, "OK\n"); });
    server_->route_now("GET", "/api/version", [](const HttpRequest&) {
        const nlohmann::ordered_json body{
            {"go", "none"}, {"package", "strowger"}, {"revision", version}};
        return HttpResponse::json(200, body.dump());
    });
    if (options_.metrics)
        server_->route_now("GET", "/metrics", [this](const HttpRequest&) {
            jobs_.publish_metrics();
            publish_transport_metrics();
            if (cluster_) cluster_->publish_metrics();
            return HttpResponse::of(200, std::string(metrics::content_type),
                                    metrics::Registry::global().text());
        });
    // What no other route wants: the provider's page and its files.
    server_->route_now("*", "/*", [this](const HttpRequest& request) {
        return static_file(options_.static_files, request);
    });
}

}  // namespace strowger::broker
