#include <algorithm>
#include <utility>

#include "base/text.hpp"
#include "wire/sip/builder.hpp"
#include "wire/sip/subscription.hpp"
#include "wire/sip/uri.hpp"

namespace strowger::sip {

using std::chrono::seconds;

namespace {

constexpr std::size_t tag_length = 16;
constexpr std::size_t call_id_length = 24;
// A refresh goes out so long before the end, or at half of what was granted if that is less.
constexpr seconds lead{30};
// Whatever a notifier grants, we do not ask more often.
constexpr seconds least{5};

}  // namespace

Subscriber::Subscriber(Config config, TransactionLayer& layer, Random& random)
    : config_(std::move(config)),
      layer_(layer),
      random_(random),
      local_tag_(random.token(tag_length)),
      asked_(config_.expires) {}

Result<> Subscriber::subscribe(Target target, const Flow& flow, Time now) {
    if (!call_id_.empty()) return fail("this subscription has begun already");
    target_ = std::move(target);
    flow_ = flow;
    call_id_ = random_.token(call_id_length);
    return send(now);
}

void Subscriber::unsubscribe(Time now) {
    if (over_ || asked_ == seconds{0}) return;
    asked_ = seconds{0};
    refresh_at_ = Time::max();
    expires_at_ = now + patience;  // for the last NOTIFY
    if (sending_) {
        again_ = true;
    } else if (!send(now)) {
        finish("timeout", nullptr);
    }
}

/// The first SUBSCRIBE, or a refresh within the dialog.
Result<> Subscriber::send(Time now) {
    Builder request =
        dialog_ ? dialog_->request(Method::subscribe) : Builder::request("SUBSCRIBE", target_.uri);
    if (!dialog_) {
        request.header(HeaderId::max_forwards, std::uint64_t{70})
            .header(HeaderId::from, fmt::format("{};tag={}", target_.from, local_tag_))
            .header(HeaderId::to, target_.to)
            .header(HeaderId::call_id, call_id_)
            .header(HeaderId::cseq, fmt::format("{} SUBSCRIBE", ++cseq_));
    }
    request.header(HeaderId::contact, config_.contact)
        .header(HeaderId::event, config_.event)
        .header(HeaderId::expires, static_cast<std::uint64_t>(asked_.count()));
    if (!config_.accept.empty()) request.header(HeaderId::accept, config_.accept);
    if (!config_.product.empty()) request.header(HeaderId::user_agent, config_.product);
    for (const auto& line : target_.extra) request.header(line.name, line.value);
    for (const auto& line : credentials_) request.header(line.name, line.value);
    auto id = layer_.send_request(std::move(request).finish(), flow_, now, config_.owner,
                                  config_.sent_by);
    if (!id) return std::unexpected(std::move(id.error()));
    sending_ = *id;
    if (expires_at_ == Time::max()) expires_at_ = now + patience;  // N
    return {};
}

void Subscriber::handle(const TransactionEvent& event, Time now) {
    if (const auto* request = std::get_if<RequestReceived>(&event)) {
        receive_notify(request->transaction, request->request, now);
    } else if (const auto* answer = std::get_if<ResponseReceived>(&event)) {
        if (answer->transaction == sending_) receive_response(answer->response, now);
    } else if (const auto* timeout = std::get_if<ClientTimeout>(&event)) {
        if (timeout->transaction == sending_) finish("timeout", nullptr);
    } else if (const auto* failed = std::get_if<TransportFailed>(&event)) {
        if (failed->transaction == sending_) finish("timeout", nullptr);
    }
}

void Subscriber::receive_response(const ReceivedPtr& response, Time now) {
    const Message& message = response->message();
    if (message.status() < 200) return;
    sending_ = {};
    if ((message.status() == 401 || message.status() == 407) && credentials_.empty()) {
        challenged_ = true;
        events_.push_back(subscription::AuthenticationRequired{
            Method::subscribe, dialog_ ? dialog_->remote_target() : target_.uri, response});
        return;
    }
    credentials_.clear();
    if (message.status() == 423) {
        const auto least_allowed =
            parse_number<std::uint32_t>(message.header(HeaderId::min_expires).value_or(""));
        if (least_allowed && seconds{*least_allowed} > asked_ && asked_ != seconds{0}) {
            asked_ = seconds{*least_allowed};
            if (send(now)) return;
        }
    }
    if (message.status() >= 300) return finish("rejected", response);
    if (!dialog_) {
        if (auto dialog = Dialog::as_uac(message, target_.uri)) dialog_ = std::move(*dialog);
    } else {
        dialog_->receive_response(message);
    }
    if (std::exchange(again_, false)) {
        static_cast<void>(send(now));
        return;
    }
    if (asked_ == seconds{0}) return;
    const auto granted =
        parse_number<std::uint32_t>(message.header(HeaderId::expires).value_or(""));
    schedule(granted ? seconds{*granted} : asked_, now);
}

void Subscriber::schedule(seconds granted, Time now) {
    granted = std::max(granted, least);
    expires_at_ = now + granted;
    refresh_at_ = now + std::max(granted - lead, granted / 2);
}

/// A NOTIFY may make the dialog before the 200 does (RFC 6665 section 4.4.1).
void Subscriber::receive_notify(TransactionId transaction, const ReceivedPtr& received, Time now) {
    const Message& notify = received->message();
    const auto answer = [&](int status) {
        layer_.respond(transaction, Builder::response_to(notify, status, local_tag_).finish(), now);
    };
    const bool ours = notify.method() == Method::notify && notify.call_id() == call_id_ &&
                      notify.to_tag() == local_tag_;
    if (over_ || !ours || (dialog_ && !dialog_->matches(notify))) return answer(481);
    if (!dialog_) {
        auto dialog = Dialog::as_uas(notify, local_tag_);
        if (!dialog) return answer(400);
        dialog_ = std::move(*dialog);
        dialog_->confirm();
        dialog_->set_local_cseq(cseq_);
    } else if (const int status = dialog_->receive_request(notify); status != 0) {
        return answer(status);
    }
    const auto header = notify.header(HeaderId::subscription_state);
    if (!header) return answer(400);
    answer(200);
    const auto semicolon = std::min(header->find(';'), header->size());
    const auto state = trim(header->substr(0, semicolon));
    const auto parameters = header->substr(semicolon);
    events_.push_back(subscription::Notified{to_lower(state), received});
    if (iequals(state, "terminated")) {
        return finish(std::string(find_parameter(parameters, "reason").value_or("")), received);
    }
    const auto left =
        parse_number<std::uint32_t>(find_parameter(parameters, "expires").value_or(""));
    // They may shorten it, not lengthen it (RFC 6665 section 4.1.2.2).
    if (left && asked_ != seconds{0} && now + seconds{*left} < expires_at_) {
        schedule(seconds{*left}, now);
    }
}

Result<> Subscriber::authenticate(HeaderId header, std::string value, Time now) {
    if (!challenged_ || over_) return fail("no SUBSCRIBE waits for credentials");
    challenged_ = false;
    credentials_ = {{std::string(name_of(header)), std::move(value)}};
    return send(now);
}

void Subscriber::finish(std::string reason, ReceivedPtr message) {
    if (over_) return;
    over_ = true;
    events_.push_back(subscription::Ended{std::move(reason), std::move(message)});
}

Time Subscriber::deadline() const {
    return over_ ? Time::max() : std::min(refresh_at_, expires_at_);
}

void Subscriber::tick(Time now) {
    if (over_) return;
    if (now >= expires_at_) return finish("timeout", nullptr);
    if (now < refresh_at_) return;
    refresh_at_ = Time::max();
    if (!sending_ && !send(now)) finish("timeout", nullptr);
}

bool Subscriber::poll(subscription::Event& event) {
    if (events_.empty()) return false;
    event = std::move(events_.front());
    events_.pop_front();
    return true;
}

}  // namespace strowger::sip
