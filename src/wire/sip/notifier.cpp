#include <algorithm>
#include <utility>

#include "base/text.hpp"
#include "wire/sip/builder.hpp"
#include "wire/sip/subscription.hpp"

namespace strowger::sip {

using std::chrono::seconds;

namespace {
constexpr std::size_t tag_length = 16;
}

Notifier::Notifier(Config config, TransactionLayer& layer, Random& random,
                   TransactionId transaction, ReceivedPtr subscribe, Time now)
    : config_(std::move(config)),
      layer_(layer),
      subscribe_(std::move(subscribe)),
      local_tag_(random.token(tag_length)),
      flow_(subscribe_->flow()) {
    const Message& message = subscribe_->message();
    event_ = message.header(HeaderId::event).value_or("");
    package_ = trim(std::string_view{event_}.substr(0, event_.find(';')));
    auto dialog = Dialog::as_uas(message, local_tag_);
    if (!dialog || package_.empty()) {
        const int status = package_.empty() ? 489 : 400;
        layer_.respond(transaction, Builder::response_to(message, status, local_tag_).finish(),
                       now);
        over_ = true;
        return;
    }
    dialog_ = std::move(*dialog);
    dialog_->confirm();
    if (!grant(transaction, message, now)) over_ = true;
}

/// Answers 200 with what is granted, or 423; false for the latter (RFC 6665 section 4.2.1.1).
bool Notifier::grant(TransactionId transaction, const Message& subscribe, Time now) {
    const auto text = subscribe.header(HeaderId::expires);
    auto granted = config_.otherwise;
    if (text) granted = seconds{parse_number<std::uint32_t>(*text).value_or(0)};
    // Zero ends a subscription, or asks for the state once.
    const bool too_brief = granted != seconds{0} && granted < config_.minimum;
    granted = std::min(granted, config_.maximum);
    Builder response = dialog_->response(subscribe, too_brief ? 423 : 200);
    if (too_brief) {
        response.header(HeaderId::min_expires, static_cast<std::uint64_t>(config_.minimum.count()));
    } else {
        response.header(HeaderId::contact, config_.contact)
            .header(HeaderId::expires, static_cast<std::uint64_t>(granted.count()));
        expires_ = now + granted;
    }
    if (!config_.product.empty()) response.header(HeaderId::server, config_.product);
    layer_.respond(transaction, std::move(response).finish(), now);
    return !too_brief;
}

void Notifier::handle(const TransactionEvent& event, Time now) {
    if (const auto* request = std::get_if<RequestReceived>(&event)) {
        receive_subscribe(request->transaction, request->request, now);
    } else if (const auto* answer = std::get_if<ResponseReceived>(&event)) {
        if (answer->transaction == sending_) receive_response(answer->response, now);
    } else if (const auto* timeout = std::get_if<ClientTimeout>(&event)) {
        if (timeout->transaction == sending_) finish("timeout", nullptr);
    } else if (const auto* failed = std::get_if<TransportFailed>(&event)) {
        if (failed->transaction == sending_) finish("timeout", nullptr);
    }
}

void Notifier::receive_subscribe(TransactionId transaction, const ReceivedPtr& received, Time now) {
    const Message& request = received->message();
    const auto refuse = [&](int status) {
        layer_.respond(transaction, Builder::response_to(request, status, local_tag_).finish(),
                       now);
    };
    if (over_ || !dialog_ || !dialog_->matches(request)) return refuse(481);
    if (request.method() != Method::subscribe) return refuse(405);
    if (const int status = dialog_->receive_request(request); status != 0) return refuse(status);
    flow_ = received->flow();
    if (!grant(transaction, request, now)) return;  // 423: the subscription stands as it was
    if (expires_ <= now) {
        // Unsubscribed: the last NOTIFY is still due (RFC 6665 section 4.2.1.4).
        return terminate("timeout", now);
    }
    events_.push_back(subscription::Refreshed{});
}

void Notifier::notify(std::string_view body, std::string_view content_type, Time now,
                      const HeaderLines& extra) {
    if (over_ || ending_) return;
    Notification notification{std::string(body), std::string(content_type), {}, extra, false};
    if (expires_ <= now) {
        notification.last = true;  // the state once, as asked
        notification.reason = "timeout";
    }
    queue(std::move(notification), now);
}

void Notifier::terminate(std::string_view reason, Time now, std::string_view body,
                         std::string_view content_type) {
    if (over_ || ending_) return;
    queue({std::string(body), std::string(content_type), std::string(reason), {}, true}, now);
}

/// One at a time, so that they cannot overtake each other; only the newest state is worth sending.
void Notifier::queue(Notification notification, Time now) {
    if (notification.last) {
        ending_ = true;
        expires_ = Time::max();
    }
    if (sending_) {
        waiting_ = std::move(notification);
    } else {
        send(std::move(notification), now);
    }
}

void Notifier::send(Notification notification, Time now) {
    Builder request = dialog_->request(Method::notify);
    request.header(HeaderId::contact, config_.contact)
        .header(HeaderId::event, event_)
        .header(HeaderId::subscription_state, subscription_state(notification, now));
    if (!config_.product.empty()) request.header(HeaderId::user_agent, config_.product);
    for (const auto& line : notification.extra) request.header(line.name, line.value);
    for (const auto& line : credentials_) request.header(line.name, line.value);
    auto text = notification.body.empty()
                    ? std::move(request).finish()
                    : std::move(request).finish(notification.body, notification.content_type);
    sent_ = std::move(notification);
    auto id = layer_.send_request(std::move(text), flow_, now, config_.owner, config_.sent_by);
    if (!id) return finish("giveup", nullptr);
    sending_ = *id;
}

std::string Notifier::subscription_state(const Notification& notification, Time now) const {
    if (notification.last) return "terminated;reason=" + notification.reason;
    const auto left = std::chrono::duration_cast<seconds>(expires_ - now);
    return fmt::format("active;expires={}", left.count());
}

void Notifier::receive_response(const ReceivedPtr& response, Time now) {
    const int status = (*response)->status();
    if (status < 200) return;
    sending_ = {};
    if ((status == 401 || status == 407) && credentials_.empty()) {
        challenged_ = true;
        events_.push_back(subscription::AuthenticationRequired{Method::notify,
                                                               dialog_->remote_target(), response});
        return;
    }
    credentials_.clear();
    const bool last = sent_ && sent_->last;
    if (last) return finish(sent_->reason, response);
    // RFC 6665 section 4.2.2: any failure but a passing one ends the subscription.
    if (status >= 300 && status != 503) return finish("rejected", response);
    send_waiting(now);
}

void Notifier::send_waiting(Time now) {
    if (!waiting_) return;
    Notification next = std::move(*waiting_);
    waiting_.reset();
    send(std::move(next), now);
}

Result<> Notifier::authenticate(HeaderId header, std::string value, Time now) {
    if (!challenged_ || over_) return fail("no NOTIFY waits for credentials");
    challenged_ = false;
    credentials_ = {{std::string(name_of(header)), std::move(value)}};
    send(std::move(*sent_), now);
    return {};
}

void Notifier::finish(std::string reason, ReceivedPtr message) {
    if (over_) return;
    over_ = true;
    expires_ = Time::max();
    waiting_.reset();
    events_.push_back(subscription::Ended{std::move(reason), std::move(message)});
}

Time Notifier::deadline() const { return over_ ? Time::max() : expires_; }

void Notifier::tick(Time now) {
    if (over_ || now < expires_) return;
    terminate("timeout", now);
}

bool Notifier::poll(subscription::Event& event) {
    if (events_.empty()) return false;
    event = std::move(events_.front());
    events_.pop_front();
    return true;
}

}  // namespace strowger::sip
