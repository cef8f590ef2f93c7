#include "broker/cloud.hpp"

#include <algorithm>
#include <limits>

#include "base/log.hpp"
#include "broker/storage.hpp"

namespace strowger::broker {

namespace {

constexpr log::About about{"broker"};
// No stream has this number, and the other brokers have the one above it.
constexpr ProviderId cloud = std::numeric_limits<ProviderId>::max() - 1;
constexpr std::string_view media = "application/proto";

}  // namespace

Cloud::Cloud(io::Loop& loop, Jobs& jobs, Config config)
    : loop_(loop),
      jobs_(jobs),
      config_(std::move(config)),
      resolver_(loop, {}),
      client_(loop, resolver_, {.max_body = config_.max_body, .timeout = config_.timeout}) {}

Cloud::~Cloud() { *alive_ = false; }

Result<std::unique_ptr<Cloud>> Cloud::start(io::Loop& loop, Jobs& jobs, Config config) {
    if (!config.url.starts_with("https://") && !config.url.starts_with("http://"))
        return fail("cloud function '{}' is no URL", config.url);
    std::unique_ptr<Cloud> made(new Cloud(loop, jobs, std::move(config)));
    if (!made->config_.credentials.empty()) {
        auto token = CloudToken::read(made->config_.credentials, made->config_.url);
        if (!token) return std::unexpected(token.error().within("cloud credentials"));
        made->token_ = std::move(*token);
    }
    jobs.joined_cloud(cloud, *made);
    jobs.slots(cloud, made->config_.concurrency);
    LOG_NOTICE(about, "what no provider has room for goes to {}, {} at a time", made->config_.url,
               made->config_.concurrency);
    return made;
}

// A function knows nothing of what is stored here.
Result<std::string> Cloud::body_of(const google::protobuf::Message& request) const {
    const auto* wasip1 = dynamic_cast<const pb::Task_Wasip1_Request*>(&request);
    if (!wasip1) return fail("only WASI programs run in the cloud");
    pb::Task_Wasip1_Request whole = *wasip1;
    const auto embed = [&](pb::File& file) -> Result<> {
        if (file.has_blob() || !file.has_ref()) return {};
        auto content = jobs_.storage().read(file.ref());
        if (!content) return std::unexpected(content.error());
        file.set_blob(**content);
        file.clear_ref();
        return {};
    };
    auto& params = *whole.mutable_params();
    if (auto done = embed(*params.mutable_binary()); !done) return std::unexpected(done.error());
    if (params.has_rootfs())
        if (auto done = embed(*params.mutable_rootfs()); !done)
            return std::unexpected(done.error());
    return whole.SerializeAsString();
}

void Cloud::run(TaskId task, const google::protobuf::Message& request) {
    auto body = body_of(request);
    if (!body) {
        loop_.post([this, alive = alive_, task, why = body.error().text()] {
            if (*alive) failed(task, why, false);
        });
        return;
    }
    auto& running = calls_[task] = call(task, std::move(*body));
    running.start();
}

Task<> Cloud::call(TaskId task, std::string body) {
    auto answer = co_await ask(std::move(body));
    // Not from within: what follows lets go of this.
    loop_.post([this, alive = alive_, task, answer = std::move(answer)]() mutable {
        if (*alive) ended(task, std::move(answer));
    });
}

Task<Result<io::HttpResponse>> Cloud::ask(std::string body) {
    io::HttpClient::Request request{.method = "POST", .url = config_.url};
    request.headers.add("Content-Type", std::string(media));
    request.headers.add("Accept", std::string(media));
    if (token_) {
        auto token = co_await token_->get(client_, std::chrono::system_clock::now());
        if (!token) co_return std::unexpected(token.error());
        request.headers.add("Authorization", "Bearer " + *token);
    }
    request.body = std::move(body);
    co_return co_await client_.fetch(std::move(request));
}

void Cloud::ended(TaskId task, Result<io::HttpResponse> answer) {
    if (calls_.erase(task) == 0) return;  // cancelled meanwhile
    if (!answer) return failed(task, answer.error().text(), true);
    if (answer->status != 200) {
        const bool of_the_task = answer->status == 400 || answer->status == 413 ||
                                 answer->status == 415 || answer->status == 422;
        return failed(task,
                      fmt::format("the cloud's function answers with status {}", answer->status),
                      !of_the_task);
    }
    pause_ = first_pause;
    wasimoff::Envelope envelope{.type = wasimoff::Type::response};
    envelope.name = pb::Task_Wasip1_Response::descriptor()->full_name();
    envelope.payload = std::move(answer->body);
    jobs_.answered(cloud, task, envelope);
}

void Cloud::failed(TaskId task, std::string why, bool of_the_function) {
    if (of_the_function && !resumes_.pending()) {
        LOG_WARNING(about, "cloud: {}; asked again in {} s", why,
                    std::chrono::duration_cast<std::chrono::seconds>(pause_).count());
        jobs_.slots(cloud, 0);
        resumes_ = loop_.after(pause_, [this] { jobs_.slots(cloud, config_.concurrency); });
        pause_ = std::min(2 * pause_, longest_pause);
    }
    jobs_.came_back(cloud, task, std::move(why));
}

void Cloud::cancel(TaskId task, std::string_view) {
    loop_.post([this, alive = alive_, task] {
        if (!*alive) return;
        calls_.erase(task);
        jobs_.given_up(cloud, task, Error("cancelled"));
    });
}

}  // namespace strowger::broker
