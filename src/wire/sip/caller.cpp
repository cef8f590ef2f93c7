#include <algorithm>
#include <utility>

#include "base/text.hpp"
#include "wire/sip/invite_session.hpp"
#include "wire/sip/sdp_body.hpp"

/// The calling side of an InviteSession: our INVITE, its forks, its ACKs.
namespace strowger::sip {

Result<> InviteSession::invite(Invite invite, const Flow& flow, Time now) {
    if (state_ != State::idle || !caller_) return fail("this call has begun already");
    invitation_ = std::move(invite);
    flow_ = flow;
    call_id_ = invitation_->call_id.empty() ? random_.token(call_id_length) : invitation_->call_id;
    local_sdp_ = invitation_->sdp;
    Pending pending;
    pending.method = Method::invite;
    pending.offers = !invitation_->sdp.empty();
    return send_invite(std::move(pending), now);
}

/// The first INVITE, or the same once more with credentials or a longer Session-Expires.
Result<> InviteSession::send_invite(Pending pending, Time now) {
    const Invite& what = *invitation_;
    Builder request = Builder::request("INVITE", what.uri);
    request.header(HeaderId::max_forwards, std::uint64_t{70})
        .header(HeaderId::from, fmt::format("{};tag={}", what.from, local_tag_))
        .header(HeaderId::to, what.to)
        .header(HeaderId::call_id, call_id_)
        .header(HeaderId::cseq, fmt::format("{} INVITE", ++cseq_));
    add_capabilities(request);
    if (config_.reliability == Reliability::required) request.header(HeaderId::require, "100rel");
    add_timer(request);
    HeaderLines extra = what.extra;
    extra.insert(extra.end(), pending.credentials.begin(), pending.credentials.end());
    auto sent = layer_.send_request(
        finish_message(std::move(request), true, extra, what.sdp, "application/sdp"), flow_, now,
        config_.owner, config_.sent_by);
    if (!sent) return std::unexpected(std::move(sent.error()));
    state_ = State::calling;
    forks_.clear();
    pending.transaction = invite_transaction_ = *sent;
    pending.cseq = cseq_;
    pending_.push_back(std::move(pending));
    if (cancelled_) layer_.cancel(invite_transaction_, now);
    return {};
}

void InviteSession::cancel(const HeaderLines& extra, Time now) {
    if (state_ != State::calling || cancelled_) return;
    if (unacked_answer_) return reject_offer(488, now, extra);
    cancelled_ = true;
    const auto* pending = find_pending(invite_transaction_);
    if (pending && pending->challenge) {
        // Nothing is underway that could be cancelled.
        return give_up(invite_transaction_, now);
    }
    layer_.cancel(invite_transaction_, now, extra);
}

void InviteSession::invite_answered(Pending& pending, const ReceivedPtr& response, Time now) {
    const Message& message = response->message();
    if (message.status() < 200) return invite_progress(response, now);
    if (message.status() < 300) {
        Pending answered = std::move(pending);
        drop_pending(answered.transaction);
        return invite_accepted(std::move(answered), response, now);
    }
    Pending failed = std::move(pending);
    drop_pending(failed.transaction);
    if (message.status() == 422 && !cancelled_ && failed.retries++ < max_retries &&
        timer_.raise_minimum(message)) {
        if (send_invite(std::move(failed), now)) return;
    }
    invite_failed(message.status(), response, now);
}

void InviteSession::invite_failed(int status, const ReceivedPtr& response, Time now) {
    if (state_ >= State::terminating) return;
    if (status >= 300 && status < 400 && !cancelled_) {
        raise(session::Redirected{status, response});
    } else {
        const auto reason = response ? (*response)->reason() : reason_phrase(status);
        raise(session::Failed{status, std::string(reason), response});
    }
    terminate(now);
}

/// The early dialog of a response, made if it is new (section 13.2.2.1).
std::optional<std::size_t> InviteSession::fork_for(const Message& response) {
    for (std::size_t i = 0; i < forks_.size(); ++i) {
        if (forks_[i].dialog.remote_tag() == response.to_tag()) return i;
    }
    if (forks_.size() >= max_forks) return std::nullopt;
    auto dialog = Dialog::as_uac(response, invitation_->uri);
    if (!dialog) return std::nullopt;
    forks_.push_back({std::move(*dialog), {}, 0, nullptr});
    if (!invitation_->sdp.empty()) forks_.back().offers.we_offer();
    return forks_.size() - 1;
}

void InviteSession::invite_progress(const ReceivedPtr& response, Time now) {
    const Message& message = response->message();
    if (message.status() == 100) return;
    session::Progress progress;
    progress.status = message.status();
    progress.sdp = sdp_body(message);
    progress.to_tag = message.to_tag();
    progress.response = response;
    if (message.to_tag().empty()) return raise(std::move(progress));
    const auto index = fork_for(message);
    if (!index) return;
    Fork& fork = forks_[*index];
    progress.reliable = message.lists(HeaderId::require, "100rel");
    if (progress.reliable) {
        // RFC 3262 section 4: in order, each once.
        const auto rseq = parse_number<std::uint32_t>(message.header(HeaderId::rseq).value_or(""));
        if (!rseq || (fork.last_rseq != 0 && *rseq != fork.last_rseq + 1)) return;
        fork.last_rseq = *rseq;
    }
    active_ = *index;
    follow(response);
    if (progress.reliable && !progress.sdp.empty() && !fork.offers.they_answer()) {
        progress.is_offer = fork.offers.they_offer();
    }
    if (progress.is_offer) {
        fork.open_offer = response;
    } else if (progress.reliable) {
        send_prack(*index, message, {}, now);
    }
    raise(std::move(progress));
}

/// RFC 3262 section 4.
void InviteSession::send_prack(std::size_t fork, const Message& response, std::string_view sdp,
                               Time now) {
    Pending prack;
    prack.method = Method::prack;
    prack.fork = fork;
    prack.body = sdp;
    prack.content_type = "application/sdp";
    prack.extra.push_back(
        {"RAck", fmt::format("{} {} INVITE", response.header(HeaderId::rseq).value_or("0"),
                             response.cseq())});
    static_cast<void>(send_in_dialog(std::move(prack), now));
}

void InviteSession::invite_accepted(Pending answered, const ReceivedPtr& response, Time now) {
    const Message& message = response->message();
    if (message.to_tag().empty())
        return invite_failed(500, nullptr, now);  // nothing to acknowledge
    auto index = fork_for(message);
    if (!index && forks_.size() == max_forks) {
        // More forks rang than we follow; the one that answered takes the place of one that did
        // not.
        forks_.pop_back();
        index = fork_for(message);
    }
    // No dialog can be made of it, a Record-Route that is none for instance.
    if (!index) return invite_failed(500, nullptr, now);
    active_ = *index;
    Fork& fork = forks_[*index];
    fork.dialog.receive_response(message);
    fork.dialog.confirm();
    follow(response);
    reroute();
    timer_.negotiated_as_uac(message, now);
    if (cancelled_) {
        // The 2xx crossed our CANCEL (section 15).
        send_ack(*index, answered.cseq, answered.credentials, {});
        return hang_up(session::EndCause::local_bye, {}, now);
    }
    session::Answered event;
    event.sdp = sdp_body(message);
    event.to_tag = message.to_tag();
    event.response = response;
    if (!event.sdp.empty() && !fork.offers.they_answer()) {
        if (fork.offers.state() == OfferAnswer::State::agreed) {
            // A reliable response has answered: this copy of it says nothing (RFC 6337
            // section 2.2).
            event.sdp = {};
        } else {
            event.is_offer = fork.offers.they_offer();
        }
    }
    if (event.is_offer) {
        fork.open_offer = response;
        unacked_answer_ = std::move(answered);
    } else {
        // Some peers answer in a plain 183 and leave it out of the 2xx: then that was the answer.
        fork.offers.they_answer();
        state_ = State::confirmed;
        send_ack(*index, answered.cseq, answered.credentials, {});
    }
    raise(std::move(event));
    if (state_ == State::confirmed) send_waiting_offer(now);
}

/// Section 13.2.2.4. Credentials go along (section 22.1).
void InviteSession::send_ack(std::size_t fork, std::uint32_t cseq, const HeaderLines& credentials,
                             std::string_view sdp) {
    const Dialog& dialog = forks_[fork].dialog;
    auto bytes =
        layer_.with_via(finish_message(dialog.ack(cseq), true, credentials, sdp, "application/sdp"),
                        flow_, config_.sent_by);
    if (acks_.size() == max_kept_acks) acks_.pop_front();
    acks_.push_back({cseq, dialog.remote_tag(), bytes, flow_});
    layer_.send_raw(std::move(bytes), flow_);
}

bool InviteSession::repeat_ack(const Message& response) {
    for (const auto& ack : acks_) {
        if (ack.cseq != response.cseq() || ack.to_tag != response.to_tag()) continue;
        layer_.send_raw(ack.bytes, ack.flow);
        return true;
    }
    return false;
}

/// Another fork answered after one had: it is acknowledged and hung up (section 13.2.2.4).
void InviteSession::hang_up_fork(const ReceivedPtr& response, Time now) {
    const Message& message = response->message();
    if (message.to_tag().empty() || !caller_) return;
    // A copy of the 2xx whose SDP the owner has yet to answer.
    if (active() && active()->dialog.remote_tag() == message.to_tag()) return;
    auto dialog = Dialog::as_uac(message, invitation_->uri);
    if (!dialog) return;
    auto ack = layer_.with_via(finish_message(dialog->ack(message.cseq()), true, {}, {}, {}),
                               response->flow(), config_.sent_by);
    if (acks_.size() == max_kept_acks) acks_.pop_front();
    acks_.push_back({message.cseq(), dialog->remote_tag(), ack, response->flow()});
    layer_.send_raw(std::move(ack), response->flow());
    auto bye = finish_message(dialog->request(Method::bye), true, {}, {}, {});
    // Nobody waits for its answer: owner 0.
    static_cast<void>(
        layer_.send_request(std::move(bye), response->flow(), now, 0, config_.sent_by));
}

}  // namespace strowger::sip
