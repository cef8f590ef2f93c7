#include "broker/client_link.hpp"

#include "base/log.hpp"
#include "broker/task_codec.hpp"
#include "broker/upload.hpp"

namespace strowger::broker {

namespace {

using wasimoff::Type;

constexpr int close_unsupported = 1003;  // RFC 6455 section 7.4.1
constexpr int close_failure = 1011;

template <typename Request>
Result<TaskRequest> request_in(const wasimoff::Envelope& envelope) {
    Request request;
    if (auto read = envelope.read(request); !read) return std::unexpected(read.error());
    return TaskRequest(std::move(request));
}

}  // namespace

ClientLink::ClientLink(Jobs& jobs, std::unique_ptr<io::WebSocket> socket, wasimoff::Codec codec,
                       Who who, bool may_upload, std::function<void()> ended)
    : jobs_(jobs),
      socket_(std::move(socket)),
      codec_(codec),
      who_(std::move(who)),
      may_upload_(may_upload),
      ended_(std::move(ended)) {}

ClientLink::~ClientLink() { cancel_all(); }

void ClientLink::cancel_all() {
    *alive_ = false;
    for (const auto& [call, task] : std::exchange(running_, {}))
        jobs_.cancel(task, "client went away");
}

void ClientLink::start() {
    socket_->start({.message = [this](Bytes bytes, bool text) { receive(bytes, text); },
                    .closed =
                        [this](const Error&) {
                            cancel_all();
                            ended_();
                        }});
}

void ClientLink::answer(std::uint64_t sequence, const google::protobuf::Message* message,
                        std::optional<std::string_view> error) {
    send(wasimoff::encode(codec_, sequence, Type::response, message, error));
}

void ClientLink::tell(pb::Event_TaskOutput output, bool again) {
    if (again) output.set_again(true);
    send(wasimoff::encode(codec_, ++events_, Type::event, &output));
}

void ClientLink::send(const std::string& text) {
    if (codec_ == wasimoff::Codec::json)
        socket_->send_text(text);
    else
        socket_->send_binary(as_bytes(text));
}

void ClientLink::receive(Bytes bytes, bool text) {
    if (text != (codec_ == wasimoff::Codec::json))
        return socket_->close(close_unsupported, "the other kind of message was agreed on");
    const auto envelope = wasimoff::decode(codec_, bytes);
    if (!envelope) return socket_->close(close_failure, envelope.error().text());
    if (envelope->type != Type::request) return;  // events and answers of clients mean nothing
    if (envelope->is<pb::Filesystem_Upload_Request>()) return upload(*envelope);
    Result<TaskRequest> request = fail("this broker does not know '{}'", envelope->name);
    if (envelope->is<pb::Task_Wasip1_Request>())
        request = request_in<pb::Task_Wasip1_Request>(*envelope);
    else if (envelope->is<pb::Task_Pyodide_Request>())
        request = request_in<pb::Task_Pyodide_Request>(*envelope);
    if (!request) return answer(envelope->sequence, nullptr, request.error().text());
    if (running_.size() >= max_running)
        return answer(envelope->sequence, nullptr, "429: too many requests on this socket");
    jobs_.find_files(std::move(*request),
                     [this, alive = alive_, sequence = envelope->sequence](TaskRequest found) {
                         if (*alive) run(sequence, std::move(found));
                     });
}

void ClientLink::run(std::uint64_t sequence, TaskRequest request) {
    const auto call = ++calls_;
    auto finished = [this, alive = alive_, sequence, call](Result<TaskResponse> result) {
        if (!*alive) return;
        running_.erase(call);
        if (!result) return answer(sequence, nullptr, result.error().text());
        std::visit([&](const auto& response) { answer(sequence, &response); }, *result);
    };
    Jobs::Output output;
    if (qos_of(request).output())
        output = [this, alive = alive_](const pb::Event_TaskOutput& written, bool again) {
            if (*alive) tell(written, again);
        };
    const auto task =
        jobs_.submit(std::move(request), who_, std::move(finished), std::move(output));
    if (!task) return answer(sequence, nullptr, task.error().text());
    running_.emplace(call, *task);
}

void ClientLink::upload(const wasimoff::Envelope& envelope) {
    if (!may_upload_) return answer(envelope.sequence, nullptr, "this token may not upload");
    pb::Filesystem_Upload_Request request;
    if (auto read = envelope.read(request); !read)
        return answer(envelope.sequence, nullptr, read.error().text());
    store_upload(jobs_.storage(), std::move(request), who_,
                 [this, alive = alive_, sequence = envelope.sequence](
                     const Result<pb::Filesystem_Upload_Response>& response) {
                     if (!*alive) return;
                     if (!response) return answer(sequence, nullptr, response.error().text());
                     answer(sequence, &*response);
                 });
}

}  // namespace strowger::broker
