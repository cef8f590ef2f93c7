#include "phone.hpp"

#include <fmt/format.h>

#include <cstdio>

#include "wire/sip/builder.hpp"
#include "wire/sip/digest.hpp"

namespace strowger::sim {

using sip::HeaderId;

namespace {

Duration milliseconds(long long count) { return std::chrono::milliseconds{count}; }
long long in_milliseconds(Duration duration) { return duration / std::chrono::milliseconds{1}; }

}  // namespace

std::string Plan::offer() const {
    return fmt::format("v=0\r\no=call {} {} {} {} {}\r\n", number, static_cast<int>(kind),
                       in_milliseconds(ringing), in_milliseconds(talking), callee_hangs_up ? 1 : 0);
}

Plan Plan::of(std::string_view offer) {
    Plan plan;
    int kind = 0, callee = 0;
    long long ringing = 0, talking = 0;
    if (std::sscanf(std::string(offer).c_str(), "v=0\r\no=call %d %d %lld %lld %d", &plan.number,
                    &kind, &ringing, &talking, &callee) != 5)
        return {};
    plan.kind = static_cast<Kind>(kind);
    plan.ringing = milliseconds(ringing);
    plan.talking = milliseconds(talking);
    plan.callee_hangs_up = callee != 0;
    return plan;
}

std::string Plan::answer() const { return fmt::format("v=0\r\no=answer {}\r\n", number); }

Phone::Phone(VirtualNetwork& network, const SocketAddress& address, Account account, Ledger& ledger,
             std::uint64_t seed)
    : SipHost(network, address, seed), account_(std::move(account)), ledger_(ledger) {
    call_id_ = random().token(20);
    tag_ = random().token(10);
}

void Phone::register_now() {
    proved_ = false;
    send_register({});
}

void Phone::unregister() {
    leaving_ = true;
    register_now();
}

void Phone::send_register(const std::string& authorization) {
    const auto server = account_.server.ip.host_text();
    const auto whom = fmt::format("<sip:{}@{}>", account_.user, server);
    auto builder = sip::Builder::request("REGISTER", "sip:" + server);
    builder.header(HeaderId::max_forwards, std::uint64_t{70})
        .header(HeaderId::from, whom + ";tag=" + tag_)
        .header(HeaderId::to, whom)
        .header(HeaderId::call_id, call_id_)
        .header(HeaderId::cseq, fmt::format("{} REGISTER", ++cseq_))
        .header(HeaderId::contact, fmt::format("<sip:{}@{}>", account_.user, address().text()))
        .header(HeaderId::expires,
                leaving_ ? std::uint64_t{0}
                         : static_cast<std::uint64_t>(account_.expiry / std::chrono::seconds{1}));
    if (!authorization.empty()) builder.header(HeaderId::authorization, authorization);
    (void)layer().send_request(std::move(builder).finish(), flow_to(account_.server), now());
    pump();
}

std::string Phone::prove(const sip::Message& response, HeaderId header, std::string_view method,
                         std::string_view uri) {
    const auto challenge = sip::Challenge::parse(response.header(header).value_or(""));
    if (!challenge) return {};
    const auto answer =
        sip::answer_challenge(*challenge, account_.user, sip::Secret::password(account_.password),
                              method, uri, random().token(8), 1);
    return answer.value_or("");
}

void Phone::on_response(const sip::ReceivedPtr& response) {
    if (response && response->message().status() < 200) return;
    if (response && response->message().status() == 401 && !proved_) {
        proved_ = true;
        send_register(prove(response->message(), HeaderId::www_authenticate, "REGISTER",
                            "sip:" + account_.server.ip.host_text()));
        return;
    }
    if (leaving_ && response && response->message().status() == 200) return;
    // Refreshed in good time; after a failure (the network, or a nonce that grew old on the way),
    // soon.
    const bool registered = response && response->message().status() == 200;
    network().at(now() + (registered ? account_.expiry / 2 : Duration{std::chrono::seconds{1}}),
                 [this, leaving = leaving_] {
                     if (leaving == leaving_) register_now();
                 });
}

void Phone::dial(const std::string& callee, const Plan& plan) {
    const auto server = account_.server.ip.host_text();
    sip::InviteSession::Invite invite;
    invite.uri = fmt::format("sip:{}@{}", callee, server);
    invite.from = fmt::format("<sip:{}@{}>", account_.user, server);
    invite.to = fmt::format("<{}>", invite.uri);
    invite.sdp = plan.offer();
    const auto id = call(std::move(invite), flow_to(account_.server), account_.user);
    calls_[id] = {plan, true};
    // Nobody waits for ever, though the answer may have gone to where a NAT no longer has him.
    later(longest_ringing, id, [this](sip::InviteSession& session) {
        if (session.state() == sip::InviteSession::State::calling) session.cancel({}, now());
    });
    if (plan.kind == Plan::Kind::abandon)
        later(plan.ringing, id, [this](sip::InviteSession& session) { session.cancel({}, now()); });
    pump();
}

void Phone::later(Duration delay, LegId id, std::function<void(sip::InviteSession&)> act) {
    network().at(now() + delay, [this, id, act = std::move(act)] {
        if (auto* session = leg(id)) act(*session);
        pump();
    });
}

void Phone::on_request(const sip::RequestReceived& received) {
    if (received.request->message().method() != sip::Method::invite) {
        layer().forget(received.transaction);
        return;
    }
    const auto id = take(received, account_.user);
    auto* session = leg(id);
    if (session->state() != sip::InviteSession::State::incoming) return;
    const auto plan = Plan::of(session->offer());
    calls_[id] = {plan, false};
    if (plan.kind == Plan::Kind::busy) {
        (void)session->reject(486, now());
        return;
    }
    (void)session->ring(180, {}, now());
    // No phone rings for ever, though nobody may have been able to tell it to stop.
    later(longest_ringing, id, [this](sip::InviteSession& ringing) {
        if (ringing.state() == sip::InviteSession::State::incoming)
            (void)ringing.reject(480, now());
    });
    if (plan.kind == Plan::Kind::talk)
        later(plan.ringing, id, [this, id, plan](sip::InviteSession& ringing) {
            if (!ringing.accept(plan.answer(), now()) || !plan.callee_hangs_up) return;
            later(plan.talking, id, [this](sip::InviteSession& talking) { talking.bye(now()); });
        });
}

void Phone::on_event(LegId id, const sip::SessionEvent& event) {
    const auto found = calls_.find(id);
    if (found == calls_.end()) return;
    const auto plan = found->second.plan;
    if (const auto* challenged = std::get_if<sip::session::AuthenticationRequired>(&event)) {
        const auto& response = challenged->response->message();
        if (challenged->attempt > 2)
            leg(id)->give_up(challenged->request, now());
        else
            (void)leg(id)->authenticate(challenged->request, HeaderId::proxy_authorization,
                                        prove(response, HeaderId::proxy_authenticate,
                                              name_of(challenged->method), challenged->uri),
                                        now());
    } else if (const auto* answered = std::get_if<sip::session::Answered>(&event)) {
        if (answered->sdp == plan.answer()) ++ledger_.caller_answers[plan.number];
        if (!plan.callee_hangs_up)
            later(plan.talking, id, [this](sip::InviteSession& session) { session.bye(now()); });
    } else if (const auto* failed = std::get_if<sip::session::Failed>(&event)) {
        over(id, std::to_string(failed->status));
    } else if (std::holds_alternative<sip::session::Cancelled>(event)) {
        over(id, "487");
    } else if (const auto* ended = std::get_if<sip::session::Ended>(&event)) {
        using sip::session::EndCause;
        if (ended->cause == EndCause::local_bye || ended->cause == EndCause::remote_bye)
            over(id, "talked");
        else if (ended->cause == EndCause::rejected)
            over(id, "486");
        else
            over(id, fmt::format("ended by cause {}", static_cast<int>(ended->cause)));
    }
}

void Phone::over(LegId id, const std::string& how) {
    const auto call = calls_.extract(id).mapped();
    (call.is_caller ? ledger_.caller : ledger_.callee)[call.plan.number] = how;
    (call.is_caller ? ledger_.caller_ended : ledger_.callee_ended)[call.plan.number] = now();
}

}  // namespace strowger::sim
