#include "broker/provider_link.hpp"

#include <utility>

#include "base/log.hpp"

namespace strowger::broker {

namespace {

using wasimoff::Type;

constexpr log::About about{"broker"};
// RFC 6455 section 7.4.1.
constexpr int close_unsupported = 1003;
constexpr int close_failure = 1011;

std::string name_from(const io::HttpRequest& request) {
    auto name = request.parameter("id");
    if (name.empty()) name = "anonymous";
    name.resize(std::min(name.size(), ProviderLink::max_name));
    for (auto& c : name)
        if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7e) c = '?';
    return name;
}

}  // namespace

ProviderLink::ProviderLink(Jobs& jobs, std::unique_ptr<io::WebSocket> socket, wasimoff::Codec codec,
                           std::function<void()> ended)
    : jobs_(jobs),
      socket_(std::move(socket)),
      codec_(codec),
      ended_(std::move(ended)),
      id_(socket_->id()),
      name_(name_from(socket_->request())) {}

ProviderLink::~ProviderLink() { leave(); }

void ProviderLink::start() {
    socket_->forget_request();
    LOG_VERBOSE(about, "provider {} connects from {}", name_, socket_->remote().text());
    socket_->start({.message = [this](Bytes bytes, bool text) { receive(bytes, text); },
                    .closed =
                        [this](const Error& error) {
                            LOG_VERBOSE(about, "provider {} is gone: {}", name_, error.text());
                            leave();
                            ended_();
                        }});
    jobs_.joined(id_, *this);
    request({Pending::What::listing}, pb::Filesystem_Listing_Request::default_instance());
}

void ProviderLink::leave() {
    if (std::exchange(left_, true)) return;
    jobs_.left(id_);
}

void ProviderLink::receive(Bytes bytes, bool text) {
    if (left_) return;
    if (text != (codec_ == wasimoff::Codec::json)) {
        leave();
        return socket_->close(close_unsupported, "the other kind of message was agreed on");
    }
    jobs_.heard(id_);
    const auto envelope = wasimoff::decode(codec_, bytes);
    if (!envelope) {
        LOG_NOTICE(about, "provider {}: {}", name_, envelope.error().text());
        leave();
        return socket_->close(close_failure, envelope.error().text());
    }
    switch (envelope->type) {
        case Type::request:
            return send(wasimoff::encode(codec_, envelope->sequence, Type::response, nullptr,
                                         "the broker takes no requests from providers"));
        case Type::event: return event(*envelope);
        case Type::response: return response(*envelope);
    }
}

void ProviderLink::event(const wasimoff::Envelope& envelope) {
    if (envelope.is<pb::Event_ProviderResources>()) {
        pb::Event_ProviderResources resources;
        if (envelope.read(resources)) jobs_.slots(id_, resources.concurrency(), resources.ahead());
    } else if (envelope.is<pb::Event_FileSystemUpdate>()) {
        pb::Event_FileSystemUpdate update;
        if (!envelope.read(update)) return;
        for (const auto& file : update.added()) jobs_.holds(id_, file, true);
        for (const auto& file : update.removed()) jobs_.holds(id_, file, false);
    } else if (envelope.is<pb::Event_TaskOutput>()) {
        pb::Event_TaskOutput output;
        if (!envelope.read(output)) return;
        const auto task = parse_number<TaskId>(output.id());
        if (task) jobs_.wrote(id_, *task, std::move(output));
    } else {
        LOG_DEBUG(about, "provider {}: event '{}'", name_, envelope.name);
    }
}

void ProviderLink::response(const wasimoff::Envelope& envelope) {
    const auto found = pending_.find(envelope.sequence);
    if (found == pending_.end()) {
        LOG_DEBUG(about, "provider {}: an answer to nothing ({})", name_, envelope.sequence);
        return;
    }
    const auto pending = found->second;
    pending_.erase(found);
    switch (pending.what) {
        case Pending::What::listing: return files(envelope);
        case Pending::What::task: return jobs_.answered(id_, pending.task, envelope);
        case Pending::What::ping:
        case Pending::What::cancel: return;  // that it came is all there is to it
    }
}

void ProviderLink::files(const wasimoff::Envelope& envelope) {
    pb::Filesystem_Listing_Response listing;
    if (!envelope.error && envelope.is<pb::Filesystem_Listing_Response>() && envelope.read(listing))
        for (const auto& file : listing.files()) jobs_.holds(id_, file, true);
    jobs_.ready(id_);
}

void ProviderLink::request(Pending pending, const google::protobuf::Message& message) {
    if (left_) return;
    if (pending.what != Pending::What::task &&
        pending_.size() >= max_pending + Scheduler::max_slots)
        return;
    const auto sequence = ++requests_;
    pending_.emplace(sequence, pending);
    send(wasimoff::encode(codec_, sequence, Type::request, &message));
}

void ProviderLink::send(const std::string& message) {
    if (codec_ == wasimoff::Codec::json)
        socket_->send_text(message);
    else
        socket_->send_binary(as_bytes(message));
}

void ProviderLink::run(TaskId task, const google::protobuf::Message& message) {
    request({Pending::What::task, task}, message);
}

void ProviderLink::cancel(TaskId task, std::string_view reason) {
    pb::Task_Cancel message;
    message.set_id(fmt::format("{}", task));
    message.set_reason(std::string(reason));
    request({Pending::What::cancel}, message);
}

void ProviderLink::ping() { request({Pending::What::ping}, pb::Ping::default_instance()); }

void ProviderLink::evict(std::string_view reason) {
    leave();
    socket_->close(close_failure, reason);
}

void ProviderLink::tell(const google::protobuf::Message& event) {
    if (!left_) send(wasimoff::encode(codec_, ++events_, Type::event, &event));
}

}  // namespace strowger::broker
