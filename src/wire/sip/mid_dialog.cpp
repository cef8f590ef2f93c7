#include <algorithm>
#include <utility>

#include "base/text.hpp"
#include "wire/sip/cseq.hpp"
#include "wire/sip/invite_session.hpp"
#include "wire/sip/sdp_body.hpp"

/// Requests within the dialog of an InviteSession, either way, and the offers they carry.
namespace strowger::sip {
namespace {

using std::chrono::milliseconds;

bool carries_session(Method method) { return method == Method::invite || method == Method::update; }

}  // namespace

// Ours.

Result<TransactionId> InviteSession::send_in_dialog(Pending pending, Time now) {
    if (pending.fork >= forks_.size()) return fail("{} without a dialog", name_of(pending.method));
    if (pending_.size() >= max_pending) {
        return fail("{} requests of this call wait for an answer", pending_.size());
    }
    Dialog& dialog = forks_[pending.fork].dialog;
    Builder request = dialog.request(pending.method);
    pending.cseq = dialog.local_cseq();
    if (carries_session(pending.method)) {
        add_capabilities(request);
        // RFC 4028 section 7.1: before the session stands, only its INVITE speaks of the timer.
        if (dialog.state() == Dialog::State::confirmed) add_timer(request);
    } else if (pending.method == Method::refer || pending.method == Method::notify) {
        request.header(HeaderId::contact, config_.contact);
    }
    HeaderLines extra = pending.extra;
    extra.insert(extra.end(), pending.credentials.begin(), pending.credentials.end());
    auto sent = layer_.send_request(
        finish_message(std::move(request), true, extra, pending.body, pending.content_type), flow_,
        now, config_.owner, config_.sent_by);
    if (!sent) return sent;
    pending.transaction = *sent;
    pending_.push_back(std::move(pending));
    return sent;
}

Result<TransactionId> InviteSession::request(Method method, Time now, const HeaderLines& extra,
                                             std::string_view body, std::string_view content_type) {
    const bool lasts = state_ < State::terminating || method == Method::notify;
    const bool ready = active() && lasts && state_ != State::incoming;
    if (!ready) return fail("{} without a dialog that stands", name_of(method));
    Pending pending;
    pending.method = method;
    pending.fork = active_;
    pending.body = body;
    pending.content_type = content_type;
    pending.extra = extra;
    return send_in_dialog(std::move(pending), now);
}

void InviteSession::mid_dialog_answered(Pending pending, const ReceivedPtr& response, Time now) {
    const Message& message = response->message();
    if (message.status() >= 300) {
        return mid_dialog_failed(std::move(pending), message.status(), response, now);
    }
    if (pending.fork < forks_.size()) forks_[pending.fork].dialog.receive_response(message);
    if (state_ >= State::terminating) return;
    follow(response);
    switch (pending.method) {
        case Method::invite: return reinvite_answered(pending, response, now);
        case Method::update: {
            timer_.negotiated_as_uac(message, now);
            const auto sdp = sdp_body(message);
            if (pending.offers && pending.fork < forks_.size()) {
                if (sdp.empty()) {
                    forks_[pending.fork].offers.withdraw();
                } else if (forks_[pending.fork].offers.they_answer()) {
                    raise(session::OfferAnswered{sdp, response});
                }
            } else if (!pending.refresh) {
                raise(session::RequestAnswered{pending.transaction, Method::update,
                                               message.status(), response});
            }
            return send_waiting_offer(now);
        }
        case Method::prack:
        case Method::bye: return;
        default:
            raise(session::RequestAnswered{pending.transaction, pending.method, message.status(),
                                           response});
    }
}

void InviteSession::reinvite_answered(Pending& pending, const ReceivedPtr& response, Time now) {
    const Message& message = response->message();
    OfferAnswer& offers = active()->offers;
    timer_.negotiated_as_uac(message, now);
    const auto sdp = sdp_body(message);
    if (!pending.offers && !sdp.empty() && offers.they_offer()) {
        // Our re-INVITE asked for their offer; the ACK takes our answer.
        active()->open_offer = response;
        unacked_answer_ = std::move(pending);
        return raise(session::Reoffer{sdp, Method::invite, response});
    }
    send_ack(active_, pending.cseq, pending.credentials, {});
    if (pending.offers && !sdp.empty() && offers.they_answer()) {
        raise(session::OfferAnswered{sdp, response});
    } else {
        offers.withdraw();
    }
    send_waiting_offer(now);
}

void InviteSession::mid_dialog_failed(Pending pending, int status, const ReceivedPtr& response,
                                      Time now) {
    if (pending.method == Method::bye) return;
    if (state_ >= State::terminating && pending.method != Method::notify) return;
    const bool changes_session = carries_session(pending.method);
    if (changes_session && (status == 481 || status == 408)) {
        // Section 12.2.1.2: the dialog is gone on their side, or they are.
        return hang_up(session::EndCause::dialog_lost, {}, now);
    }
    if (pending.offers && pending.fork < forks_.size()) forks_[pending.fork].offers.withdraw();
    if (!changes_session) {
        if (pending.method == Method::prack) return;  // their retransmissions will end the call
        raise(session::RequestAnswered{pending.transaction, pending.method, status, response});
        return;
    }
    const bool may_retry = pending.retries < max_retries;
    if (status == 491 && may_retry) return retry_after_glare(pending, now);
    if (status == 422 && response && may_retry && timer_.raise_minimum(response->message())) {
        ++pending.retries;
        if (pending.offers) forks_[pending.fork].offers.we_offer();
        if (send_in_dialog(pending, now)) return;
        forks_[pending.fork].offers.withdraw();
    }
    if (pending.refresh) {
        // Not all that list UPDATE mean it (RFC 4028 section 7.4 lets us use either).
        const bool refused = status == 405 || status == 501;
        if (pending.method == Method::update && refused) {
            peer_allow_ &= ~(1u << static_cast<unsigned>(Method::update));
            refresh(now);
        }
        return;
    }
    raise(session::OfferRejected{status, response});
    send_waiting_offer(now);
}

// Offers of ours.

Result<> InviteSession::reinvite(std::string_view sdp, Time now, const HeaderLines& extra) {
    return offer({Method::invite, std::string(sdp), extra, 0, false}, now);
}

Result<> InviteSession::update(std::string_view sdp, Time now, const HeaderLines& extra) {
    if (!sdp.empty()) return offer({Method::update, std::string(sdp), extra, 0, false}, now);
    if (!active() || state_ >= State::terminating) return fail("UPDATE without a dialog");
    Pending pending;
    pending.method = Method::update;
    pending.fork = active_;
    pending.extra = extra;
    auto sent = send_in_dialog(std::move(pending), now);
    if (!sent) return std::unexpected(std::move(sent.error()));
    return {};
}

Result<> InviteSession::offer(Offer offer, Time now) {
    if (!active() || state_ >= State::terminating) return fail("an offer without a dialog");
    if (waiting_offers_.size() == max_waiting_offers) {
        return fail("{} offers of this call wait for their turn", max_waiting_offers);
    }
    waiting_offers_.push_back(std::move(offer));
    send_waiting_offer(now);
    return {};
}

/// RFC 3261 section 14.1, RFC 3311 section 5.1: one INVITE and one offer at a time.
bool InviteSession::may_offer(Method method) const {
    const auto* fork = active();
    if (!fork || reoffered_ || unacked_answer_ || retry_offer_at_ != Time::max()) return false;
    if (!fork->offers.may_offer()) return false;
    const bool inviting = std::any_of(pending_.begin(), pending_.end(),
                                      [](const Pending& p) { return p.method == Method::invite; });
    if (method == Method::invite) return state_ == State::confirmed && !inviting && !success_;
    const bool early = state_ == State::calling || state_ == State::incoming;
    if (early) return fork->offers.agreed_once();
    return state_ == State::confirmed && !inviting && !success_;
}

void InviteSession::send_waiting_offer(Time now) {
    if (waiting_offers_.empty() || !may_offer(waiting_offers_.front().method)) return;
    Offer next = std::move(waiting_offers_.front());
    waiting_offers_.pop_front();
    Pending pending;
    pending.method = next.method;
    pending.fork = active_;
    pending.body = next.sdp;
    pending.content_type = "application/sdp";
    pending.extra = next.extra;
    pending.retries = next.retries;
    pending.refresh = next.refresh;
    pending.offers = !next.sdp.empty() && active()->offers.we_offer();
    if (pending.offers) local_sdp_ = next.sdp;
    const bool refresh_only = next.refresh;
    if (send_in_dialog(std::move(pending), now)) return;
    active()->offers.withdraw();
    if (!refresh_only) raise(session::OfferRejected{503, nullptr});
}

/// Section 14.1: whoever made the Call-ID waits the longer.
void InviteSession::retry_after_glare(const Pending& pending, Time now) {
    waiting_offers_.push_front(
        {pending.method, pending.body, pending.extra, pending.retries + 1, pending.refresh});
    const auto steps = caller_ ? 210 + random_.below(191) : random_.below(201);
    retry_offer_at_ = now + milliseconds{10} * static_cast<std::int64_t>(steps);
}

/// RFC 4028 section 7.4: by UPDATE where they allow it, else by repeating the last SDP.
void InviteSession::refresh(Time now) {
    if (state_ != State::confirmed) return;
    if (peer_allows(Method::update)) {
        Pending pending;
        pending.method = Method::update;
        pending.fork = active_;
        pending.refresh = true;
        static_cast<void>(send_in_dialog(std::move(pending), now));
        return;
    }
    if (!waiting_offers_.empty()) return;  // that one will refresh as well
    static_cast<void>(offer({Method::invite, local_sdp_, {}, 0, true}, now));
}

// Theirs.

void InviteSession::respond(TransactionId transaction, const Message& request, int status, Time now,
                            const HeaderLines& extra, std::string_view body,
                            std::string_view content_type, std::string_view reason) {
    Builder response = active() ? active()->dialog.response(request, status, reason)
                                : Builder::response_to(request, status, local_tag_, reason);
    layer_.respond(transaction,
                   finish_message(std::move(response), false, extra, body, content_type), now);
}

void InviteSession::receive_request(TransactionId transaction, const ReceivedPtr& received,
                                    Time now) {
    const Message& request = received->message();
    layer_.set_owner(transaction, config_.owner);
    const auto fork = std::find_if(forks_.begin(), forks_.end(),
                                   [&](const Fork& f) { return f.dialog.matches(request); });
    const bool is_bye = request.method() == Method::bye;
    if (fork == forks_.end()) return respond(transaction, request, 481, now);
    if (state_ >= State::terminating) {
        respond(transaction, request, is_bye ? 200 : 481, now);  // anything but a BYE is too late
        if (!is_bye) return;
        // Two BYEs crossed. The other side has ended the dialog itself (section 15.1.2) and may
        // leave ours without an answer.
        const auto index = static_cast<std::size_t>(fork - forks_.begin());
        std::erase_if(pending_, [&](const Pending& p) { return p.fork == index; });
        return settle();
    }
    if (const int refusal = fork->dialog.receive_request(request); refusal != 0) {
        return respond(transaction, request, refusal, now);
    }
    if (state_ == State::calling) active_ = static_cast<std::size_t>(fork - forks_.begin());
    learn_peer(request);
    follow(received);
    switch (request.method()) {
        case Method::bye: return receive_bye(transaction, received, now);
        case Method::prack: return receive_prack(transaction, received, now);
        case Method::invite:
        case Method::update: return receive_offer(transaction, received, now);
        default: raise(session::RequestArrived{transaction, request.method(), received});
    }
}

void InviteSession::receive_bye(TransactionId transaction, const ReceivedPtr& bye, Time now) {
    respond(transaction, bye->message(), 200, now);
    if (state_ == State::calling)
        return;  // the callee of an early dialog may not; the INVITE decides
    if (state_ == State::incoming) return answer_cancelled(bye, now);
    if (reoffered_) cancel_reoffer(now);
    finish({session::EndCause::remote_bye, bye}, now);
}

/// RFC 3262 section 3.
void InviteSession::receive_prack(TransactionId transaction, const ReceivedPtr& received,
                                  Time now) {
    const Message& prack = received->message();
    const auto rack = RAck::parse(prack.header(HeaderId::rack).value_or(""));
    const bool expected = provisional_ && rack && rack->rseq == provisional_->number &&
                          rack->cseq == (*invite_)->cseq() && rack->method == "INVITE";
    if (!expected) {
        return respond(transaction, prack, 481, now);
    }
    const bool offered = provisional_->offers;
    provisional_.reset();
    const auto sdp = sdp_body(prack);
    OfferAnswer& offers = active()->offers;
    if (offered) {
        if (sdp.empty()) {
            respond(transaction, prack, 200, now);
            refuse(488, now);
            return finish({session::EndCause::rejected, received}, now);
        }
        offers.they_answer();
        respond(transaction, prack, 200, now);
        raise(session::OfferAnswered{sdp, received});
    } else if (!sdp.empty() && offers.they_offer()) {
        reoffered_ = Reoffered{transaction, received, false};
        return raise(session::Reoffer{sdp, Method::prack, received});
    } else {
        respond(transaction, prack, 200, now);
    }
    raise(session::Acknowledged{});
    provisional_acknowledged(now);
}

void InviteSession::receive_offer(TransactionId transaction, const ReceivedPtr& received,
                                  Time now) {
    const Message& request = received->message();
    const bool is_invite = request.method() == Method::invite;
    const auto sdp = sdp_body(request);
    if (is_invite && state_ == State::accepted && !(success_ && success_->offers)) {
        // It overtook the ACK of our 2xx, which it proves to have arrived.
        success_.reset();
        state_ = State::confirmed;
    }
    if (const int refusal = refuse_offer(request); refusal != 0) {
        HeaderLines extra;
        // Section 14.2: a random time up to ten seconds.
        if (refusal == 500) {
            extra.push_back({"Retry-After", fmt::format("{}", random_.below(11))});
        }
        return respond(transaction, request, refusal, now, extra);
    }
    if (const auto refusal = judge_timer(request); refusal.status != 0) {
        return respond(transaction, request, refusal.status, now, refusal.extra);
    }
    if (has_foreign_body(request)) {
        return respond(transaction, request, 415, now, {{"Accept", "application/sdp"}});
    }
    if (!sdp.empty()) {
        active()->offers.they_offer();
        reoffered_ = Reoffered{transaction, received, false};
        raise(session::Reoffer{sdp, request.method(), received});
    } else if (is_invite) {
        reoffered_ = Reoffered{transaction, received, true};
        raise(session::OfferRequested{received});
    } else {
        accept_request({transaction, received, false}, {}, {}, now);
        raise(session::Updated{received});
    }
}

/// Sections 14.2, RFC 3311 section 5.2: 0, 491 when offers cross, 500 when one is still open.
int InviteSession::refuse_offer(const Message& request) const {
    const bool is_invite = request.method() == Method::invite;
    const bool has_offer = !sdp_body(request).empty();
    if (!is_invite && !has_offer) return 0;
    if (reoffered_) return 500;
    const auto state = active()->offers.state();
    const bool inviting = std::any_of(pending_.begin(), pending_.end(),
                                      [](const Pending& p) { return p.method == Method::invite; });
    if (is_invite && (state_ == State::incoming || state_ == State::calling)) return 500;
    if (is_invite && (inviting || success_)) return 491;
    if (state == OfferAnswer::State::we_offered) return 491;
    if (state == OfferAnswer::State::they_offered || unacked_answer_) return 500;
    return 0;
}

// The owner's answer to an offer.

Result<> InviteSession::accept_offer(std::string_view sdp, Time now, const HeaderLines& extra) {
    if (sdp.empty()) return fail("an offer cannot be answered without SDP");
    if (reoffered_) {
        const Reoffered reoffer = std::move(*reoffered_);
        reoffered_.reset();
        accept_request(reoffer, sdp, extra, now);
        provisional_acknowledged(now);
        send_waiting_offer(now);
        return {};
    }
    Fork* fork = active();
    if (!fork || !fork->open_offer || !fork->offers.we_answer()) {
        return fail("no offer of the other side is open");
    }
    const auto offer = std::exchange(fork->open_offer, nullptr);
    local_sdp_ = sdp;
    if ((*offer)->status() < 200) {
        send_prack(active_, offer->message(), sdp, now);
        return {};
    }
    const Pending answered = std::move(*unacked_answer_);
    unacked_answer_.reset();
    state_ = State::confirmed;
    HeaderLines lines = extra;
    lines.insert(lines.end(), answered.credentials.begin(), answered.credentials.end());
    send_ack(active_, answered.cseq, lines, sdp);
    send_waiting_offer(now);
    return {};
}

void InviteSession::accept_request(const Reoffered& reoffer, std::string_view sdp,
                                   const HeaderLines& extra, Time now) {
    const Message& request = reoffer.request->message();
    Builder response = active()->dialog.response(request, 200);
    if (carries_session(request.method())) {
        add_capabilities(response);
        if (active()->dialog.state() == Dialog::State::confirmed) {
            accept_timer(response, request, now);
        }
    }
    OfferAnswer& offers = active()->offers;
    if (reoffer.we_offer) {
        offers.we_offer();
    } else if (!sdp.empty()) {
        offers.we_answer();
    }
    if (!sdp.empty()) local_sdp_ = sdp;
    auto bytes = finish_message(std::move(response), false, extra, sdp, "application/sdp");
    if (request.method() == Method::invite) {
        success_ = wait_for_ack(bytes, request.cseq(), reoffer.we_offer, now);
        success_->transaction = reoffer.transaction;
    }
    layer_.respond(reoffer.transaction, std::move(bytes), now);
}

void InviteSession::reject_offer(int status, Time now, const HeaderLines& extra) {
    if (reoffered_) {
        const Reoffered reoffer = std::move(*reoffered_);
        reoffered_.reset();
        respond(reoffer.transaction, reoffer.request->message(), status, now, extra);
        if (!reoffer.we_offer) active()->offers.withdraw();
        provisional_acknowledged(now);
        return send_waiting_offer(now);
    }
    Fork* fork = active();
    if (!fork || !fork->open_offer) return;
    const auto offer = std::exchange(fork->open_offer, nullptr);
    if ((*offer)->status() < 200) return cancel(extra, now);  // a PRACK cannot say no
    // Section 13.2.2.4: a 2xx whose offer is unacceptable is acknowledged and hung up.
    hang_up(session::EndCause::local_bye, extra, now);
}

/// Their re-INVITE or UPDATE is to be given up before the owner answered it.
void InviteSession::cancel_reoffer(Time now) {
    const Reoffered reoffer = std::move(*reoffered_);
    reoffered_.reset();
    respond(reoffer.transaction, reoffer.request->message(), 487, now);
    if (!reoffer.we_offer) active()->offers.withdraw();
}

void InviteSession::answer(const session::RequestArrived& request, int status, Time now,
                           const HeaderLines& extra, std::string_view reason, std::string_view body,
                           std::string_view content_type) {
    respond(request.transaction, request.request->message(), status, now, extra, body, content_type,
            reason);
}

// The session timer's headers.

void InviteSession::add_timer(Builder& request) const {
    const auto expires = timer_.request_session_expires();
    if (!expires.empty()) request.header(HeaderId::session_expires, expires);
    const auto minimum = timer_.request_min_se();
    if (!minimum.empty()) request.header(HeaderId::min_se, minimum);
}

void InviteSession::accept_timer(Builder& response, const Message& request, Time now) {
    const auto expires = timer_.accept_as_uas(request, now);
    if (expires.empty()) return;
    response.header(HeaderId::session_expires, expires);
    if (timer_.requires_timer()) response.header(HeaderId::require, "timer");
}

}  // namespace strowger::sip
