#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "broker/answers.hpp"
#include "broker/broker.hpp"

namespace strowger::broker {

namespace {

using io::HttpRequest;
using io::HttpResponse;
using Json = nlohmann::ordered_json;

constexpr std::string_view prefix = "/api/tasks/";

std::string text_of(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

HttpResponse listed(const Jobs& jobs, const Who& who) {
    auto list = Json::array();
    for (const auto& task : jobs.list(who))
        list.push_back({{"id", fmt::format("{}", task.id)},
                        {"requester", task.requester},
                        {"provider", task.provider},
                        {"reference", task.reference},
                        {"program", task.program},
                        {"seconds", task.seconds}});
    return HttpResponse::json(200, text_of({{"tasks", list}}));
}

HttpResponse cancelled(Jobs& jobs, const HttpRequest& request, const Who& who) {
    const auto id = parse_number<TaskId>(std::string_view(request.path).substr(prefix.size()));
    if (!id) return HttpResponse::text(404, "not found\n");
    if (auto done = jobs.cancel_by_id(*id, who); !done)
        return HttpResponse::text(404, done.error().text() + "\n");
    return HttpResponse::text(200, "cancelled\n");
}

}  // namespace

void Broker::add_task_routes() {
    server_->route_now("GET", "/api/tasks", [this](const HttpRequest& request) {
        const auto who = access_.check(request, Role::run);
        return who ? listed(jobs_, *who) : denied(who.error());
    });
    server_->route_now("DELETE", std::string(prefix) + "*", [this](const HttpRequest& request) {
        const auto who = access_.check(request, Role::run);
        return who ? cancelled(jobs_, request, *who) : denied(who.error());
    });
}

}  // namespace strowger::broker
