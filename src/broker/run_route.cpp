#include <google/protobuf/stubs/strutil.h>

#include "base/text.hpp"
#include "broker/answers.hpp"
#include "broker/broker.hpp"
#include "broker/shell_words.hpp"

namespace strowger::broker {

namespace {

using io::HttpRequest;
using io::HttpResponse;

constexpr std::string_view prefix = "/api/client/run/";
constexpr std::string_view environment = "X-Env-";

Result<pb::Task_Wasip1_Request> task_of(HttpRequest& request) {
    pb::Task_Wasip1_Request task;
    auto& params = *task.mutable_params();
    const auto program = request.path.substr(prefix.size());
    params.mutable_binary()->set_ref(program);
    params.add_args(program);
    auto words = shell_words(request.headers.get("X-Args"));
    if (!words) return std::unexpected(words.error());
    for (auto& word : *words) params.add_args(std::move(word));
    std::vector<std::string> seen;
    for (const auto& [name, value] : request.headers.fields) {
        if (istarts_with(name, environment)) {
            const auto variable = to_upper(std::string_view(name).substr(environment.size()));
            if (std::ranges::find(seen, variable) != seen.end()) continue;
            seen.push_back(variable);
            params.add_envs(variable + "=" + value);
        } else if (iequals(name, "X-Artifact")) {
            params.add_artifacts(value);
        }
    }
    params.add_envs(fmt::format("CONTENT_LENGTH={}", request.body.size()));
    params.add_envs(fmt::format("CONTENT_TYPE={}", request.headers.get("Content-Type")));
    if (const auto rootfs = request.headers.get("X-RootFS-Ref"); !rootfs.empty())
        params.mutable_rootfs()->set_ref(std::string(rootfs));
    params.set_stdin(std::move(request.body));
    if (const auto same = request.headers.get("X-Deterministic"); !same.empty() && same != "0")
        task.mutable_qos()->set_deterministic(true);
    return task;
}

HttpResponse answer(pb::Task_Wasip1_Response response) {
    if (response.has_error()) {
        auto failed = HttpResponse::text(200, response.error());
        failed.headers.add("X-Wasimoff-Provider", response.info().provider());
        failed.headers.add("X-Wasimoff-Result", "Error");
        return failed;
    }
    auto& ok = *response.mutable_ok();
    auto done = HttpResponse::of(200, "application/octet-stream", ok.stderr() + ok.stdout());
    done.headers.add("X-Wasimoff-Provider", response.info().provider());
    done.headers.add("X-Wasimoff-Result", "Ok");
    done.headers.add("X-Wasimoff-Status", fmt::format("{}", ok.status()));
    if (ok.artifacts().has_blob()) {
        std::string text;
        google::protobuf::Base64Escape(ok.artifacts().blob(), &text);
        done.headers.add("X-Wasimoff-Artifacts", text);
    }
    return done;
}

strowger::Task<HttpResponse> run(Access& access, Jobs& jobs, HttpRequest request) {
    if (request.method != "POST") {
        auto response = HttpResponse::text(405, "method not allowed\n");
        response.headers.add("Allow", "POST");
        co_return response;
    }
    const auto who = access.check(request, Role::run);
    if (!who) co_return denied(who.error());
    auto task = task_of(request);
    if (!task) co_return HttpResponse::text(400, task.error().text() + "\n");
    TaskRequest wanted(std::move(*task));
    auto result = co_await run_task(jobs, std::move(wanted), *who);
    if (!result) co_return HttpResponse::text(500, result.error().text() + "\n");
    co_return answer(std::get<pb::Task_Wasip1_Response>(std::move(*result)));
}

}  // namespace

void Broker::add_run_route() {
    server_->route(
        "*", std::string(prefix) + "*",
        [this](HttpRequest request) { return run(access_, jobs_, std::move(request)); },
        options_.max_file);
}

}  // namespace strowger::broker
