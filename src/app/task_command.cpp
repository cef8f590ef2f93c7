#include "app/task_command.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "app/commands.hpp"
#include "app/live_output.hpp"
#include "base/task.hpp"
#include "io/file.hpp"
#include "io/http_client.hpp"
#include "wire/wasimoff/envelope.hpp"

namespace strowger::app {

namespace {

namespace pb = wasimoff::pb;

constexpr std::size_t longest_file = 1 << 30;  // the most that a broker can be told to take
constexpr Duration longest_call = std::chrono::hours{24};

/// One request after another to a broker, waiting for each.
class Client {
public:
    Client(std::string broker, std::string token)
        : broker_(std::move(broker)),
          token_(std::move(token)),
          resolver_(loop_, {}),
          http_(loop_, resolver_, {.max_body = longest_file, .timeout = longest_call}) {
        while (broker_.ends_with('/')) broker_.pop_back();
    }

    Result<io::HttpResponse> fetch(std::string method, std::string_view path, std::string body = {},
                                   std::vector<std::pair<std::string, std::string>> fields = {},
                                   std::function<void(std::string_view)> on_body = {}) {
        io::HttpClient::Request request{.method = std::move(method),
                                        .url = broker_ + std::string(path),
                                        .body = std::move(body),
                                        .on_body = std::move(on_body)};
        for (auto& [name, value] : fields) request.headers.add(std::move(name), std::move(value));
        if (!token_.empty()) request.headers.add("Authorization", "Bearer " + token_);
        std::optional<Result<io::HttpResponse>> answer;
        spawn(wait(*this, std::move(request), answer));
        loop_.run_until([&] { return answer.has_value(); }, longest_call);
        if (!answer) return fail("{}: no answer", broker_);
        if (*answer && (*answer)->status >= 300)
            return fail_with((*answer)->status, "{}: {} {}", broker_, (*answer)->status,
                             (*answer)->body);
        return std::move(*answer);
    }

    /// Stores a file; the answer is its ref.
    Result<std::string> upload(const std::string& path, std::string_view name) {
        auto content = io::read_file(path, longest_file);
        if (!content) return std::unexpected(content.error());
        auto answer = fetch("POST", "/api/storage/upload?name=" + io::percent_encode(name),
                            std::move(*content));
        if (!answer) return std::unexpected(answer.error());
        while (answer->body.ends_with('\n')) answer->body.pop_back();
        return answer->body;
    }

private:
    static Task<> wait(Client& client, io::HttpClient::Request request,
                       std::optional<Result<io::HttpResponse>>& answer) {
        answer = co_await client.http_.fetch(std::move(request));
    }

