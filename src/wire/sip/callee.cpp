#include <algorithm>
#include <utility>

#include "base/text.hpp"
#include "wire/sip/invite_session.hpp"
#include "wire/sip/sdp_body.hpp"

/// The called side of an InviteSession: their INVITE, our provisional responses and 2xx.
namespace strowger::sip {

InviteSession::InviteSession(Config config, TransactionLayer& layer, Random& random,
                             TransactionId transaction, ReceivedPtr invite, Time now)
    : config_(std::move(config)),
      layer_(layer),
      random_(random),
      timer_(config_.timer),
      state_(State::incoming),
      flow_(invite->flow()),
      call_id_((*invite)->call_id()),
      local_tag_(random.token(tag_length)),
      invite_transaction_(transaction),
      invite_(std::move(invite)),
      // RFC 3262 section 3: from 1 to 2^31 - 1, with room to count up.
      rseq_(static_cast<std::uint32_t>(random.below(1u << 30)) + 1) {
    layer_.set_owner(transaction, config_.owner);
    const Message& message = invite_->message();
    learn_peer(message);
    auto dialog = Dialog::as_uas(message, local_tag_);
    if (!dialog) {
        layer_.respond(transaction, Builder::response_to(message, 400, local_tag_).finish(), now);
        finish({session::EndCause::rejected, invite_}, now);
        return;
    }
    forks_.push_back({std::move(*dialog), {}, 0, nullptr});
    const auto refusal = judge_invite(message);
    if (refusal.status != 0) {
        refuse(refusal.status, now, refusal.extra);
        finish({session::EndCause::rejected, invite_}, now);
        return;
    }
    if (!offer().empty()) active()->offers.they_offer();
    reroute();
}

/// Section 8.2.2.3 and 8.2.3, RFC 3262, RFC 4028: what we cannot serve. Status 0 when we can.
InviteSession::Provisional InviteSession::judge_invite(const Message& invite) const {
    std::string unsupported;
    const std::string known = ", " + supported() + ", ";
    for (const auto option : invite.values(HeaderId::require)) {
        if (known.find(fmt::format(", {}, ", to_lower(option))) != std::string::npos) continue;
        if (!unsupported.empty()) unsupported += ", ";
        unsupported += option;
    }
    if (!unsupported.empty()) return {420, {}, {{"Unsupported", unsupported}}};
    if (has_foreign_body(invite)) return {415, {}, {{"Accept", "application/sdp"}}};
    if (config_.reliability == Reliability::required && !peer_supports("100rel")) {
        return {421, {}, {{"Require", "100rel"}}};
    }
    return judge_timer(invite);
}

InviteSession::Provisional InviteSession::judge_timer(const Message& request) const {
    const int status = timer_.judge(request);
    if (status == 422) {
        return {422, {}, {{"Min-SE", fmt::format("{}", timer_.minimum().count())}}};
    }
    if (status == 421) return {421, {}, {{"Require", "timer"}}};
    return {};
}

std::string_view InviteSession::offer() const {
    return invite_ ? sdp_body(invite_->message()) : std::string_view{};
}

void InviteSession::refuse(int status, Time now, const HeaderLines& extra,
                           std::string_view reason) {
    Builder answer = active()->dialog.response(invite_->message(), status, reason);
    layer_.respond(invite_transaction_, finish_message(std::move(answer), false, extra, {}, {}),
                   now);
}

Result<> InviteSession::reject(int status, Time now, const HeaderLines& extra,
                               std::string_view reason) {
    if (state_ != State::incoming) return fail("{} but the INVITE is answered already", status);
    if (status < 300 || status > 699) return fail("{} is no status to reject with", status);
    refuse(status, now, extra, reason);
    finish({session::EndCause::rejected, nullptr}, now);
    return {};
}

void InviteSession::answer_cancelled(const ReceivedPtr& cause, Time now) {
    if (state_ != State::incoming) return;  // the 2xx crossed the CANCEL
    refuse(487, now);
    raise(session::Cancelled{cause});
    terminate(now);
}

bool InviteSession::agrees_to_reliability() const {
    return config_.reliability != Reliability::never && peer_supports("100rel");
}

Result<> InviteSession::ring(int status, std::string_view sdp, Time now, const HeaderLines& extra) {
    if (state_ != State::incoming) return fail("{} but the INVITE is answered already", status);
    if (status < 101 || status > 199) return fail("{} is no provisional status", status);
    Provisional provisional{status, std::string(sdp), extra};
    const bool reliable = agrees_to_reliability();
    if (!reliable || !provisional_) {
        send_provisional(std::move(provisional), reliable, now);
        return {};
    }
    if (waiting_provisionals_.size() == max_queued_provisionals) {
        return fail("{} provisional responses wait for a PRACK", max_queued_provisionals);
    }
    waiting_provisionals_.push_back(std::move(provisional));
    return {};
}

void InviteSession::send_provisional(Provisional provisional, bool reliable, Time now) {
    Fork& fork = *active();
    Builder response = fork.dialog.response(invite_->message(), provisional.status);
    response.header(HeaderId::contact, config_.contact).header(HeaderId::allow, config_.allow);
    bool offers = false;
    std::string_view sdp = provisional.sdp;
    if (reliable) {
        response.header(HeaderId::require, "100rel").header(HeaderId::rseq, std::uint64_t{rseq_});
        if (!sdp.empty() && !fork.offers.we_answer()) {
            offers = fork.offers.agreed_once() ? false : fork.offers.we_offer();
            if (!offers) sdp = {};
        }
    } else if (fork.offers.state() == OfferAnswer::State::none) {
        sdp = {};  // an offer may not stand in a response that can get lost (section 13.2.1)
    }
    if (!sdp.empty()) local_sdp_ = sdp;
    auto bytes =
        finish_message(std::move(response), false, provisional.extra, sdp, "application/sdp");
    if (reliable) {
        provisional_ = wait_for_ack(bytes, rseq_, offers, now);
        repeat_provisional_at_ = Time::max();
        ++rseq_;
    } else {
        repeat_provisional_at_ = now + provisional_interval;
    }
    last_provisional_ = bytes;
    layer_.respond(invite_transaction_, std::move(bytes), now);
}

InviteSession::Unacknowledged InviteSession::wait_for_ack(std::string bytes, std::uint32_t number,
                                                          bool offers, Time now) const {
    return {invite_transaction_,
            std::move(bytes),
            number,
            offers,
            config_.timers.t1,
            now + config_.timers.t1,
            now + config_.timers.patience};
}

Result<> InviteSession::accept(std::string_view sdp, Time now, const HeaderLines& extra) {
    if (state_ != State::incoming) return fail("200 but the INVITE is answered already");
    if (waiting_success_) return fail("200 waits for a PRACK already");
    const bool owes_sdp = !active()->offers.agreed_once() && !provisional_;
    if (sdp.empty() && owes_sdp) return fail("200 needs an SDP: none has been exchanged");
    Provisional answer{200, std::string(sdp), extra};
    // RFC 3262 section 3: not while an answer or offer of ours in a 1xx is unacknowledged.
    if (provisional_ || reoffered_) {
        waiting_provisionals_.clear();
        waiting_success_ = std::move(answer);
    } else {
        send_success(std::move(answer), now);
    }
    return {};
}

void InviteSession::send_success(Provisional answer, Time now) {
    Fork& fork = *active();
    const Message& invite = invite_->message();
    fork.dialog.confirm();
    Builder response = fork.dialog.response(invite, 200);
    add_capabilities(response);
    accept_timer(response, invite, now);
    std::string_view sdp = answer.sdp;
    bool offers = false;
    if (fork.offers.agreed_once()) {
        sdp = {};
    } else if (!fork.offers.we_answer()) {
        offers = fork.offers.we_offer();
    }
    if (!sdp.empty()) local_sdp_ = sdp;
    auto bytes = finish_message(std::move(response), false, answer.extra, sdp, "application/sdp");
    success_ = wait_for_ack(bytes, invite.cseq(), offers, now);
    success_->transaction = invite_transaction_;
    repeat_provisional_at_ = Time::max();
    state_ = State::accepted;
    layer_.respond(invite_transaction_, std::move(bytes), now);
}

void InviteSession::repeat_unacknowledged(Time now) {
    for (auto* waiting : {&provisional_, &success_}) {
        if (!*waiting) continue;
        if (now >= (*waiting)->give_up_at) {
            const bool is_success = waiting == &success_;
            waiting->reset();
            if (is_success) {
                // Section 13.3.1.4: the session is confirmed, and to be ended.
                hang_up(session::EndCause::no_ack, {{"Reason", "SIP;cause=408;text=\"No ACK\""}},
                        now);
            } else {
                refuse(504, now);  // RFC 3262 section 3 asks for a 5xx
                finish({session::EndCause::no_prack, nullptr}, now);
            }
            return;
        }
        if (now < (*waiting)->repeat_at) continue;
        auto& interval = (*waiting)->interval;
        // A 2xx slows down at T2, a reliable 1xx does not (RFC 3262 section 3).
        interval = waiting == &success_ ? std::min(interval * 2, config_.timers.t2) : interval * 2;
        (*waiting)->repeat_at = now + interval;
        layer_.respond((*waiting)->transaction, (*waiting)->bytes, now);
    }
}

void InviteSession::acknowledged(const ReceivedPtr& received, Time now) {
    const Message& ack = received->message();
    const bool expected = success_ && ack.cseq() == success_->number && ack.call_id() == call_id_ &&
                          ack.to_tag() == local_tag_;
    if (!expected) return;
    const bool offered = success_->offers;
    success_.reset();
    if (state_ == State::accepted) state_ = State::confirmed;
    follow(received);
    if (bye_later_) {
        const HeaderLines extra = std::move(*bye_later_);
        return hang_up(session::EndCause::local_bye, extra, now);
    }
    raise(session::Acknowledged{});
    if (offered) {
        const auto sdp = sdp_body(ack);
        if (sdp.empty()) {
            // Our offer went unanswered: there is nothing to talk with.
            return hang_up(session::EndCause::no_ack,
                           {{"Reason", "SIP;cause=488;text=\"No answer in ACK\""}}, now);
        }
        active()->offers.they_answer();
        raise(session::OfferAnswered{sdp, received});
    }
    send_waiting_offer(now);
}

/// The PRACK came, and if it had an offer, the owner has answered it.
void InviteSession::provisional_acknowledged(Time now) {
    if (state_ != State::incoming || provisional_ || reoffered_) return;
    if (waiting_success_) {
        Provisional answer = std::move(*waiting_success_);
        waiting_success_.reset();
        send_success(std::move(answer), now);
    } else if (!waiting_provisionals_.empty()) {
        Provisional next = std::move(waiting_provisionals_.front());
        waiting_provisionals_.pop_front();
        send_provisional(std::move(next), true, now);
    } else {
        repeat_provisional_at_ = now + provisional_interval;
    }
}

}  // namespace strowger::sip
