#include <nlohmann/json.hpp>

#include "base/base64.hpp"
#include "base/log.hpp"
#include "broker/answers.hpp"
#include "broker/broker.hpp"
#include "broker/host_names.hpp"
#include "broker/starless_ids.hpp"
#include "broker/upload.hpp"
#include "wire/zip/zip.hpp"

namespace strowger::broker {

namespace {

using connect::Code;
using io::HttpRequest;
using io::HttpResponse;
using Json = nlohmann::ordered_json;

constexpr std::size_t max_execs = 10'000;    // tasks of one request
constexpr std::size_t max_load_files = 256;  // of one task
constexpr std::size_t max_words = 4096;      // arguments, or variables, of one task

std::string dump(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

HttpResponse text(int status, std::string body) {
    return HttpResponse::text(status, std::move(body));
}

// --- the run configuration

struct Exec {
    std::vector<std::string> args, envs, load_files;
    std::optional<std::string> stdin_text, data_file;
};
struct Configuration {
    std::string bin;
    std::vector<std::string> envs;
    std::vector<Exec> execs;
    bool trace = false;
};

Result<std::vector<std::string>> texts(const Json& object, const char* key, std::size_t most) {
    std::vector<std::string> list;
    const auto found = object.find(key);
    if (found == object.end() || found->is_null()) return list;
    if (!found->is_array()) return fail("'{}' is no list", key);
    if (found->size() > most)
        return fail("'{}' has {} items; at most {}", key, found->size(), most);
    for (const auto& item : *found) {
        if (!item.is_string()) return fail("'{}' holds something else than texts", key);
        list.push_back(item.get<std::string>());
    }
    return list;
}

Result<std::optional<std::string>> one_text(const Json& object, const char* key) {
    const auto found = object.find(key);
    if (found == object.end() || found->is_null()) return std::nullopt;
    if (!found->is_string()) return fail("'{}' is no text", key);
    return found->get<std::string>();
}

Result<Exec> exec_of(const Json& object) {
    if (!object.is_object()) return fail("an item of 'exec' is no object");
    if (!object.contains("args") && !object.contains("envs"))
        return fail("an item of 'exec' needs 'args' or 'envs'");
    Exec exec;
    for (const auto& [key, list, most] :
         {std::tuple{"args", &exec.args, max_words}, std::tuple{"envs", &exec.envs, max_words},
          std::tuple{"loadfs", &exec.load_files, max_load_files}}) {
        auto read = texts(object, key, most);
        if (!read) return std::unexpected(read.error());
        *list = std::move(*read);
    }
    for (const auto& [key, value] :
         {std::pair{"stdin", &exec.stdin_text}, std::pair{"datafile", &exec.data_file}}) {
        auto read = one_text(object, key);
        if (!read) return std::unexpected(read.error());
        *value = std::move(*read);
    }
    return exec;
}

Result<Configuration> configuration_of(const std::string& body) {
    const auto json = Json::parse(body, nullptr, false);
    if (json.is_discarded() || !json.is_object())
        return fail("the run configuration is no JSON object");
    Configuration configuration;
    const auto bin = one_text(json, "bin");
    if (!bin) return std::unexpected(bin.error());
    if (!*bin || (*bin)->empty()) return fail("'bin' is needed");
    configuration.bin = **bin;
    auto envs = texts(json, "envs", max_words);
    if (!envs) return std::unexpected(envs.error());
    configuration.envs = std::move(*envs);
    if (const auto trace = json.find("trace"); trace != json.end() && !trace->is_null()) {
        if (!trace->is_boolean()) return fail("'trace' is neither true nor false");
        configuration.trace = trace->get<bool>();
    }
    const auto list = json.find("exec");
    if (list == json.end() || !list->is_array() || list->empty())
        return fail("'exec' needs at least one item");
    if (list->size() > max_execs)
        return fail("'exec' has {} items; at most {}", list->size(), max_execs);
    for (const auto& item : *list) {
        auto exec = exec_of(item);
        if (!exec) return std::unexpected(exec.error());
        configuration.execs.push_back(std::move(*exec));
    }
    if (configuration.trace && configuration.execs.size() != 1)
        return fail("'trace' goes with exactly one item of 'exec'");
    return configuration;
}

// --- tasks

std::string plain(std::string path) { return path.starts_with('/') ? path.substr(1) : path; }

Result<pb::Task_Wasip1_Request> task_of(const Configuration& configuration, const Exec& exec,
                                        Storage& storage, const StarlessNames& names) {
    pb::Task_Wasip1_Request task;
    if (configuration.trace) task.mutable_info()->mutable_trace();
    auto& params = *task.mutable_params();
    const auto bin = names.find(configuration.bin, storage);
    if (!bin) return fail("file not found: {}", configuration.bin);
    params.mutable_binary()->set_ref(bin->ref);
    params.add_args(configuration.bin);
    for (const auto& arg : exec.args) params.add_args(arg);
    for (const auto& variable : configuration.envs) params.add_envs(variable);
    for (const auto& variable : exec.envs) params.add_envs(variable);
    if (exec.stdin_text) params.set_stdin(*exec.stdin_text);
    if (exec.data_file) params.add_artifacts(plain(*exec.data_file));
    if (exec.load_files.empty()) return task;
    // Providers of today take files as an archive; stored, it is fetched by each of them once.
    std::vector<zip::File> files;
    for (const auto& name : exec.load_files) {
        const auto file = names.find(name, storage);
        if (!file) return fail("file not found: {}", name);
        const auto content = storage.read(file->ref);
        if (!content) return std::unexpected(content.error());
        files.push_back({name, **content});
    }
    const auto archive = storage.put(zip::write(files), "application/zip", "", "");
    if (!archive) return std::unexpected(archive.error());
    params.mutable_rootfs()->set_ref(archive->ref);
    return task;
}

Json trace_of(const pb::Task_Trace& trace) {
    auto list = Json::array();
    for (const auto& event : trace.events()) {
        const auto label = event.event() == pb::Task_TraceEvent::UNKNOWN
                               ? event.details()
                               : pb::Task_TraceEvent::EventType_Name(event.event());
        list.push_back({{"time", event.unixnano() / 1000}, {"label", label}});
    }
    return list;
}

std::string data_file_of(const pb::Task_Wasip1_Output& ok, const std::string& name,
                         std::size_t limit) {
    const auto files = zip::read(ok.artifacts().blob(), limit);
    if (!files) return {};
    const auto found = std::ranges::find(*files, name, &zip::File::name);
    return found == files->end() ? std::string() : found->bytes;
}

Json result_of(const Result<TaskResponse>& done, const Exec& exec, bool traced, std::size_t limit) {
    if (!done) return {{"error", done.error().text()}};
    const auto& response = std::get<pb::Task_Wasip1_Response>(*done);
    if (response.has_error()) return {{"error", response.error()}};
    const auto& ok = response.ok();
    Json result{{"status", ok.status()}, {"stdout", ok.stdout()}, {"stderr", ok.stderr()}};
    if (exec.data_file && ok.artifacts().has_blob())
        result["datafile"] =
            to_base64(as_bytes(data_file_of(ok, plain(*exec.data_file), limit)), Padding::written);
    if (traced) result["trace"] = trace_of(response.info().trace());
    return {{"result", std::move(result)}};
}

/// The tasks of one request; those still under way are cancelled when its client goes.
struct Batch {
    Jobs& jobs;
    std::vector<std::pair<TaskId, io::Completion<Result<TaskResponse>>>> tasks = {};

    ~Batch() {
        for (const auto& [task, done] : tasks)
            if (task && !done.resolved()) jobs.cancel(task, "client went away");
    }
    void add(Result<pb::Task_Wasip1_Request> request, const Who& who) {
        auto& [task, done] = tasks.emplace_back();
        if (!request) return done.resolve(std::unexpected(request.error()));
        auto submitted = jobs.submit(
            TaskRequest(std::move(*request)), who,
            [answer = done](Result<TaskResponse> result) { answer.resolve(std::move(result)); });
        if (submitted)
            task = *submitted;
        else
            done.resolve(std::unexpected(submitted.error()));
    }
};

}  // namespace

std::optional<Storage::File> StarlessNames::find(std::string_view name, Storage& storage) const {
    const auto found = refs_.find(std::string(name));
    return storage.find(found == refs_.end() ? name : std::string_view(found->second));
}

void StarlessNames::keep(const std::string& name, const std::string& ref) {
    if (refs_.size() >= max_names && !refs_.contains(name)) refs_.erase(refs_.begin());
    refs_[name] = ref;
}

void Broker::add_starless_routes() {
    server_->route_now("GET", "/api/broker/v1/healthz",
                       [](const HttpRequest&) { return text(200, "OK\n"); });
    server_->route_now("GET", "/api/broker/v1/config",
                       [this](const HttpRequest& request) { return starless_config(request); });
    server_->route(
        "POST", "/api/broker/v1/upload",
        [this](HttpRequest request) { return starless_upload(std::move(request)); },
        options_.max_file);
    server_->route(
        "POST", "/api/broker/v1/run",
        [this](HttpRequest request) { return starless_run(std::move(request)); },
        options_.max_file);
}

// The host that the page came to is where it finds us, but for our own machine's names, of which
// browsers take only one for both families of addresses.
std::string Broker::transport_url(const HttpRequest& request) const {
    if (!options_.transport_url.empty()) return options_.transport_url;
    const auto host = host_of(request.headers.get("Host"));
    return fmt::format("https://{}:{}/transport",
                       host.empty() || is_own_machine(host) ? "localhost" : host, door_->port());
}

HttpResponse Broker::starless_config(const HttpRequest& request) const {
    if (!door_) return text(503, "there is no WebTransport here\n");
    Json config{{"transport", transport_url(request)}};
    if (const auto hashes = door_->hashes(); !hashes.empty()) {
        config["certhash"] = hashes.front();
        config["certhashes"] = hashes;  // ours: a page that keeps them outlives a renewal
    }
    auto response = HttpResponse::json(200, dump(config));
    response.headers.add("Access-Control-Allow-Origin", "*");
    response.headers.add("Cache-Control", "no-store");
    return response;
}

strowger::Task<HttpResponse> Broker::starless_upload(HttpRequest request) {
    const auto who = access_.check(request, Role::upload);
    if (!who) co_return denied(who.error());
    const auto name = request.parameter("name");
    if (name.empty()) co_return text(400, "name is needed\n");
    const auto persist = request.parameter("persist");
    const bool passing = persist == "n" || persist == "no" || persist == "false";
    const auto size = request.body.size();
    const auto media = sniff(request.body).value_or("application/octet-stream");
    const io::Completion<Result<Storage::File>> stored;
    store_and_share(*storage_, std::move(request.body), media, passing ? std::string() : name, *who,
                    [stored](Result<Storage::File> file) { stored.resolve(std::move(file)); });
    const auto file = co_await stored;
    if (!file) {
        const int code = file.error().code();
        const bool known =
            code == Storage::too_large || code == Storage::not_yours || code == Storage::broken;
        co_return text(known ? code : 400, file.error().text() + "\n");
    }
    if (passing)
        starless_names_.keep(name, file->ref);
    else
        starless_names_.forget(name);
    if (jobs_.providers() == 0) co_return text(503, "provider list is empty");
    const auto content = storage_->read(file->ref);
    if (!content) co_return text(500, content.error().text() + "\n");

    // All at once; links may go meanwhile, and then their pushes are let go of.
    struct Push {
        std::string address;
        io::Completion<Result<>> done;
    };
    std::vector<Push> pushes;
    for (const auto& [id, link] : starless_) {
        auto& push = pushes.emplace_back(link->address());
        link->push_and_tell(name, file->ref, *content, push.done);
    }
    Json outcome = Json::object();
    bool failed = false;
    for (const auto& push : pushes) {
        const auto done = co_await push.done;
        failed = failed || !done;
        outcome[push.address] = done ? "OK" : done.error().text();
    }
    if (failed) co_return HttpResponse::json(500, dump(outcome));
    co_return text(200, fmt::format("Upload OK, {} bytes", size));
}

strowger::Task<HttpResponse> Broker::starless_run(HttpRequest request) {
    const auto who = access_.check(request, Role::run);
    if (!who) co_return denied(who.error());
    const auto type = trim(split_once(request.headers.get("Content-Type"), ';').first);
    if (!iequals(type, "application/json"))
        co_return text(400, "content-type must be application/json\n");
    const auto configuration = configuration_of(request.body);
    if (!configuration) co_return text(400, configuration.error().text() + "\n");
    if (jobs_.providers() == 0) co_return text(503, "provider store is empty");
    Batch batch{jobs_};
    auto random = Random::system();
    const auto uuid = new_uuid(random);
    for (std::size_t i = 0; i < configuration->execs.size(); ++i) {
        auto task = task_of(*configuration, configuration->execs[i], *storage_, starless_names_);
        if (task) task->mutable_info()->set_reference(starless_task_id(uuid, i));
        batch.add(std::move(task), *who);
    }
    auto list = Json::array();
    for (std::size_t i = 0; i < batch.tasks.size(); ++i) {
        const auto done = co_await batch.tasks[i].second;
        list.push_back(
            result_of(done, configuration->execs[i], configuration->trace, options_.max_file));
    }
    co_return HttpResponse::json(200, dump(list));
}

}  // namespace strowger::broker