    std::string broker_, token_;
    io::Loop loop_;
    io::Resolver resolver_;
    io::HttpClient http_;
};

int complain(const Error& error) {
    const auto& text = error.text();
    fmt::print(stderr, "strowger task: {}{}", text, text.ends_with('\n') ? "" : "\n");
    return failure;
}

// A file here is stored first; anything else is a ref or an alias of what the broker has.
Result<std::string> stored(Client& client, const std::string& name) {
    if (!std::filesystem::is_regular_file(name)) return name;
    return client.upload(name, "");
}

void show_rest(std::string_view text, std::size_t shown, std::FILE* to) {
    text.remove_prefix(std::min(shown, text.size()));
    std::fwrite(text.data(), 1, text.size(), to);
}

int show(const pb::Task_Wasip1_Response& response, const std::string& artifacts_file,
         const LiveOutput& live) {
    if (response.has_error()) return complain(Error(response.error()));
    const auto& ok = response.ok();
    show_rest(ok.stdout(), live.shown_output(), stdout);
    show_rest(ok.stderr(), live.shown_errors(), stderr);
    if (ok.artifacts().has_blob())
        if (auto written = io::replace_file(artifacts_file, ok.artifacts().blob()); !written)
            return complain(written.error());
    return ok.status();
}

}  // namespace

TaskCommand::TaskCommand(CLI::App& app) {
    command_ =
        app.add_subcommand("task", "WebAssembly tasks at a broker: run, upload, list, cancel");
    command_->require_subcommand(1);
    command_->add_option("--broker", broker_, "the broker's URL")
        ->envname("BROKER")
        ->capture_default_str();
    command_->add_option("--token", token_, "a bearer token")->envname("WASIMOFF_TOKEN");
    command_->add_flag("--json", json_, "for scripts");

    run_ = command_->add_subcommand("run", "Runs a program and shows what it writes");
    run_->add_option("program", program_, "a .wasm file, or the ref or alias of a stored one")
        ->required();
    // What follows the program is its own, whatever it looks like.
    run_->prefix_command();
    run_->footer(
        "What follows PROGRAM are its arguments; options of this command stand before it.");
    run_->add_flag("--stdin", stdin_, "send standard input along");
    run_->add_option("--env", environment_, "NAME=VALUE")->allow_extra_args(false);
    run_->add_option("--rootfs", rootfs_, "a ZIP, or the ref or alias of a stored one");
    run_->add_option("--artifact", artifacts_, "file of the program's to bring back")
        ->allow_extra_args(false);
    run_->add_option("--artifacts-to", artifacts_file_, "ZIP that they are written to")
        ->capture_default_str();
    run_->add_option("--timeout", timeout_, "seconds after which it is given up");

    upload_ = command_->add_subcommand("upload", "Stores a file");
    upload_->add_option("file", file_, "a .wasm or .zip")->required();
    upload_->add_option("name", name_, "an alias for it");
    list_ = command_->add_subcommand("list", "The tasks that wait or run");
    cancel_ = command_->add_subcommand("cancel", "Ends a task");
    cancel_->add_option("id", id_, "its number")->required();
}

bool TaskCommand::chosen() const { return command_->parsed(); }

int TaskCommand::run() {
    Client client(broker_, token_);
    if (*upload_) {
        const auto ref = client.upload(file_, name_);
        if (!ref) return complain(ref.error());
        fmt::print("{}\n", json_ ? nlohmann::json{{"ref", *ref}}.dump() : *ref);
        return success;
    }
    if (*list_) {
        const auto answer = client.fetch("GET", "/api/tasks");
        if (!answer) return complain(answer.error());
        if (json_) return fmt::print("{}\n", answer->body), success;
        const auto tasks = nlohmann::json::parse(answer->body, nullptr, false);
        if (!tasks.is_object()) return complain(Error("the broker's list is not JSON"));
        for (const auto& task : tasks.value("tasks", nlohmann::json::array()))
            fmt::print("{:>8} {:>8.1f} s  {:16} {:16} {}\n", task.value("id", ""),
                       task.value("seconds", 0.0), task.value("requester", ""),
                       task.value("provider", ""), task.value("program", ""));
        return success;
    }
    if (*cancel_) {
        const auto answer = client.fetch("DELETE", fmt::format("/api/tasks/{}", id_));
        return answer ? success : complain(answer.error());
    }
    pb::Task_Wasip1_Request request;
    auto& params = *request.mutable_params();
    const auto program = stored(client, program_);
    if (!program) return complain(program.error());
    params.mutable_binary()->set_ref(*program);
    params.add_args(program_);
    for (const auto& argument : run_->remaining()) params.add_args(argument);
    for (const auto& variable : environment_) params.add_envs(variable);
    for (const auto& artifact : artifacts_) params.add_artifacts(artifact);
    if (!rootfs_.empty()) {
        const auto rootfs = stored(client, rootfs_);
        if (!rootfs) return complain(rootfs.error());
        params.mutable_rootfs()->set_ref(*rootfs);
    }
    if (stdin_) params.set_stdin(std::string(std::istreambuf_iterator<char>(std::cin), {}));
    std::vector<std::pair<std::string, std::string>> fields{{"Content-Type", "application/proto"}};
    if (timeout_ > 0)
        fields.emplace_back("Connect-Timeout-Ms", fmt::format("{:.0f}", timeout_ * 1000));
    LiveOutput live;
    if (!json_) {
        const auto heard =
            client.fetch("POST", "/api/client/live/RunWasip1", request.SerializeAsString(), fields,
                         [&](std::string_view piece) { live.take(piece); });
        if (live.result()) {
            if (!*live.result()) return complain(live.result()->error());
            return show(**live.result(), artifacts_file_, live);
        }
        // Brokers of others have no such route.
        constexpr int not_found = 404, not_allowed = 405;
        if (heard) return complain(Error("the broker went away"));
        if (heard.error().code() != not_found && heard.error().code() != not_allowed)
            return complain(heard.error());
    }
    const auto answer = client.fetch("POST", "/api/client/wasimoff.v1.Tasks/RunWasip1",
                                     request.SerializeAsString(), std::move(fields));
    if (!answer) return complain(answer.error());
    pb::Task_Wasip1_Response response;
    if (auto read = wasimoff::read_message(wasimoff::Codec::protobuf, answer->body, response);
        !read)
        return complain(read.error());
    if (!json_) return show(response, artifacts_file_, live);
    fmt::print("{}\n", wasimoff::write_message(wasimoff::Codec::json, response));
    return response.has_ok() ? response.ok().status() : failure;
}

}  // namespace strowger::app
