#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "broker/answers.hpp"
#include "broker/broker.hpp"
#include "io/completion.hpp"
#include "wire/connect/code.hpp"

namespace strowger::broker {

namespace {

using connect::Code;
using io::HttpRequest;
using io::HttpResponse;
using Json = nlohmann::ordered_json;
using Standing = Submissions::Standing;

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

std::string_view name_of(Standing::State state) {
    switch (state) {
        case Standing::State::waiting: return "waiting";
        case Standing::State::running: return "running";
        case Standing::State::done: break;
    }
    return "done";
}

/// One line of JSON, as server-sent events need it.
std::string describe(const std::string& id, const Standing& standing) {
    auto text = text_of({{"id", id}, {"state", name_of(standing.state)}});
    if (!standing.result) return text;
    text.pop_back();
    if (!*standing.result) {
        const auto& error = standing.result->error();
        return text + ",\"error\":" + connect::error_json(code_of(error), error.text()) + "}";
    }
    const auto response =
        std::visit([](const auto& r) { return wasimoff::write_message(wasimoff::Codec::json, r); },
                   **standing.result);
    return text + ",\"response\":" + response + "}";
}

HttpResponse refused(const Error& error) {
    return HttpResponse::json(connect::http_status(code_of(error)),
                              connect::error_json(code_of(error), error.text()));
}

strowger::Task<HttpResponse> looked_at(Submissions& submissions, std::string id, Who who) {
    const io::Completion<Result<Standing>> done;
    submissions.look(id, who, [done](Result<Standing> r) { done.resolve(std::move(r)); });
    const auto standing = co_await done;
    if (!standing) co_return refused(standing.error());
    auto response = HttpResponse::json(200, describe(id, *standing));
    response.headers.add("Access-Control-Allow-Origin", "*");
    co_return response;
}

// A task that a client waits for, or one that was submitted without waiting.
strowger::Task<HttpResponse> cancelled(Jobs& jobs, Submissions& submissions, std::string id,
                                       Who who) {
    const auto number = parse_number<TaskId>(id);
    Result<> done = std::unexpected(Error(""));
    if (number) done = jobs.cancel_by_id(*number, who);
    if (!done) {
        const io::Completion<Result<>> answer;
        submissions.cancel(id, who, [answer](Result<> r) { answer.resolve(std::move(r)); });
        done = co_await answer;
    }
    if (!done) co_return HttpResponse::text(404, done.error().text() + "\n");
    co_return HttpResponse::text(200, "cancelled\n");
}

}  // namespace

void Broker::add_task_routes() {
    server_->route_now("GET", "/api/tasks", [this](const HttpRequest& request) {
        const auto who = access_.check(request, Role::run);
        return who ? listed(jobs_, *who) : denied(who.error());
    });
    server_->route("DELETE", std::string(prefix) + "*",
                   [this](HttpRequest request) -> strowger::Task<HttpResponse> {
                       const auto who = access_.check(request, Role::run);
                       if (!who) co_return denied(who.error());
                       auto id = request.path.substr(prefix.size());
                       co_return co_await cancelled(jobs_, *submissions_, std::move(id), *who);
                   });
    server_->route("GET", std::string(prefix) + "*",
                   [this](HttpRequest request) -> strowger::Task<HttpResponse> {
                       const auto who = access_.check(request, Role::run);
                       if (!who) co_return denied(who.error());
                       auto id = request.path.substr(prefix.size());
                       co_return co_await looked_at(*submissions_, std::move(id), *who);
                   });
    server_->take_over("GET", "/api/events/tasks/*",
                       [this](HttpRequest request, std::unique_ptr<io::Stream> stream) {
                           task_events(request, std::move(stream));
                       });
}

void Broker::task_events(const io::HttpRequest& request, std::unique_ptr<io::Stream> stream) {
    constexpr std::string_view events_prefix = "/api/events/tasks/";
    const auto who = access_.check(request, Role::run);
    if (!who) return answer_and_close(std::move(stream), denied(who.error()));
    if (events_.full())
        return answer_and_close(std::move(stream),
                                HttpResponse::text(503, "too many streams of events\n"));
    const auto id = request.path.substr(events_prefix.size());
    events_.add(id, std::move(stream), [this, id, who = *who](std::uint64_t to) {
        submissions_->look(id, who, [this, id, to](const Result<Standing>& standing) {
            if (!standing)
                return events_.finish(
                    to, "error",
                    connect::error_json(code_of(standing.error()), standing.error().text()));
            const auto text = describe(id, *standing);
            if (standing->result) return events_.finish(to, "done", text);
            events_.say(to, "state", text);
        });
    });
}

}  // namespace strowger::broker
