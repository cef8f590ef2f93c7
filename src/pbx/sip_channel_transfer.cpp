#include <fmt/format.h>

#include "pbx/bridge.hpp"
#include "pbx/conference_transfer.hpp"
#include "pbx/own_address.hpp"
#include "pbx/sip_channel.hpp"
#include "wire/sip/builder.hpp"
#include "wire/sip/event.hpp"
#include "wire/sip/refer_to.hpp"
#include "wire/sip/replaces.hpp"
#include "wire/sip/uri.hpp"

/// Transfers as a SIP phone asks for them, and as we ask a phone: REFER and what follows from it.
namespace strowger::pbx {

namespace {

using sip::HeaderId;
using sip::Method;

// RFC 4488 section 4: the phone does not want to know what comes of it.
bool declines_subscription(const sip::Message& refer) {
    return iequals(trim(split_once(refer.header("Refer-Sub").value_or(""), ';').first), "false");
}

using Variables = std::vector<std::pair<std::string, std::string>>;

// What the dialplan that a blind transfer leads to knows of it.
Variables about_transfer(const Channel& by, const sip::Message& refer, std::string_view context) {
    return {{"BLINDTRANSFER", by.name()},
            {"SIPTRANSFER", "yes"},
            {"SIPREFERRINGCONTEXT", std::string(context)},
            {"SIPREFERREDBYHDR", std::string(refer.header(HeaderId::referred_by).value_or(""))},
            {"SIPREFERTOHDR", std::string(refer.header(HeaderId::refer_to).value_or(""))}};
}

}  // namespace

void SipChannel::refer(const sip::session::RequestArrived& event) {
    const auto now = core().now();
    const auto value = event.request->message().header(HeaderId::refer_to);
    if (!value) {
        session_->answer(event, 400, now, {}, "Missing Refer-To");
        return;
    }
    if (!endpoint_->allow_transfer) {
        session_->answer(event, 603, now);
        return;
    }
    const auto target = sip::ReferTo::parse(*value);
    if (!target) {
        session_->answer(event, target.error().code() == 416 ? 416 : 400, now);
        return;
    }
    const auto conference = bridge ? nullptr : core().conferences.with(*this);
    const auto seat = conference ? conference->find(*this) : nullptr;
    // Who is in an application talks to us: there is nobody to send elsewhere. Who is in a
    // conference can bring somebody in, but not by a call of its own that it holds beside it.
    if (!bridge && (!seat || !seat->starter || target->replaces())) {
        session_->answer(event, 481, now, {}, "Nobody to transfer");
        return;
    }
    if (conference && conference->locked()) {
        session_->answer(event, 403, now, {}, "The conference is locked");
        return;
    }
    if (referral_) {
        session_->answer(event, 491, now, {}, "A transfer is under way");
        return;
    }
    if (const auto replaces = target->replaces()) {
        core().tasks.spawn([](std::shared_ptr<SipChannel> self, sip::session::RequestArrived asked,
                              std::string text) -> Task<> {
            co_await self->attended_transfer(std::move(asked), std::move(text));
            self->drain();
        }(std::static_pointer_cast<SipChannel>(shared_from_this()), event, *replaces));
        return;
    }
    const auto exten = sip::unescape(target->uri.user);
    const auto context = variable("TRANSFER_CONTEXT").value_or(endpoint_->context);
    accept_referral(event);
    if (!dialplan()->exists(context, exten, query())) {
        LOG_NOTICE(about(), "transfer to '{}@{}': no such extension", exten, context);
        notify_refer(404);
        return;
    }
    if (seat)
        leave_to_guest(event, {context, exten, 1});
    else
        transfer_peer(event, {context, exten, 1});
}

void SipChannel::leave_to_guest(const sip::session::RequestArrived& refer,
                                dialplan::Position target) {
    const auto conference = core().conferences.with(*this);
    ConferenceGuest guest;
    guest.starter = conference->find(*this)->starter;
    guest.conference = conference->name();
    guest.profile = conference->profile();
    guest.caller = caller;
    guest.linkedid = linkedid();
    guest.codecs = codecs();
    guest.variables = about_transfer(*this, refer.request->message(), target.context);
    guest.target = std::move(target);
    guest.report = [weak = weak_from_this(), wanted = endpoint_->refer_blind_progress](int status) {
        const auto self = std::static_pointer_cast<SipChannel>(weak.lock());
        if (self && wanted) self->notify_refer(status);
    };
    if (!endpoint_->refer_blind_progress) notify_refer(200);
    core().tasks.spawn(bring_into_conference(core(), std::move(guest)));
    transferred_ = true;
    hangup(Cause::normal_clearing);
}

void SipChannel::transfer_peer(const sip::session::RequestArrived& refer,
                               dialplan::Position target) {
    const auto& message = refer.request->message();
    if (const auto peer = bridge->peer_of(*this)) {
        for (auto& [name, value] : about_transfer(*this, message, target.context))
            (void)peer->variables().set(name, std::move(value));
        if (endpoint_->refer_blind_progress && referral_)
            peer->report_transfer([weak = weak_from_this()](int status) {
                if (const auto self = std::static_pointer_cast<SipChannel>(weak.lock()))
                    self->notify_refer(status);
            });
    }
    if (!endpoint_->refer_blind_progress) notify_refer(200);
    transferred_ = true;
    raise(channel::TransferAsked{std::move(target)});
}

Task<> SipChannel::attended_transfer(sip::session::RequestArrived refer, std::string text) {
    const auto self = shared_from_this();
    const auto replaces = sip::Replaces::parse(text);
    const auto second = replaces ? core().channels.find_by_tag(replaces->to_tag) : nullptr;
    const auto second_bridge = second ? second->bridge : nullptr;
    const auto coming = second_bridge ? second_bridge->peer_of(*second) : nullptr;
    const auto first_bridge = bridge;
    if (!second || second->call_id() != replaces->call_id || !coming || !first_bridge ||
        second_bridge == first_bridge) {
        session_->answer(refer, 481, core().now(), {}, "No such call to join");
        co_return;
    }
    accept_referral(refer);
    if (const auto peer = first_bridge->peer_of(*this))
        (void)peer->variables().set("ATTENDEDTRANSFER", name());
    // The NOTIFY goes first: being replaced ends this leg.
    notify_refer(200);
    (void)co_await first_bridge->replace(shared_from_this(), coming);
}

// 202, and with it the subscription, unless the phone can do without.
void SipChannel::accept_referral(const sip::session::RequestArrived& refer) {
    const auto now = core().now();
    const auto& message = refer.request->message();
    if (core().config->global.norefersub && declines_subscription(message)) {
        session_->answer(refer, 202, now, {{"Refer-Sub", "false"}});
        return;
    }
    session_->answer(refer, 202, now);
    // RFC 3515 section 2.4.6: only the first of a dialog may go without an id.
    const bool first = ++referrals_ == 1;
    referral_ = Referral{first ? "refer" : fmt::format("refer;id={}", message.cseq()), 0,
                         now + referral_lifetime};
    referral_timer_ = core().loop.at(referral_->until, [weak = weak_from_this()] {
        const auto self = std::static_pointer_cast<SipChannel>(weak.lock());
        if (self && self->referral_) self->notify_refer(self->referral_->told, "timeout");
    });
    notify_refer(100);
}

Duration SipChannel::referral_left() const {
    return std::max<Duration>(referral_->until - core().now(), Duration{});
}

// A final status is the last thing that is told.
void SipChannel::notify_refer(int status, std::string_view end_reason) {
    const bool last = status >= 200 || end_reason != "noresource";
    if (!referral_ || (status == referral_->told && !last)) return;
    referral_->told = status;
    const auto left = std::chrono::duration_cast<std::chrono::seconds>(referral_left());
    (void)session_->request(
        Method::notify, core().now(),
        {{"Event", referral_->event},
         {"Subscription-State", last ? fmt::format("terminated;reason={}", end_reason)
                                     : fmt::format("active;expires={}", left.count())}},
        fmt::format("SIP/2.0 {} {}\r\n", status, sip::reason_phrase(status)),
        "message/sipfrag;version=2.0");
    if (last) {
        referral_.reset();
        referral_timer_.cancel();
        if (bye_timer_.pending()) await_bye(hangup_cause());
    }
    drain();
}

// The phone refreshes the subscription of its REFER, or has heard enough.
void SipChannel::subscribe(const sip::session::RequestArrived& event) {
    const auto now = core().now();
    const auto& message = event.request->message();
    const auto wanted = sip::Event::parse(message.header(HeaderId::event).value_or(""));
    const auto open = referral_ ? sip::Event::parse(referral_->event) : fail("none");
    if (!wanted || wanted->package != "refer") {
        session_->answer(event, 489, now);
        return;
    }
    if (!open || !open->matches(*wanted)) {
        session_->answer(event, 481, now);
        return;
    }
    const bool ends = parse_number<unsigned>(message.header(HeaderId::expires).value_or("")) == 0U;
    const auto left = std::chrono::duration_cast<std::chrono::seconds>(referral_left());
    session_->answer(event, 200, now, {{"Expires", std::to_string(ends ? 0 : left.count())}});
    if (ends) notify_refer(referral_->told, "timeout");
}

void SipChannel::say_bye(Cause cause) {
    session_->bye(core().now(), reason(cause));
    drain();
}

// Whoever transferred hangs up by itself (RFC 5589 section 6.1), many phones not before they know
// what came of it; ours comes only if it forgets to.
void SipChannel::await_bye(Cause cause) {
    const std::weak_ptr<Channel> weak = weak_from_this();
    const auto patience = transferor_patience + (referral_ ? referral_left() : Duration{});
    bye_timer_ = core().loop.after(patience, [weak, cause] {
        if (const auto self = std::static_pointer_cast<SipChannel>(weak.lock()))
            self->say_bye(cause);
    });
}

// RFC 3515 once it is answered; before, RFC 3261 section 8.3: the caller tries the other address.
Task<Result<int>> SipChannel::transfer_away(std::string target) {
    const auto self = shared_from_this();
    if (hung_up() || !session_) co_return fail("hung up");
    const auto uri = istarts_with(target, "sip:") || istarts_with(target, "sips:") ||
                             istarts_with(target, "tel:")
                         ? target
                         : fmt::format("sip:{}@{}", sip::escape_user(target),
                                       session_->flow().remote.ip.host_text());
    if (!sip::Uri::parse(uri)) co_return fail("'{}' is no SIP URI", uri);
    if (is_caller_ && state() != ChannelState::up) {
        sip::HeaderLines lines = reason(Cause::redirected);
        lines.push_back({"Contact", "<" + uri + ">"});
        auto sent = session_->reject(302, core().now(), lines);
        finish(Cause::redirected);
        drain();
        if (!sent) co_return std::unexpected(sent.error());
        co_return 302;
    }
    if (!is_up()) co_return fail("not answered yet");
    sip::HeaderLines lines;
    lines.push_back({"Refer-To", "<" + uri + ">"});
    lines.push_back(
        {"Referred-By", own_contact(core(), session_->flow(), endpoint_->contact_user)});
    const auto transaction = session_->request(Method::refer, core().now(), lines);
    if (!transaction) co_return std::unexpected(transaction.error());
    const io::Completion<int> answered = awaited_[*transaction];
    drain();
    core().signalling.touch();
    co_return co_await answered;
}

}  // namespace strowger::pbx
