#include "wire/sip/transaction_layer.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/text.hpp"
#include "wire/sip/builder.hpp"
#include "wire/sip/malformed.hpp"
#include "wire/sip/via.hpp"

namespace strowger::sip {
namespace {

constexpr std::size_t tag_length = 10;      // about 60 bits; section 19.3 asks for 32
constexpr std::size_t branch_length = 16;   // about 95 bits behind the magic cookie
constexpr std::uint64_t retry_seconds = 5;  // in our 503: by then a burst has passed
constexpr std::uint16_t default_port = 5060;

bool is_keep_alive(std::string_view message) {
    return std::all_of(message.begin(), message.end(),
                       [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
}

/// 0 when the text does not start like a response.
int status_of(std::string_view response) {
    if (!response.starts_with("SIP/2.0 ")) return 0;
    return parse_number<int>(response.substr(8, 3)).value_or(0);
}

/// What begins something, and so must not begin it twice. Neither REGISTER nor OPTIONS does: the
/// second one of a pair is a repetition like any other.
bool may_be_merged(const Message& request) {
    switch (request.method()) {
        case Method::invite:
        case Method::message:
        case Method::subscribe:
        case Method::refer:
        case Method::publish: return request.to_tag().empty() && !request.from_tag().empty();
        default: return false;
    }
}

/// A response for us has one Via, ours (section 8.1.3.3).
bool has_one_via(const Message& response) {
    const auto headers = response.headers();
    const auto lines = std::count_if(headers.begin(), headers.end(),
                                     [](const Header& line) { return line.id == HeaderId::via; });
    return lines == 1 && response.header(HeaderId::via)->size() == response.top_via().size();
}

}  // namespace

TransactionLayer::TransactionLayer(Config config, Random& random)
    : config_(std::move(config)), random_(random), table_(config_.max_transactions, random) {}

// What comes in.

void TransactionLayer::receive(const Flow& flow, std::string_view message, Time now) {
    if (is_keep_alive(message)) return;
    const auto received = Received::parse(message, flow, now, config_.force_rport);
    if (!received) return refuse_malformed(flow, message, received.error());
    const auto& parsed = **received;
    if (!parsed->is_request()) {
        receive_response(*received, now);
    } else if (parsed->method() == Method::ack) {
        receive_ack(*received, now);
    } else {
        receive_request(*received, now);
    }
}

void TransactionLayer::refuse_malformed(const Flow& flow, std::string_view message,
                                        const Error& error) {
    ++counters_.malformed;
    auto answer = answer_malformed(message, error, random_.token(tag_length), config_.server);
    if (answer) transmits_.push_back({flow, std::move(*answer)});
}

void TransactionLayer::receive_request(const ReceivedPtr& received, Time now) {
    ++counters_.requests;
    const Message& request = received->message();
    auto key = server_key(request, request.method_text());
    if (const auto id = table_.find(key)) {
        ++counters_.retransmissions_received;
        auto* transaction = table_.find(id);
        if (auto* invite = transaction->as<InviteServerTransaction>()) {
            apply(id, invite->receive_invite());
        } else if (auto* other = transaction->as<NonInviteServerTransaction>()) {
            apply(id, other->receive_request());
        }
        return;
    }
    if (table_.full()) {
        ++counters_.refused_full;
        Builder answer = Builder::response_to(request, 503, random_.token(tag_length));
        answer.header(HeaderId::retry_after, retry_seconds);
        transmits_.push_back(
            {response_flow(*received, config_.force_rport), std::move(answer).finish()});
        return;
    }
    const bool merges = may_be_merged(request);
    if (merges) {
        if (refuse_merged(*received)) return;
        key = server_key(request, request.method_text());  // the identity stood in its place
    }
    const bool reliable = is_reliable(received->flow().transport);
    const Flow flow = response_flow(*received, config_.force_rport);
    if (request.method() == Method::invite) {
        const auto id =
            table_.insert(key, flow, InviteServerTransaction{config_.timers, reliable, now});
        if (merges) table_.identify(id, identity_of(request));
        table_.find(id)->request = received;
        events_.push_back(RequestReceived{id, received});
        return;
    }
    const auto id =
        table_.insert(key, flow, NonInviteServerTransaction{config_.timers, reliable, now});
    if (merges) table_.identify(id, identity_of(request));
    if (request.method() == Method::cancel) return receive_cancel(received, id, now);
    events_.push_back(RequestReceived{id, received});
}

/// Section 8.2.2.2: a proxy before us has forked it, and both branches lead here.
bool TransactionLayer::refuse_merged(const Received& received) {
    const Message& request = received.message();
    if (!table_.find_identity(identity_of(request))) return false;
    ++counters_.merged;
    Builder answer = Builder::response_to(request, 482, random_.token(tag_length));
    if (!config_.server.empty()) answer.header(HeaderId::server, config_.server);
    transmits_.push_back(
        {response_flow(received, config_.force_rport), std::move(answer).finish()});
    return true;
}

void TransactionLayer::receive_ack(const ReceivedPtr& ack, Time now) {
    ++counters_.requests;
    const auto id = table_.find(server_key(ack->message(), name_of(Method::invite)));
    auto* transaction = table_.find(id);
    auto* invite = transaction ? transaction->as<InviteServerTransaction>() : nullptr;
    if (!invite) {
        // The ACK to a 2xx is a transaction of its own (section 17.1.1.3).
        events_.push_back(AckReceived{{}, 0, ack});
        return;
    }
    const auto effects = invite->receive_ack(now);
    if (has(effects, Effect::deliver)) events_.push_back(AckReceived{id, transaction->owner, ack});
    table_.settle(id);
}

void TransactionLayer::receive_cancel(const ReceivedPtr& cancel, TransactionId id, Time now) {
    const auto invite = table_.find(server_key(cancel->message(), name_of(Method::invite)));
    auto* transaction = table_.find(invite);
    auto* machine = transaction ? transaction->as<InviteServerTransaction>() : nullptr;
    if (!machine) ++counters_.stray_cancels;
    respond(id, cancel_answer(cancel->message(), transaction, machine ? 200 : 481), now);
    if (machine && machine->state() == InviteServerTransaction::State::proceeding) {
        events_.push_back(CancelReceived{invite, transaction->owner, cancel});
    }
}

/// Section 9.2: the answers to the CANCEL and to its INVITE should have the same To tag.
std::string TransactionLayer::cancel_answer(const Message& cancel, const Transaction* invite,
                                            int status) {
    std::string tag;
    if (invite && !invite->message.empty()) {
        if (const auto response = Message::parse(invite->message)) tag = response->to_tag();
    }
    if (tag.empty()) tag = random_.token(tag_length);
    Builder answer = Builder::response_to(cancel, status, tag);
    if (!config_.server.empty()) answer.header(HeaderId::server, config_.server);
    return std::move(answer).finish();
}

void TransactionLayer::receive_response(const ReceivedPtr& received, Time now) {
    ++counters_.responses;
    const Message& response = received->message();
    const auto id = table_.find(client_key(response.branch(), response.method_text()));
    auto* transaction = table_.find(id);
    if (!transaction || !has_one_via(response)) {
        ++counters_.stray_responses;
        return;
    }
    auto effects = Effect::none;
    if (auto* invite = transaction->as<InviteClientTransaction>()) {
        effects = invite->receive_response(response.status(), now);
    } else if (auto* other = transaction->as<NonInviteClientTransaction>()) {
        effects = other->receive_response(response.status(), now);
    }
    if (has(effects, Effect::send_ack)) send_ack(*transaction, response);
    if (!has(effects, Effect::deliver)) {
        ++counters_.retransmissions_received;
    } else if (!transaction->silent) {
        events_.push_back(ResponseReceived{id, transaction->owner, received});
    }
    if (const auto later = std::move(transaction->cancel_later); later && response.status() < 200) {
        send_cancel(id, *later, now);
    }
    table_.settle(id);
}

// Time.

void TransactionLayer::tick(Time now) {
    while (table_.deadline() <= now) {
        const auto id = table_.next_due();
        apply(id, table_.find(id)->tick(now));
        table_.settle(id);
    }
}

Time TransactionLayer::deadline() const { return table_.deadline(); }

void TransactionLayer::apply(TransactionId id, Effect effects) {
    Transaction& transaction = *table_.find(id);
    if (has(effects, Effect::transmit)) {
        ++counters_.retransmissions_sent;
        send(transaction);
    }
    if (has(effects, Effect::send_trying)) {
        transaction.message =
            Builder::response_to(transaction.request->message(), 100, {}).finish();
        transaction.request.reset();
        send(transaction);
    }
    if (!has(effects, Effect::timeout)) return;
    ++counters_.timeouts;
    if (transaction.silent) return;
    if (transaction.is_client()) {
        events_.push_back(ClientTimeout{id, transaction.owner});
    } else {
        events_.push_back(ServerTimeout{id, transaction.owner});
    }
}

bool TransactionLayer::poll(Transmit& transmit) {
    if (transmits_.empty()) return false;
    transmit = std::move(transmits_.front());
    transmits_.pop_front();
    return true;
}

bool TransactionLayer::poll(TransactionEvent& event) {
    if (events_.empty()) return false;
    event = std::move(events_.front());
    events_.pop_front();
    return true;
}

// What goes out.

void TransactionLayer::send(const Transaction& transaction) {
    transmits_.push_back({transaction.flow, transaction.message});
}

std::string TransactionLayer::with_via(std::string request, const Flow& flow,
                                       std::string_view sent_by) {
    const auto line_end = request.find("\r\n");
    if (line_end == std::string::npos) return request;
    const auto via =
        fmt::format("Via: SIP/2.0/{} {};branch={}{};rport\r\n", via_name(flow.transport),
                    sent_by.empty() ? flow.local.text() : std::string(sent_by), Via::magic_cookie,
                    random_.token(branch_length));
    request.insert(line_end + 2, via);
    return request;
}

Result<TransactionId> TransactionLayer::send_request(std::string request, const Flow& flow,
                                                     Time now, OwnerTag owner,
                                                     std::string_view sent_by) {
    if (table_.full()) return fail("no room for another transaction, {} are open", table_.size());
    request = with_via(std::move(request), flow, sent_by);
    const auto parsed = Message::parse(request);
    if (!parsed) return std::unexpected(parsed.error().within("request to be sent"));
    const auto method = parsed->method();
    if (!parsed->is_request() || method == Method::ack || method == Method::cancel) {
        return fail("'{}' does not start a client transaction", parsed->method_text());
    }
    const bool reliable = is_reliable(flow.transport);
    const auto key = client_key(parsed->branch(), parsed->method_text());
    const auto id =
        method == Method::invite
            ? table_.insert(key, flow, InviteClientTransaction{config_.timers, reliable, now})
            : table_.insert(key, flow, NonInviteClientTransaction{config_.timers, reliable, now});
    Transaction& transaction = *table_.find(id);
    transaction.owner = owner;
    transaction.message = std::move(request);
    send(transaction);
    return id;
}

void TransactionLayer::send_stateless(std::string request, const Flow& flow,
                                      std::string_view sent_by) {
    send_raw(with_via(std::move(request), flow, sent_by), flow);
}

void TransactionLayer::send_raw(std::string bytes, const Flow& flow) {
    transmits_.push_back({flow, std::move(bytes)});
}

bool TransactionLayer::respond(TransactionId server, std::string response, Time now) {
    auto* transaction = table_.find(server);
    const int status = status_of(response);
    if (!transaction || status == 0) return false;
    auto effects = Effect::none;
    auto* invite = transaction->as<InviteServerTransaction>();
    auto* other = transaction->as<NonInviteServerTransaction>();
    if (invite) {
        effects = invite->respond(status, now);
    } else if (other) {
        effects = other->respond(status, now);
    }
    if (effects == Effect::none) return false;
    transaction->request.reset();
    // A 2xx to INVITE is repeated by the user, and nothing after a final one over a stream by
    // anybody.
    const bool repeatable = !transaction->over() && !(invite && status >= 200 && status < 300);
    if (repeatable) {
        transaction->message = std::move(response);
        send(*transaction);
    } else {
        transaction->message = std::string{};
        transmits_.push_back({transaction->flow, std::move(response)});
    }
    table_.settle(server);
    return true;
}

bool TransactionLayer::respond_stateless(TransactionId server, std::string response) {
    const auto* transaction = table_.find(server);
    if (!transaction || transaction->is_client()) return false;
    transmits_.push_back({transaction->flow, std::move(response)});
    table_.erase(server);
    return true;
}

void TransactionLayer::answer_by_via(TransactionId server, const Received& request) {
    auto* transaction = table_.find(server);
    if (transaction && !transaction->is_client()) transaction->flow = response_flow(request, false);
}

void TransactionLayer::forget(TransactionId server) {
    const auto* transaction = table_.find(server);
    if (transaction && !transaction->is_client()) table_.erase(server);
}

/// Section 17.1.1.3: the ACK to a failure takes the INVITE's branch and the response's To.
void TransactionLayer::send_ack(const Transaction& transaction, const Message& response) {
    const auto invite = Message::parse(transaction.message);
    if (!invite) return;
    Builder ack = Builder::request("ACK", invite->request_uri());
    ack.header(HeaderId::via, invite->top_via())
        .copy(HeaderId::route, *invite)
        .copy(HeaderId::max_forwards, *invite)
        .header(HeaderId::from, invite->from())
        .header(HeaderId::to, response.to())
        .header(HeaderId::call_id, invite->call_id())
        .header(HeaderId::cseq, fmt::format("{} ACK", invite->cseq()));
    transmits_.push_back({transaction.flow, std::move(ack).finish()});
}

void TransactionLayer::cancel(TransactionId id, Time now, const HeaderLines& extra) {
    auto* transaction = table_.find(id);
    auto* invite = transaction ? transaction->as<InviteClientTransaction>() : nullptr;
    if (!invite || transaction->cancelled) return;
    if (invite->state() == InviteClientTransaction::State::proceeding) {
        send_cancel(id, extra, now);
        table_.settle(id);
    } else if (invite->state() == InviteClientTransaction::State::calling) {
        transaction->cancel_later = std::make_unique<HeaderLines>(extra);
    }
}

void TransactionLayer::abandon(TransactionId id, Time now) {
    auto* transaction = table_.find(id);
    auto* invite = transaction ? transaction->as<InviteClientTransaction>() : nullptr;
    if (!invite) return;
    invite->abandoned(now);
    table_.settle(id);
}

/// Section 9.1: a request with the INVITE's own branch, in a transaction of its own.
void TransactionLayer::send_cancel(TransactionId id, const HeaderLines& extra, Time now) {
    Transaction& transaction = *table_.find(id);
    const auto invite = Message::parse(transaction.message);
    if (!invite) return;
    Builder cancel = Builder::request("CANCEL", invite->request_uri());
    cancel.header(HeaderId::via, invite->top_via())
        .copy(HeaderId::route, *invite)
        .copy(HeaderId::max_forwards, *invite)
        .header(HeaderId::from, invite->from())
        .header(HeaderId::to, invite->to())
        .header(HeaderId::call_id, invite->call_id())
        .header(HeaderId::cseq, fmt::format("{} CANCEL", invite->cseq()));
    for (const auto& line : extra) cancel.header(line.name, line.value);
    transaction.cancelled = true;
    transaction.as<InviteClientTransaction>()->cancelled(now);
    const auto key = client_key(invite->branch(), name_of(Method::cancel));
    const Flow flow = transaction.flow;
    std::string bytes = std::move(cancel).finish();
    if (table_.full()) return send_raw(std::move(bytes), flow);
    const bool reliable = is_reliable(flow.transport);
    const auto own =
        table_.insert(key, flow, NonInviteClientTransaction{config_.timers, reliable, now});
    Transaction& cancelling = *table_.find(own);
    cancelling.silent = true;
    cancelling.message = std::move(bytes);
    send(cancelling);
}

// Looking things up.

void TransactionLayer::set_owner(TransactionId id, OwnerTag owner) {
    if (auto* transaction = table_.find(id)) transaction->owner = owner;
}

OwnerTag TransactionLayer::owner(TransactionId id) const {
    const auto* transaction = table_.find(id);
    return transaction ? transaction->owner : 0;
}

bool TransactionLayer::exists(TransactionId id) const { return table_.find(id) != nullptr; }

std::optional<Flow> TransactionLayer::flow(TransactionId id) const {
    const auto* transaction = table_.find(id);
    return transaction ? std::optional{transaction->flow} : std::nullopt;
}

void TransactionLayer::transport_failed(std::uint64_t flow_id) {
    for (const auto id : table_.on_flow(flow_id)) {
        Transaction& transaction = *table_.find(id);
        const auto* invite = transaction.as<InviteClientTransaction>();
        const bool answered = invite && invite->state() == InviteClientTransaction::State::accepted;
        if (!transaction.is_client() || answered) {
            transaction.flow.id = 0;
            table_.leave_flow(id);
            continue;
        }
        if (!transaction.silent) events_.push_back(TransportFailed{id, transaction.owner});
        table_.erase(id);
    }
}

/// Section 18.2.2, RFC 3581 section 4. `maddr` is not obeyed: it would let a stranger aim our
/// answers.
Flow TransactionLayer::response_flow(const Received& request, bool force_rport) const {
    Flow flow = request.flow();
    if (is_reliable(flow.transport) || force_rport) return flow;
    const auto via = Via::parse(request->top_via());
    if (via && !request.asked_for_rport()) flow.remote.port = via->port.value_or(default_port);
    return flow;
}

/// Section 17.2.3. An element of RFC 3261 is matched by branch, sent-by and method; an older one by
/// all that RFC 2543 kept the same over copies, its whole Via among them.
std::string_view TransactionLayer::server_key(const Message& request, std::string_view method) {
    key_.assign("s ").append(method).append(" ");
    const auto via = request.top_via();
    if (request.branch().starts_with(Via::magic_cookie)) {
        key_.append(request.branch()).append(" ");
        for (const char c : via.substr(0, via.find(';'))) {
            if (!is_space(c)) key_ += lower(c);
        }
        return key_;
    }
    fmt::format_to(std::back_inserter(key_), "{} {} {} {} {}", request.request_uri(),
                   request.from_tag(), request.call_id(), request.cseq(), via);
    return key_;
}

std::string_view TransactionLayer::identity_of(const Message& request) {
    key_.assign("m ");
    fmt::format_to(std::back_inserter(key_), "{} {} {} {}", request.method_text(), request.cseq(),
                   request.from_tag(), request.call_id());
    return key_;
}

std::string_view TransactionLayer::client_key(std::string_view branch, std::string_view method) {
    key_.assign("c ").append(method).append(" ").append(branch);
    return key_;
}

}  // namespace strowger::sip
