#include "wire/sip/invite_session.hpp"

#include <algorithm>
#include <utility>

#include "base/text.hpp"
#include "wire/sip/uri.hpp"

namespace strowger::sip {
namespace {

constexpr std::uint16_t sip_port = 5060;
constexpr std::uint16_t sips_port = 5061;

template <typename... Visitors>
struct Overloaded : Visitors... {
    using Visitors::operator()...;
};

std::uint32_t bit(Method method) { return 1u << static_cast<unsigned>(method); }

}  // namespace

InviteSession::InviteSession(Config config, TransactionLayer& layer, Random& random)
    : config_(std::move(config)),
      layer_(layer),
      random_(random),
      timer_(config_.timer),
      caller_(true),
      local_tag_(random.token(tag_length)) {}

// What comes in.

void InviteSession::handle(const TransactionEvent& event, Time now) {
    std::visit(
        Overloaded{
            [&](const RequestReceived& e) { receive_request(e.transaction, e.request, now); },
            [&](const AckReceived& e) { acknowledged(e.ack, now); },
            [&](const CancelReceived& e) {
                if (reoffered_ && reoffered_->transaction == e.invite) {
                    cancel_reoffer(now);
                } else if (e.invite == invite_transaction_) {
                    answer_cancelled(e.cancel, now);
                }
            },
            [&](const ResponseReceived& e) { receive_response(e.transaction, e.response, now); },
            [&](const ClientTimeout& e) { receive_failure(e.transaction, 408, now); },
            [&](const TransportFailed& e) { receive_failure(e.transaction, 503, now); },
            // The session minds its own unacknowledged responses; an INVITE refused without ACK is
            // over all the same, and a request that the owner never answered is past help.
            [](const ServerTimeout&) {},
        },
        event);
    settle();
}

void InviteSession::receive_response(TransactionId transaction, const ReceivedPtr& response,
                                     Time now) {
    const Message& message = response->message();
    auto* pending = find_pending(transaction);
    const bool ours = message.call_id() == call_id_ && message.from_tag() == local_tag_;
    if (!ours && message.status() < 300) {
        // Nobody can make a dialog of that; but the transaction has ended with it.
        if (pending && message.status() >= 200) receive_failure(transaction, 500, now);
        return;
    }
    if (!pending) {
        // A copy of a 2xx, or another fork's 2xx to the INVITE that one has answered already.
        if (message.method() != Method::invite || message.status() > 299) return;
        if (!repeat_ack(message) && transaction == invite_transaction_) {
            hang_up_fork(response, now);
        }
        return;
    }
    learn_peer(message);
    const bool challenged = message.status() == 401 || message.status() == 407;
    if (challenged && !(cancelled_ && transaction == invite_transaction_)) {
        pending->challenge = response;
        raise(session::AuthenticationRequired{transaction, pending->method, challenge_uri(*pending),
                                              pending->body, ++pending->challenges, response});
        return;
    }
    if (transaction == invite_transaction_) {
        invite_answered(*pending, response, now);
    } else if (message.status() >= 200) {
        Pending answered = std::move(*pending);
        drop_pending(transaction);
        mid_dialog_answered(std::move(answered), response, now);
    }
}

void InviteSession::receive_failure(TransactionId transaction, int status, Time now) {
    auto* pending = find_pending(transaction);
    if (!pending) return;
    Pending failed = std::move(*pending);
    drop_pending(transaction);
    fail_pending(std::move(failed), status, nullptr, now);
}

void InviteSession::fail_pending(Pending failed, int status, const ReceivedPtr& response,
                                 Time now) {
    if (failed.transaction == invite_transaction_ && caller_) {
        invite_failed(status, response, now);
    } else {
        mid_dialog_failed(std::move(failed), status, response, now);
    }
}

// Time.

Time InviteSession::deadline() const {
    if (state_ == State::done) return Time::max();
    Time next = std::min({timer_.deadline(), repeat_provisional_at_, retry_offer_at_});
    for (const auto* waiting : {&provisional_, &success_}) {
        if (*waiting) next = std::min({next, (*waiting)->repeat_at, (*waiting)->give_up_at});
    }
    return next;
}

void InviteSession::tick(Time now) {
    if (state_ == State::done) return;
    repeat_unacknowledged(now);
    if (now >= repeat_provisional_at_) {
        // Section 13.3.1.1: every minute, so that proxies do not give up.
        repeat_provisional_at_ = now + provisional_interval;
        layer_.respond(invite_transaction_, last_provisional_, now);
    }
    if (now >= retry_offer_at_) {
        retry_offer_at_ = Time::max();
        send_waiting_offer(now);
    }
    switch (timer_.tick(now)) {
        case SessionTimer::Due::refresh: refresh(now); break;
        case SessionTimer::Due::expired:
            hang_up(session::EndCause::session_expired,
                    {{"Reason", "SIP;cause=408;text=\"Session expired\""}}, now);
            break;
        case SessionTimer::Due::nothing: break;
    }
    settle();
}

bool InviteSession::poll(SessionEvent& event) {
    if (events_.empty()) return false;
    event = std::move(events_.front());
    events_.pop_front();
    return true;
}

// Ending.

void InviteSession::bye(Time now, const HeaderLines& extra) {
    switch (state_) {
        case State::idle: state_ = State::done; break;
        case State::calling:
            if (unacked_answer_) {
                reject_offer(488, now, extra);
            } else {
                cancel(extra, now);
            }
            break;
        case State::incoming:
            refuse(480, now, extra);
            finish({session::EndCause::local_bye, nullptr}, now);
            break;
        case State::accepted:
            // Section 15: not before the ACK, or before the wait for it is over.
            bye_later_ = extra;
            break;
        case State::confirmed: hang_up(session::EndCause::local_bye, extra, now); break;
        case State::terminating:
        case State::done: break;
    }
    settle();
}

void InviteSession::hang_up(session::EndCause cause, const HeaderLines& extra, Time now) {
    if (state_ >= State::terminating) return;
    // An INVITE without a final response is ended by its own means.
    if (find_pending(invite_transaction_)) return cancel(extra, now);
    if (state_ == State::incoming) {
        refuse(480, now, extra);
    } else {
        if (unacked_answer_) {
            send_ack(active_, unacked_answer_->cseq, unacked_answer_->credentials, {});
        }
        send_bye(extra, now);
    }
    finish({cause, nullptr}, now);
}

void InviteSession::send_bye(const HeaderLines& extra, Time now) {
    if (reoffered_) cancel_reoffer(now);
    Pending bye;
    bye.method = Method::bye;
    bye.fork = active_;
    bye.extra = extra;
    // A full layer cannot be told anything; the peer's session timer will have to find out.
    static_cast<void>(send_in_dialog(std::move(bye), now));
}

void InviteSession::finish(session::Ended ended, Time now) {
    if (state_ >= State::terminating) return;
    raise(std::move(ended));
    terminate(now);
}

/// Nothing repeats or waits from here on but requests of ours that are underway.
void InviteSession::terminate(Time now) {
    if (reoffered_) cancel_reoffer(now);
    state_ = State::terminating;
    provisional_.reset();
    success_.reset();
    waiting_provisionals_.clear();
    waiting_success_.reset();
    waiting_offers_.clear();
    bye_later_.reset();
    unacked_answer_.reset();
    repeat_provisional_at_ = retry_offer_at_ = Time::max();
    timer_ = SessionTimer{{.mode = SessionTimer::Mode::off}};
    for (const auto& pending : pending_) {
        if (pending.method == Method::invite) layer_.abandon(pending.transaction, now);
    }
    std::erase_if(pending_, [](const Pending& p) { return p.method != Method::bye; });
    settle();
}

void InviteSession::settle() {
    if (state_ == State::terminating && pending_.empty()) state_ = State::done;
}

// What is known of the other side.

InviteSession::Fork* InviteSession::active() {
    return active_ < forks_.size() ? &forks_[active_] : nullptr;
}

const InviteSession::Fork* InviteSession::active() const {
    return active_ < forks_.size() ? &forks_[active_] : nullptr;
}

const Dialog* InviteSession::dialog() const { return active() ? &active()->dialog : nullptr; }

bool InviteSession::is_dialog(std::string_view call_id, std::string_view local_tag,
                              std::string_view remote_tag) const {
    if (call_id != call_id_ || local_tag != local_tag_) return false;
    return std::any_of(forks_.begin(), forks_.end(),
                       [&](const Fork& fork) { return fork.dialog.remote_tag() == remote_tag; });
}

InviteSession::Pending* InviteSession::find_pending(TransactionId transaction) {
    const auto found = std::find_if(pending_.begin(), pending_.end(),
                                    [&](const Pending& p) { return p.transaction == transaction; });
    return found == pending_.end() ? nullptr : &*found;
}

void InviteSession::drop_pending(TransactionId transaction) {
    std::erase_if(pending_, [&](const Pending& p) { return p.transaction == transaction; });
}

void InviteSession::learn_peer(const Message& message) {
    if (message.header(HeaderId::allow)) {
        peer_allow_ = 0;
        for (const auto name : message.values(HeaderId::allow)) {
            peer_allow_ |= bit(method_by_name(name));
        }
    }
    if (!message.header(HeaderId::supported) && !message.header(HeaderId::require)) return;
    peer_supported_ = ",";
    for (const auto id : {HeaderId::supported, HeaderId::require}) {
        for (const auto option : message.values(id)) {
            if (peer_supported_.size() > max_options_size) return;
            (peer_supported_ += to_lower(option)) += ',';
        }
    }
}

bool InviteSession::peer_allows(Method method) const {
    return method != Method::unknown && (peer_allow_ & bit(method)) != 0;
}

bool InviteSession::peer_supports(std::string_view option) const {
    return peer_supported_.find(fmt::format(",{},", option)) != std::string::npos;
}

/// A message of the other side came: with symmetric signalling, that is where ours go.
void InviteSession::follow(const ReceivedPtr& received) {
    if (config_.symmetric) {
        flow_ = received->flow();
    } else {
        reroute();
    }
}

void InviteSession::reroute() {
    const auto* fork = active();
    if (config_.symmetric || !fork || fork->dialog.next_hop() == next_hop_) return;
    next_hop_ = fork->dialog.next_hop();
    const auto uri = Uri::parse(next_hop_);
    const auto ip = uri ? IpAddress::parse(uri->host) : std::nullopt;
    if (!ip) {
        raise(session::NextHopChanged{next_hop_});
        return;
    }
    const auto standard = is_secure(flow_.transport) ? sips_port : sip_port;
    const SocketAddress remote{*ip, uri->port.value_or(standard)};
    if (remote == flow_.remote) return;
    flow_.remote = remote;
    if (is_reliable(flow_.transport)) flow_.id = 0;
}

// What every message of ours carries.

std::string InviteSession::supported() const {
    std::string options;
    if (config_.reliability != Reliability::never) options += "100rel, ";
    if (config_.timer.mode != SessionTimer::Mode::off) options += "timer, ";
    options += "replaces";
    if (config_.norefersub) options += ", norefersub";
    return options;
}

/// For requests and 2xx that set up or change the session.
void InviteSession::add_capabilities(Builder& builder) const {
    builder.header(HeaderId::contact, config_.contact)
        .header(HeaderId::allow, config_.allow)
        .header(HeaderId::supported, supported());
}

std::string InviteSession::finish_message(Builder builder, bool is_request,
                                          const HeaderLines& extra, std::string_view body,
                                          std::string_view content_type) const {
    for (const auto& line : extra) builder.header(line.name, line.value);
    if (!config_.product.empty()) {
        builder.header(is_request ? HeaderId::user_agent : HeaderId::server, config_.product);
    }
    if (body.empty()) return std::move(builder).finish();
    return std::move(builder).finish(body, content_type);
}

// Authentication.

std::string InviteSession::challenge_uri(const Pending& pending) const {
    if (pending.transaction == invite_transaction_) return invitation_->uri;
    return pending.fork < forks_.size() ? forks_[pending.fork].dialog.remote_target()
                                        : std::string{};
}

Result<> InviteSession::authenticate(TransactionId transaction, HeaderId header, std::string value,
                                     Time now) {
    auto* found = find_pending(transaction);
    if (!found || !found->challenge) return fail("no request of this call waits for credentials");
    Pending again = std::move(*found);
    drop_pending(transaction);
    again.challenge.reset();
    std::erase_if(again.credentials,
                  [&](const HeaderLine& line) { return line.name == name_of(header); });
    again.credentials.push_back({std::string(name_of(header)), std::move(value)});
    if (caller_ && transaction == invite_transaction_) return send_invite(std::move(again), now);
    auto sent = send_in_dialog(std::move(again), now);
    if (!sent) return std::unexpected(std::move(sent.error()));
    return {};
}

void InviteSession::give_up(TransactionId transaction, Time now) {
    auto* found = find_pending(transaction);
    if (!found || !found->challenge) return;
    Pending failed = std::move(*found);
    drop_pending(transaction);
    const auto challenge = failed.challenge;
    fail_pending(std::move(failed), (*challenge)->status(), challenge, now);
    settle();
}

}  // namespace strowger::sip
