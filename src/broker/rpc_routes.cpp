#include <google/protobuf/util/time_util.h>

#include "base/text.hpp"
#include "broker/answers.hpp"
#include "broker/batch.hpp"
#include "broker/broker.hpp"
#include "broker/upload.hpp"
#include "io/clock.hpp"
#include "io/completion.hpp"
#include "wire/connect/grpc_web.hpp"
#include "wire/connect/gzip.hpp"

namespace strowger::broker {

namespace {

using connect::Code;
using io::HttpRequest;
using io::HttpResponse;
using wasimoff::Codec;

constexpr std::string_view prefix = "/api/client/wasimoff.v1.Tasks/";
constexpr std::string_view submit_prefix = "/api/client/submit/";
constexpr std::string_view live_prefix = "/api/client/live/";
// Below it, packing costs more than it saves.
constexpr std::size_t worth_packing = 1024;

// A file in base64, with what stands around it.
std::size_t body_limit(const Options& options) { return options.max_file / 3 * 4 + (1 << 20); }

/// How a request is framed and encoded, and so its answer.
struct Form {
    Codec codec = Codec::json;
    enum class Framing { none, grpc_web, grpc } framing = Framing::none;

    bool framed() const { return framing != Framing::none; }
    std::string content_type() const {
        const auto* name = codec == Codec::json ? "json" : "proto";
        if (framing == Framing::none) return fmt::format("application/{}", name);
        return fmt::format("application/grpc{}+{}", framing == Framing::grpc ? "" : "-web", name);
    }
};

// gRPC itself needs trailers, so HTTP/2.
std::optional<Form> form_of(const HttpRequest& request) {
    using enum Form::Framing;
    const auto type = to_lower(trim(split_once(request.headers.get("Content-Type"), ';').first));
    const std::pair<std::string_view, Form> known[] = {
        {"application/json", {Codec::json, none}},
        {"application/proto", {Codec::protobuf, none}},
        {"application/grpc-web", {Codec::protobuf, grpc_web}},
        {"application/grpc-web+proto", {Codec::protobuf, grpc_web}},
        {"application/grpc-web+json", {Codec::json, grpc_web}},
        {"application/grpc", {Codec::protobuf, grpc}},
        {"application/grpc+proto", {Codec::protobuf, grpc}},
        {"application/grpc+json", {Codec::json, grpc}},
    };
    for (const auto& [name, form] : known)
        if (type == name && (form.framing != grpc || request.trailers)) return form;
    return std::nullopt;
}

Result<std::string> unpacked(const HttpRequest& request, const Form& form, std::size_t limit) {
    const auto encoding = request.headers.get(form.framed() ? "Grpc-Encoding" : "Content-Encoding");
    std::string_view body = request.body;
    bool packed = !encoding.empty() && !iequals(encoding, "identity");
    if (packed && !iequals(encoding, "gzip"))
        return refuse(Code::unimplemented,
                      fmt::format("encoding '{}' is not known, gzip is", encoding));
    if (form.framed()) {
        const auto message = connect::grpc_request(body);
        if (!message) return refuse(Code::invalid_argument, message.error().text());
        body = message->bytes;
        packed = packed && message->compressed;
    }
    if (!packed) return std::string(body);
    auto plain = connect::gunzip(body, limit);
    if (!plain) return refuse(Code::invalid_argument, plain.error().text());
    return plain;
}

// Connect-Timeout-Ms: at most ten digits. grpc-timeout: at most eight and a unit.
Result<std::optional<Duration>> timeout_of(const HttpRequest& request, const Form& form) {
    auto text = request.headers.get(form.framed() ? "Grpc-Timeout" : "Connect-Timeout-Ms");
    if (text.empty()) return std::nullopt;
    Duration unit = std::chrono::milliseconds{1};
    std::size_t digits = 10;
    if (form.framed()) {
        switch (text.back()) {
            case 'H': unit = std::chrono::hours{1}; break;
            case 'M': unit = std::chrono::minutes{1}; break;
            case 'S': unit = std::chrono::seconds{1}; break;
            case 'm': break;
            case 'u': unit = std::chrono::microseconds{1}; break;
            case 'n': unit = std::chrono::nanoseconds{1}; break;
            default: text = "?"; break;
        }
        text.remove_suffix(1);
        digits = 8;
    }
    const auto number = parse_number<std::uint64_t>(text);
    if (!number || text.size() > digits)
        return refuse(Code::invalid_argument, "the timeout is not a number");
    constexpr std::int64_t longest = 366LL * 24 * 3600;
    const auto limit = std::chrono::seconds{longest} / unit;
    return unit * static_cast<std::int64_t>(std::min<std::uint64_t>(*number, limit));
}

void shorten(pb::Task_QoS& qos, Duration timeout) {
    using google::protobuf::util::TimeUtil;
    const auto end = io::wall_now().time_since_epoch() + timeout;
    const auto stamp = TimeUtil::NanosecondsToTimestamp(end.count());
    if (!qos.has_deadline() || stamp < qos.deadline()) *qos.mutable_deadline() = stamp;
}

using Body = Result<std::string>;

HttpResponse grpc_answer(const Form& form, const Body& body) {
    auto response =
        HttpResponse::of(200, form.content_type(), body ? connect::grpc_frame(*body) : "");
    response.trailers.add("grpc-status",
                          fmt::format("{}", body ? 0 : static_cast<int>(code_of(body.error()))));
    if (!body) response.trailers.add("grpc-message", connect::grpc_text(body.error().text()));
    return response;
}

HttpResponse answer(const HttpRequest& request, const Form& form, const Body& body) {
    if (form.framing == Form::Framing::grpc) return grpc_answer(form, body);
    if (!body && form.framed())
        return HttpResponse::of(200, form.content_type(),
                                connect::grpc_failure(code_of(body.error()), body.error().text()));
    if (!body) {
        const auto code = code_of(body.error());
        auto response = HttpResponse::json(connect::http_status(code),
                                           connect::error_json(code, body.error().text()));
        if (code == Code::unauthenticated) response.headers.add("WWW-Authenticate", "Bearer");
        return response;
    }
    auto response = HttpResponse::of(200, form.content_type(),
                                     form.framed() ? connect::grpc_answer(*body) : *body);
    response.headers.add("Access-Control-Allow-Origin", "*");
    if (!form.framed() && body->size() >= worth_packing &&
        request.headers.has_token("Accept-Encoding", "gzip")) {
        response.headers.add("Content-Encoding", "gzip");
        response.body = connect::gzip(*body);
    }
    return response;
}

template <typename Request>
Result<TaskRequest> read_task(const HttpRequest& http, const Form& form, std::string_view text) {
    Request request;
    if (auto read = wasimoff::read_message(form.codec, text, request); !read)
        return refuse(Code::invalid_argument, read.error().text());
    const auto timeout = timeout_of(http, form);
    if (!timeout) return std::unexpected(timeout.error());
    if (*timeout) shorten(*request.mutable_qos(), **timeout);
    return TaskRequest(std::move(request));
}

Result<TaskRequest> read_task(std::string_view method, const HttpRequest& http, const Form& form,
                              std::string_view text) {
    return method == "RunWasip1" ? read_task<pb::Task_Wasip1_Request>(http, form, text)
                                 : read_task<pb::Task_Pyodide_Request>(http, form, text);
}

strowger::Task<Body> run(Jobs& jobs, std::string_view method, const HttpRequest& http,
                         const Form& form, std::string_view text, const Who& who) {
    auto task = read_task(method, http, form, text);
    if (!task) co_return std::unexpected(task.error());
    const auto result = co_await run_task(jobs, std::move(*task), who);
    if (!result) co_return std::unexpected(result.error());
    co_return std::visit(
        [&](const auto& response) { return wasimoff::write_message(form.codec, response); },
        *result);
}

strowger::Task<Body> run_several(Jobs& jobs, const HttpRequest& http, const Form& form,
                                 std::string_view text, std::size_t limit, const Who& who) {
    const auto texts = unpack_batch(text, limit);
    if (!texts) co_return std::unexpected(texts.error());
    std::vector<TaskRequest> requests;
    for (const auto& each : *texts) {
        auto request = read_task<pb::Task_Wasip1_Request>(http, form, each);
        if (!request) co_return std::unexpected(request.error());
        requests.push_back(std::move(*request));
    }
    co_return co_await run_batch(jobs, std::move(requests), who);
}

// Always in JSON, whatever the task came in.
strowger::Task<HttpResponse> submit(Jobs& jobs, Submissions& submissions, std::string_view method,
                                    const HttpRequest& http, const Form& form,
                                    std::string_view text, const Who& who) {
    auto task = read_task(method, http, form, text);
    Result<std::string> id = std::unexpected(Error(""));
    if (task) {
        const io::Completion<TaskRequest> found;
        jobs.find_files(std::move(*task),
                        [found](TaskRequest known) { found.resolve(std::move(known)); });
        auto request = co_await found;
        const io::Completion<Result<std::string>> done;
        submissions.submit(std::move(request), who,
                           [done](Result<std::string> r) { done.resolve(std::move(r)); });
        id = co_await done;
    } else {
        id = std::unexpected(task.error());
    }
    if (!id) {
        const Body failure = std::unexpected(id.error());
        co_return answer(http, Form{}, failure);
    }
    auto response = HttpResponse::json(202, fmt::format("{{\"id\":\"{}\"}}", *id));
    response.headers.add("Location", fmt::format("/api/tasks/{}", *id));
    response.headers.add("Access-Control-Allow-Origin", "*");
    co_return response;
}

strowger::Task<Body> upload(Storage& storage, const Form& form, std::string_view text,
                            const Who& who) {
    pb::Filesystem_Upload_Request request;
    if (auto read = wasimoff::read_message(form.codec, text, request); !read)
        co_return refuse(Code::invalid_argument, read.error().text());
    const io::Completion<Result<pb::Filesystem_Upload_Response>> done;
    store_upload(storage, std::move(request), who,
                 [done](Result<pb::Filesystem_Upload_Response> r) { done.resolve(std::move(r)); });
    const auto response = co_await done;
    if (!response) co_return std::unexpected(response.error());
    co_return wasimoff::write_message(form.codec, *response);
}

strowger::Task<HttpResponse> call(Access& access, Jobs& jobs, Submissions& submissions,
                                  std::size_t limit, HttpRequest request) {
    if (request.method != "POST") {
        auto response = HttpResponse::text(405, "method not allowed\n");
        response.headers.add("Allow", "POST");
        co_return response;
    }
    const bool later = request.path.starts_with(submit_prefix);
    const auto method =
        std::string_view(request.path).substr(later ? submit_prefix.size() : prefix.size());
    const bool is_upload = method == "Upload" && !later;
    if (method != "RunWasip1" && method != "RunPyodide" && !is_upload)
        co_return HttpResponse::text(404, "no such method\n");
    const auto form = form_of(request);
    if (!form) {
        auto response = HttpResponse::text(415, "unsupported media type\n");
        response.headers.add("Accept-Post", "application/json, application/proto");
        co_return response;
    }
    const auto who = access.check(request, is_upload ? Role::upload : Role::run);
    if (!who) {
        const auto code =
            who.error().code() == 401 ? Code::unauthenticated : Code::permission_denied;
        const Body body = refuse(code, who.error().text());
        co_return answer(request, *form, body);
    }
    const auto text = unpacked(request, *form, limit);
    if (!text) co_return answer(request, *form, text);
    Body body;
    if (is_upload) {
        body = co_await upload(jobs.storage(), *form, *text, *who);
        co_return answer(request, *form, body);
    }
    if (later) co_return co_await submit(jobs, submissions, method, request, *form, *text, *who);
    if (method == "RunWasip1" && form->codec == Codec::json && is_batch(*text))
        body = co_await run_several(jobs, request, *form, *text, limit, *who);
    else
        body = co_await run(jobs, method, request, *form, *text, *who);
    co_return answer(request, *form, body);
}

/// What the request asks to be run, or the answer that it gets instead.
std::expected<TaskRequest, HttpResponse> live_task(const HttpRequest& request, std::size_t limit) {
    const auto method = std::string_view(request.path).substr(live_prefix.size());
    if (method != "RunWasip1" && method != "RunPyodide")
        return std::unexpected(HttpResponse::text(404, "no such method\n"));
    const auto form = form_of(request);
    if (!form || form->framed())
        return std::unexpected(HttpResponse::text(415, "unsupported media type\n"));
    const auto text = unpacked(request, *form, limit);
    if (!text) return std::unexpected(answer(request, *form, text));
    auto task = read_task(method, request, *form, *text);
    if (!task) return std::unexpected(answer(request, *form, std::unexpected(task.error())));
    return std::move(*task);
}

}  // namespace

void Broker::run_live(const HttpRequest& request, std::unique_ptr<io::Stream> stream) {
    const auto who = access_.check(request, Role::run);
    if (!who) return answer_and_close(std::move(stream), denied(who.error()));
    if (live_.full())
        return answer_and_close(std::move(stream),
                                HttpResponse::text(503, "too many streams of output\n"));
    auto task = live_task(request, body_limit(options_));
    if (!task) return answer_and_close(std::move(stream), task.error());
    live_.run(std::move(*task), *who, std::move(stream));
}

void Broker::add_rpc_routes() {
    const auto limit = body_limit(options_);
    for (const auto path : {prefix, submit_prefix})
        server_->route(
            "*", std::string(path) + "*",
            [this, limit](HttpRequest request) {
                return call(access_, jobs_, *submissions_, limit, std::move(request));
            },
            limit);
    server_->take_over(
        "POST", std::string(live_prefix) + "*",
        [this](const HttpRequest& request, std::unique_ptr<io::Stream> stream) {
            run_live(request, std::move(stream));
        },
        limit);
}

}  // namespace strowger::broker
