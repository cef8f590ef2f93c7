#include "broker/batch.hpp"

#include <nlohmann/json.hpp>

#include "io/completion.hpp"

namespace strowger::broker {

namespace {

using connect::Code;
using nlohmann::json;

std::string text_of(const json& value) {
    return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

// Deeper than any request here; what is deeper is dropped, and so missed where it matters.
json parse(std::string_view text) {
    const auto shallow = [](int depth, json::parse_event_t, json&) {
        return depth < wasimoff::max_json_depth;
    };
    return json::parse(text, shallow, false);
}

/// Cancels what nobody waits for any more.
struct Running {
    Jobs& jobs;
    std::vector<TaskId> tasks = {};
    std::size_t left = 0;
    std::vector<std::string> answers = {};
    io::Completion<bool> done = {};

    void ended(std::size_t place, const Result<TaskResponse>& result) {
        answers[place] =
            result ? std::visit(
                         [](const auto& response) {
                             return wasimoff::write_message(wasimoff::Codec::json, response);
                         },
                         *result)
                   : text_of({{"error", result.error().text()}});
        tasks[place] = 0;
        if (--left == 0) done.resolve(true);
    }
};

struct CancelRest {
    std::shared_ptr<Running> running;
    ~CancelRest() {
        for (const auto task : running->tasks)
            if (task) running->jobs.cancel(task, "client went away");
    }
};

}  // namespace

// Looked at before anything is parsed: nearly no request is one.
bool is_batch(std::string_view text) {
    return text.find("\"tasks\"") != std::string_view::npos &&
           text.find("\"binary\"") != std::string_view::npos && [&] {
               const auto whole = parse(text);
               return whole.is_object() && whole.contains("tasks");
           }();
}

Result<std::vector<std::string>> unpack_batch(std::string_view text, std::size_t limit) {
    const auto whole = parse(text);
    if (!whole.is_object() || !whole.contains("tasks") || !whole["tasks"].is_array())
        return refuse(Code::invalid_argument, "a batch is an object with a list 'tasks'");
    if (whole["tasks"].size() > max_batch)
        return refuse(Code::invalid_argument,
                      fmt::format("a batch has at most {} tasks", max_batch));
    auto parent = whole.value("parent", json::object());
    if (!parent.is_object()) return refuse(Code::invalid_argument, "'parent' is an object");
    const auto inherited = parent.contains("params") ? parent["params"] : parent;
    std::vector<std::string> requests;
    std::size_t bytes = 0;
    for (const auto& task : whole["tasks"]) {
        if (!task.is_object()) return refuse(Code::invalid_argument, "a task is an object");
        auto params = inherited.is_object() ? inherited : json::object();
        json request = json::object();
        for (const auto& [key, value] : task.items()) {
            if (key == "info" || key == "qos")
                request[key] = value;
            else if (key != "params")
                params[key] = value;
        }
        if (const auto own = task.find("params"); own != task.end() && own->is_object())
            params.update(*own);
        for (const auto* key : {"info", "qos"}) {
            if (!request.contains(key) && parent.contains(key)) request[key] = parent[key];
            params.erase(key);
        }
        request["params"] = std::move(params);
        requests.push_back(text_of(request));
        bytes += requests.back().size();
        if (bytes > limit)
            return refuse(Code::invalid_argument,
                          fmt::format("the tasks have more than {} bytes with what they inherit; "
                                      "store the files and give their refs",
                                      limit));
    }
    return requests;
}

Task<std::string> run_batch(Jobs& jobs, std::vector<TaskRequest> requests, const Who& who) {
    const auto running = std::make_shared<Running>(Running{jobs});
    running->left = requests.size();
    running->tasks.resize(requests.size());
    running->answers.resize(requests.size());
    if (requests.empty()) running->done.resolve(true);
    const CancelRest rest{running};
    for (std::size_t place = 0; place < requests.size(); ++place) {
        const auto finished = [weak = std::weak_ptr(running), place](Result<TaskResponse> result) {
            if (const auto alive = weak.lock()) alive->ended(place, result);
        };
        const auto task = jobs.submit(std::move(requests[place]), who, finished);
        if (!task)
            running->ended(place, std::unexpected(task.error()));
        else if (running->answers[place].empty())
            running->tasks[place] = *task;
    }
    co_await running->done;
    std::string text = "{\"tasks\":[";
    for (const auto& answer : running->answers) {
        if (text.back() != '[') text += ',';
        text += answer;
    }
    co_return text + "]}";
}

}  // namespace strowger::broker
