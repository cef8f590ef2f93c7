#include "pbx/sip_channel.hpp"

#include <fmt/format.h>

#include "io/clock.hpp"
#include "pbx/bridge.hpp"
#include "pbx/codecs.hpp"
#include "pbx/credentials.hpp"
#include "pbx/own_address.hpp"
#include "wire/sdp/session.hpp"
#include "wire/sip/uri.hpp"

namespace strowger::pbx {

namespace {

using sip::HeaderId;
using sip::Method;

media::DtmfMode media_dtmf(config::DtmfMode mode) {
    switch (mode) {
        case config::DtmfMode::inband: return media::DtmfMode::inband;
        case config::DtmfMode::info: return media::DtmfMode::info;
        case config::DtmfMode::automatic: return media::DtmfMode::automatic;
        case config::DtmfMode::none: return media::DtmfMode::none;
        // Where there are no events, digits go by INFO and not as sound.
        case config::DtmfMode::auto_info:
        case config::DtmfMode::rfc4733: break;
    }
    return media::DtmfMode::rfc4733;
}

// Is the party's media going only one way, or nowhere, because it put us on hold?
bool is_hold(std::string_view text) {
    const auto session = sdp::Session::parse(text);
    if (!session) return false;
    for (const auto& media : session->media) {
        if (media.kind != "audio" || media.port == 0) continue;
        if (media.direction == sdp::Direction::sendonly ||
            media.direction == sdp::Direction::inactive)
            return true;
        return media.connection && media.connection->address == "0.0.0.0";
    }
    return false;
}

// Answers repeat only what both know.
bool agrees_to_events(std::string_view answer) {
    return answer.find("telephone-event") != std::string_view::npos;
}

std::vector<media::CodecSpec> audio_codecs(std::string_view text) {
    std::vector<media::CodecSpec> specs;
    const auto session = sdp::Session::parse(text);
    if (!session) return specs;
    for (const auto& media : session->media) {
        if (media.kind != "audio") continue;
        for (const auto& format : media.formats)
            if (!format.name.empty() && !iequals(format.name, "telephone-event"))
                specs.push_back({std::string(format.name), format.clock_rate, format.channels,
                                 std::string(format.fmtp)});
        break;
    }
    return specs;
}

Cause cause_of(const sip::ReceivedPtr& message, Cause otherwise) {
    if (!message) return otherwise;
    for (const auto& header : message->message().headers())
        if (header.id == HeaderId::reason)
            if (const auto cause = cause_in_reason(header.value)) return *cause;
    for (const auto& header : message->message().headers())
        if (header.id == HeaderId::reason)
            if (const auto status = status_in_reason(header.value))
                return *status == 200 ? Cause::answered_elsewhere : cause_of_status(*status);
    return otherwise;
}

}  // namespace

SipChannel::SipChannel(Core& core, EndpointPtr endpoint, std::string linkedid)
    : Channel(core, "PJSIP", endpoint->name, std::move(linkedid)), endpoint_(std::move(endpoint)) {
    if (!endpoint_->language.empty()) language = endpoint_->language;
    if (!endpoint_->moh_suggest.empty()) music_class = endpoint_->moh_suggest;
    accountcode = endpoint_->accountcode;
    caller_tag = endpoint_->callerid_tag;
    for (const auto& [name, value] : endpoint_->set_var) (void)assign(name, value);
}

SipChannel::~SipChannel() {
    if (session_) core().channels.unbind_dialog(session_->local_tag());
    if (owner_) core().signalling.detach(owner_);
}

sip::InviteSession::Config SipChannel::session_config(const sip::Flow& flow) {
    sip::InviteSession::Config config;
    config.owner = owner_;
    const auto& user =
        !endpoint_->contact_user.empty() || !core().config->global.use_callerid_contact
            ? endpoint_->contact_user
            : connected.number;
    config.contact = own_contact(core(), flow, user);
    config.timers = core().signalling.layer().timers();
    config.norefersub = core().config->global.norefersub;
    config.product = core().config->global.user_agent;
    config.sent_by = own_address(core(), flow);
    switch (endpoint_->rel100) {
        case config::Reliable::no:
            config.reliability = sip::InviteSession::Reliability::never;
            break;
        case config::Reliable::required:
            config.reliability = sip::InviteSession::Reliability::required;
            break;
        default: config.reliability = sip::InviteSession::Reliability::when_supported; break;
    }
    using Mode = sip::SessionTimer::Mode;
    switch (endpoint_->timers) {
        case config::SessionTimers::no: config.timer.mode = Mode::off; break;
        case config::SessionTimers::yes: config.timer.mode = Mode::accept; break;
        case config::SessionTimers::always: config.timer.mode = Mode::request; break;
        case config::SessionTimers::required: config.timer.mode = Mode::required; break;
    }
    config.timer.interval = std::chrono::seconds{endpoint_->timers_sess_expires};
    config.timer.minimum = std::chrono::seconds{endpoint_->timers_min_se};
    return config;
}

std::shared_ptr<SipChannel> SipChannel::incoming(Core& core, EndpointPtr endpoint,
                                                 const sip::RequestReceived& received) {
    const std::shared_ptr<SipChannel> channel(new SipChannel(core, std::move(endpoint), {}));
    channel->is_caller_ = true;
    channel->invite_ = received.request;
    const auto& request = received.request->message();
    channel->learn_caller(request);
    channel->learn_redirecting(request);

    const std::weak_ptr<SipChannel> weak = channel;
    channel->owner_ = core.signalling.attach([weak](const sip::TransactionEvent& event) {
        if (const auto self = weak.lock()) self->handle(event);
    });
    core.signalling.layer().set_owner(received.transaction, channel->owner_);
    channel->start(std::make_unique<sip::InviteSession>(
        channel->session_config(received.request->flow()), core.signalling.layer(), core.random,
        received.transaction, received.request, core.now()));
    channel->set_state(ChannelState::ring);
    channel->offered_codecs_ = audio_codecs(channel->session_->offer());
    channel->remember_kinds(channel->session_->offer());
    channel->drain();
    return channel;
}

std::shared_ptr<SipChannel> SipChannel::outgoing(Core& core, EndpointPtr endpoint,
                                                 std::string linkedid) {
    const std::shared_ptr<SipChannel> channel(
        new SipChannel(core, std::move(endpoint), std::move(linkedid)));
    const std::weak_ptr<SipChannel> weak = channel;
    channel->owner_ = core.signalling.attach([weak](const sip::TransactionEvent& event) {
        if (const auto self = weak.lock()) self->handle(event);
    });
    return channel;
}

// Makes it known to the rest: registry, trace, events.
void SipChannel::start(std::unique_ptr<sip::InviteSession> session) {
    session_ = std::move(session);
    const auto self = std::static_pointer_cast<SipChannel>(shared_from_this());
    core().channels.add(self);
    core().channels.bind_dialog(session_->local_tag(), self);
    const auto peer = is_caller_ ? invite_->flow().remote.text() : session_->flow().remote.text();
    core().trace.leg_began(linkedid(),
                           {session_->call_id(), name(), endpoint_->name, peer, is_caller_, {}},
                           core().now(), io::wall_now());
    publish(events::ChannelChanged::What::created);
}

media::Profile SipChannel::profile() const {
    media::Profile profile;
    profile.codecs = codecs_by_names(endpoint_->codecs);
    profile.dtmf = media_dtmf(endpoint_->dtmf_mode);
    profile.symmetric = endpoint_->rtp_symmetric;
    const auto& flow = session_->flow();
    if (!flow.local.ip.is_unspecified()) profile.bind_address = flow.local.ip;
    if (const auto fixed = IpAddress::parse(endpoint_->media_address)) {
        profile.advertised_address = fixed;
        if (endpoint_->bind_rtp_to_media_address) profile.bind_address = fixed;
    } else if (const auto* transport = core().signalling.transport_of(flow);
               transport && !transport->external_media_address.empty() &&
               transport->is_outside(flow.remote.ip)) {
        profile.advertised_address = core().names.address(transport->external_media_address);
    }
    profile.received_from = flow.remote.ip;
    profile.sdp_owner = endpoint_->sdp_owner;
    profile.sdp_session = endpoint_->sdp_session;
    profile.rtp_timeout = std::chrono::seconds{endpoint_->rtp_timeout};
    profile.rtp_timeout_hold = std::chrono::seconds{endpoint_->rtp_timeout_hold};
    profile.tos = endpoint_->tos_audio;
    profile.tos_video = endpoint_->tos_video;
    profile.max_video = static_cast<unsigned>(std::max(endpoint_->max_video_streams, 0));
    const auto& rtp = core().config->rtp;
    profile.probation = static_cast<int>(rtp.probation);
    // Sources change without notice where nothing is to be strict; a stranger still has to wait
    // until the one that is heard falls silent.
    static constexpr Duration lenient = std::chrono::seconds{1};
    if (rtp.strictrtp == config::Rtp::Strict::no) profile.source_patience = lenient;
    profile.rtcp_interval = std::chrono::milliseconds{rtp.rtcpinterval};
    profile.keepalive =
        std::chrono::seconds{endpoint_->rtp_keepalive > 0 ? endpoint_->rtp_keepalive
                                                          : static_cast<int>(rtp.rtp_keepalive)};
    profile.use_ptime = endpoint_->use_ptime;
    profile.packet_times = packet_times(endpoint_->codecs);
    return profile;
}

std::optional<media::Party> SipChannel::party() const {
    if (!has_media_ || media_removed_) return std::nullopt;
    return media::Party{linkedid(), uniqueid()};
}

Task<bool> SipChannel::accept_media() {
    if (has_media_) co_return true;
    if (hung_up()) co_return false;
    const auto self = shared_from_this();
    const media::Party party{linkedid(), uniqueid()};
    Result<std::string> made;
    if (session_->offer().empty()) {
        delayed_offer_ = true;
        media::CreateRequest request{party, profile()};
        made = co_await core().engine.create(std::move(request));
    } else {
        media::PublishRequest request{party, std::string(session_->offer()), profile()};
        made = co_await core().engine.publish(std::move(request));
    }
    if (!made) {
        LOG_NOTICE(about(), "{}", made.error().text());
        if (made.error().code() >= 400) refusal_status = made.error().code();
        hangup(made.error().code() == 488 ? Cause::bearer_capability_not_available
                                          : Cause::normal_circuit_congestion);
        co_return false;
    }
    local_sdp_ = std::move(*made);
    has_media_ = true;
    has_events_ = agrees_to_events(local_sdp_);
    if (!delayed_offer_) streams_agreed(local_sdp_);
    if (hung_up()) co_await remove_media();
    co_return !hung_up();
}

Task<Result<>> SipChannel::dial(Target target) {
    const auto self = std::static_pointer_cast<SipChannel>(shared_from_this());
    target_uri_ = target.uri;
    auto session = std::make_unique<sip::InviteSession>(session_config(target.flow),
                                                        core().signalling.layer(), core().random);
    session->set_flow(target.flow);
    session_ = std::move(session);
    media::CreateRequest create{{linkedid(), uniqueid()}, profile()};
    create.peer = target.preferred;
    create.preferred = std::move(target.preferred);
    auto offer = co_await core().engine.create(std::move(create));
    if (!offer) {
        session_.reset();
        co_return std::unexpected(offer.error());
    }
    has_media_ = true;
    local_sdp_ = std::move(*offer);

    auto& invite = invitation_;
    invite.uri = target.uri;
    const auto host =
        endpoint_->from_domain.empty() ? target.flow.local.ip.host_text() : endpoint_->from_domain;
    invite.from = from_header(host);
    invite.to = fmt::format("<{}>", target.uri);
    invite.sdp = local_sdp_;
    const auto add = [&](sip::HeaderLines lines) {
        for (auto& line : lines) invite.extra.push_back(std::move(line));
    };
    for (const auto& route : target.route) invite.extra.push_back({"Route", route});
    add(identity(connected, host, "calling"));
    add(diversion(host));
    add(std::move(target.extra));
    add(std::exchange(extra_headers, {}));
    invite.call_id = core().random.token(24);
    other_servers_ = std::move(target.others);
    // The trace must know the Call-ID before the INVITE leaves.
    core().trace.leg_began(
        linkedid(), {invite.call_id, name(), endpoint_->name, target.flow.remote.text(), false, {}},
        core().now(), io::wall_now());
    const auto sent = session_->invite(invitation_, target.flow, core().now());
    if (!sent) {
        co_await remove_media();
        co_return std::unexpected(sent.error());
    }
    core().channels.add(self);
    core().channels.bind_dialog(session_->local_tag(), self);
    publish(events::ChannelChanged::What::created);
    drain();
    co_return Result<>{};
}

// RFC 3263 section 4.3: the same request goes to the next server behind the name when this one
// cannot be reached or says that it cannot serve. Not once anybody has been heard.
bool SipChannel::try_next_server(const sip::session::Failed& failed) {
    const bool server_failed = failed.status == 503 || (failed.status == 408 && !failed.response);
    if (!server_failed || hung_up() || state() != ChannelState::down || had_early_media_)
        return false;
    while (!other_servers_.empty()) {
        const auto flow = other_servers_.front();
        other_servers_.erase(other_servers_.begin());
        LOG_NOTICE(about(), "{} failed ({} {}); trying {}", session_->flow().remote.text(),
                   failed.status, failed.reason, flow.remote.text());
        core().channels.unbind_dialog(session_->local_tag());
        session_ = std::make_unique<sip::InviteSession>(session_config(flow),
                                                        core().signalling.layer(), core().random);
        if (!session_->invite(invitation_, flow, core().now())) continue;
        core().channels.bind_dialog(session_->local_tag(),
                                    std::static_pointer_cast<SipChannel>(shared_from_this()));
        return true;
    }
    return false;
}

void SipChannel::ring() {
    transfer_came_to(180);
    if (hung_up() || !is_caller_ || state() == ChannelState::up || rang_ || sent_progress_) return;
    rang_ = true;
    if (endpoint_->inband_progress) {
        // It wants to hear the ringing instead of being told of it.
        core().tasks.spawn([](std::shared_ptr<SipChannel> self) -> Task<> {
            const auto opened = co_await self->progress();
            std::string tone = "ring";
            if (opened && !self->is_up()) (void)co_await self->play_tone(std::move(tone));
        }(std::static_pointer_cast<SipChannel>(shared_from_this())));
        return;
    }
    (void)session_->ring(180, {}, core().now(), response_headers());
    drain();
}

Task<Result<>> SipChannel::progress() {
    transfer_came_to(183);
    if (hung_up() || !is_caller_ || state() == ChannelState::up || sent_progress_)
        co_return Result<>{};
    if (!co_await accept_media()) co_return fail("no media");
    if (hung_up()) co_return fail("hung up");
    sent_progress_ = true;
    auto sent = session_->ring(183, local_sdp_, core().now(), response_headers());
    drain();
    co_return sent;
}

Task<Result<>> SipChannel::answer() {
    transfer_came_to(200);
    if (hung_up()) co_return fail("hung up");
    if (!is_caller_ || state() == ChannelState::up) co_return Result<>{};
    if (!co_await accept_media()) co_return fail("no media");
    if (hung_up()) co_return fail("hung up");
    auto lines = response_headers();
    for (auto& line : identity(connected, session_->flow().local.ip.host_text(), "called"))
        lines.push_back(std::move(line));
    auto sent = session_->accept(local_sdp_, core().now(), lines);
    extra_headers.clear();
    if (sent) set_state(ChannelState::up);
    drain();
    co_return sent;
}

sip::HeaderLines SipChannel::reason(Cause cause) const {
    sip::HeaderLines lines;
    if (cause == Cause::none) return lines;
    // Phones count a call as missed unless they are told this (RFC 3326 section 3.1).
    if (cause == Cause::answered_elsewhere)
        lines.push_back({"Reason", "SIP;cause=200;text=\"Call completed elsewhere\""});
    if (!endpoint_->suppress_q850_reason_headers)
        lines.push_back({"Reason", fmt::format("Q.850;cause={};text=\"{}\"",
                                               static_cast<int>(cause), text_of(cause))});
    return lines;
}

void SipChannel::hangup(Cause cause) {
    if (hung_up()) {
        // Asked again while a transferor is still given time: no longer.
        if (std::exchange(bye_timer_, {}).pending()) say_bye(cause);
        return;
    }
    const auto self = shared_from_this();
    if (!session_) {
        finish(cause);
        return;
    }
    const auto now = core().now();
    if (is_caller_ && state() != ChannelState::up)
        (void)session_->reject(refusal_status.value_or(sip_status(cause)), now, reason(cause));
    else if (!is_caller_ && state() != ChannelState::up)
        session_->cancel(reason(cause), now);
    else if (transferred_)
        await_bye(cause);
    else
        session_->bye(now, reason(cause));
    finish(cause);
    drain();
}

// The leg is over for everybody but its own session, which may still have a BYE under way.
void SipChannel::finish(Cause cause) {
    if (hung_up()) return;
    ended(cause);
    offer_settled(false);
    core().tasks.spawn([](std::shared_ptr<SipChannel> self) -> Task<> {
        co_await self->remove_media();
        self->maybe_remove();
    }(std::static_pointer_cast<SipChannel>(shared_from_this())));
}

Task<> SipChannel::remove_media() {
    const auto self = shared_from_this();
    if (media_removed_) co_return;
    media_removed_ = true;
    if (has_media_) {
        media::DeleteRequest request{{linkedid(), uniqueid()}};
        auto stats = co_await core().engine.remove(std::move(request));
        if (stats) last_stats_ = std::move(*stats);
    }
    if (!session_) co_return;
    core().trace.leg_ended(linkedid(), session_->call_id(), last_stats_, hangup_cause(),
                           core().now());
    if (!last_stats_ || !core().events.has_readers()) co_return;
    const auto& in = last_stats_->received;
    core().events.publish(
        events::MediaQuality{name(), uniqueid(), session_->call_id(), last_stats_->codec,
                             in.packets, last_stats_->sent.packets, in.lost, in.jitter_ms,
                             in.loss_percent, in.mos, last_stats_->round_trip_ms});
}

void SipChannel::dialplan_ended() {
    has_dialplan = false;
    maybe_remove();
}

void SipChannel::maybe_remove() {
    if (removed_ || !hung_up() || has_dialplan || !media_removed_ || referral_) return;
    if (session_ && !session_->done()) return;
    removed_ = true;
    const auto self = shared_from_this();  // the registry's share may be the last
    core().channels.remove(*this);
    if (session_) core().channels.unbind_dialog(session_->local_tag());
    core().let_go_later(self);
}

void SipChannel::handle(const sip::TransactionEvent& event) {
    if (!session_) return;
    session_->handle(event, core().now());
    drain();
}

void SipChannel::drain() {
    if (draining_) return;
    draining_ = true;
    core().tasks.spawn([](std::shared_ptr<SipChannel> self) -> Task<> {
        co_await self->process();
        self->draining_ = false;
        self->arm();
        self->core().signalling.touch();
        self->maybe_remove();
    }(std::static_pointer_cast<SipChannel>(shared_from_this())));
}

Task<> SipChannel::process() {
    sip::SessionEvent event;
    while (session_ && session_->poll(event)) co_await on(std::move(event));
}

void SipChannel::arm() {
    const auto deadline = session_ ? session_->deadline() : Time::max();
    if (deadline == Time::max()) {
        timer_.cancel();
        return;
    }
    const std::weak_ptr<Channel> weak = weak_from_this();
    timer_ = core().loop.at(deadline, [weak] {
        const auto self = std::static_pointer_cast<SipChannel>(weak.lock());
        if (!self) return;
        self->session_->tick(self->core().now());
        self->drain();
    });
}

Task<> SipChannel::early_media(std::string_view sdp) {
    media::CreateAnswerRequest request{{linkedid(), uniqueid()}, std::string(sdp)};
    auto taken = co_await core().engine.create_answer(std::move(request));
    if (!taken) LOG_NOTICE(about(), "answer not usable: {}", taken.error().text());
    had_early_media_ = taken.has_value();
    if (!taken) co_return;
    offered_codecs_ = audio_codecs(sdp);
    has_events_ = agrees_to_events(sdp);
    streams_agreed(sdp);
}

Task<> SipChannel::reoffer(std::string sdp) {
    const bool hold = is_hold(sdp);
    auto peer = co_await ask_peer(sdp);
    if (hung_up()) co_return;
    media::PublishRequest request{{linkedid(), uniqueid()}, std::move(sdp), profile()};
    request.peer = std::move(peer);
    auto answer = co_await core().engine.publish(std::move(request));
    if (!answer) {
        LOG_NOTICE(about(), "new offer refused: {}", answer.error().text());
        session_->reject_offer(answer.error().code() >= 400 ? answer.error().code() : 500,
                               core().now());
        co_return;
    }
    local_sdp_ = std::move(*answer);
    has_events_ = agrees_to_events(local_sdp_);
    streams_agreed(local_sdp_);
    (void)session_->accept_offer(local_sdp_, core().now());
    if (hold != on_hold_) {
        on_hold_ = hold;
        publish(events::ChannelChanged::What::state);  // of the device
        raise(channel::Held{hold});
    }
}

Task<> SipChannel::on(sip::SessionEvent event) {
    using namespace sip::session;
    const auto self = shared_from_this();
    const auto now = core().now();
    if (const auto* progress = std::get_if<Progress>(&event)) {
        last_response_ = progress->response;
        if (hung_up()) co_return;
        if (progress->response) (void)learn_party(progress->response->message());
        // follow_early_media_fork=no: whoever was heard first stays heard until the answer.
        const bool other_fork = !early_tag_.empty() && early_tag_ != progress->to_tag;
        const bool heard = endpoint_->follow_early_media_fork || !other_fork;
        if (!progress->sdp.empty() && !progress->is_offer && heard) {
            early_tag_ = progress->to_tag;
            co_await early_media(progress->sdp);
            if (progress->status == 180 && state() != ChannelState::up)
                set_state(ChannelState::ringing);
            if (had_early_media_) raise(channel::Progress{});
        }
        if (progress->status == 180 && (progress->sdp.empty() || !had_early_media_)) {
            if (state() != ChannelState::up) set_state(ChannelState::ringing);
            raise(channel::Ringing{});
        }
    } else if (const auto* answered = std::get_if<Answered>(&event)) {
        if (answered->response) last_response_ = answered->response;
        if (hung_up()) co_return;
        if (answered->response) (void)learn_party(answered->response->message());
        if (!answered->sdp.empty()) co_await early_media(answered->sdp);
        if (!had_early_media_) {
            LOG_NOTICE(about(), "answered without usable media; hanging up");
            set_state(ChannelState::up);
            hangup(Cause::bearer_capability_not_available);
            co_return;
        }
        set_state(ChannelState::up);
        raise(channel::Answered{});
    } else if (const auto* failed = std::get_if<Failed>(&event)) {
        if (failed->response) last_response_ = failed->response;
        if (try_next_server(*failed)) co_return;
        finish(cause_of(failed->response, cause_of_status(failed->status)));
    } else if (const auto* redirected = std::get_if<Redirected>(&event)) {
        const auto contact = redirected->response
                                 ? redirected->response->message().header(HeaderId::contact)
                                 : std::nullopt;
        const auto address = contact ? sip::NameAddress::parse(*contact) : fail("no Contact");
        if (address) {
            const auto uri = sip::Uri::parse(address->uri);
            const bool user_only = endpoint_->redirect_method == config::Redirect::user;
            learn_redirecting(redirected->response->message());
            raise(channel::Redirected{
                uri && user_only ? sip::unescape(uri->user) : std::string(address->uri),
                redirecting.reason});
        }
        finish(Cause::redirected);
    } else if (const auto* challenge = std::get_if<AuthenticationRequired>(&event)) {
        authenticate(*challenge);
    } else if (const auto* cancelled = std::get_if<Cancelled>(&event)) {
        finish(cause_of(cancelled->cause, Cause::normal_clearing));
    } else if (const auto* offered = std::get_if<Reoffer>(&event)) {
        const auto request = offered->request;
        co_await reoffer(std::string(offered->sdp));
        party_changed(request->message());
    } else if (const auto* updated = std::get_if<Updated>(&event)) {
        party_changed(updated->request->message());
    } else if (std::holds_alternative<OfferRequested>(event)) {
        media::CreateRequest request{{linkedid(), uniqueid()}, profile()};
        auto offer = co_await core().engine.create(std::move(request));
        if (offer)
            (void)session_->accept_offer(local_sdp_ = std::move(*offer), now);
        else
            session_->reject_offer(500, now);
    } else if (const auto* agreed = std::get_if<OfferAnswered>(&event)) {
        if (!agreed->sdp.empty()) co_await early_media(agreed->sdp);
        offer_settled(!agreed->sdp.empty());
    } else if (std::holds_alternative<OfferRejected>(event)) {
        offer_settled(false);
    } else if (const auto* replied = std::get_if<RequestAnswered>(&event)) {
        if (const auto found = awaited_.find(replied->transaction); found != awaited_.end()) {
            const auto waiting = found->second;
            awaited_.erase(found);
            waiting.resolve(replied->status);
        }
    } else if (const auto* arrived = std::get_if<RequestArrived>(&event)) {
        request_arrived(*arrived);
    } else if (const auto* over = std::get_if<Ended>(&event)) {
        Cause why = Cause::normal_clearing;
        if (over->cause == EndCause::session_expired || over->cause == EndCause::no_ack ||
            over->cause == EndCause::no_prack)
            why = Cause::recovery_on_timer_expire;
        finish(cause_of(over->message, why));
    } else if (const auto* moved = std::get_if<NextHopChanged>(&event)) {
        LOG_VERBOSE(about(), "next hop is now {}", moved->uri);
    }
}

void SipChannel::authenticate(const sip::session::AuthenticationRequired& event) {
    const auto now = core().now();
    static constexpr int attempts =
        2;  // the second answers a stale nonce; more would only be wrong again
    std::string why = "refused twice";
    if (event.attempt <= attempts && event.response) {
        auto answer =
            answer_challenges(*core().config, endpoint_->outbound_auth, event.response->message(),
                              name_of(event.method), event.uri, core().random, event.body);
        if (answer && (event.attempt == 1 || answer->stale)) {
            (void)session_->authenticate(event.request, answer->header, std::move(answer->value),
                                         now);
            return;
        }
        if (!answer) why = answer.error().text();
    }
    LOG_NOTICE(about(), "{} was challenged: {}", name_of(event.method), why);
    session_->give_up(event.request, now);
}

void SipChannel::request_arrived(const sip::session::RequestArrived& event) {
    const auto now = core().now();
    switch (event.method) {
        case Method::info: info(event); return;
        case Method::refer: refer(event); return;
        case Method::subscribe: subscribe(event); return;
        case Method::options:
        case Method::notify: session_->answer(event, 200, now); return;
        case Method::message: {
            const auto peer =
                bridge ? std::dynamic_pointer_cast<SipChannel>(bridge->peer_of(*this)) : nullptr;
            if (!peer || !peer->is_up()) {
                session_->answer(event, 488, now);
                return;
            }
            const auto& message = event.request->message();
            (void)peer->session_->request(
                Method::message, now, {}, message.body(),
                message.header(HeaderId::content_type).value_or("text/plain"));
            peer->drain();
            session_->answer(event, 202, now);
            return;
        }
        default:
            session_->answer(event, 405, now, {{"Allow", sip::InviteSession::Config{}.allow}});
            return;
    }
}

// The account's copy keeps the original alive: options as written borrow its text.
void SipChannel::change_endpoint(const std::function<void(config::Endpoint&)>& change) {
    struct Changed {
        config::Endpoint endpoint;
        EndpointPtr original;
    };
    auto changed = std::make_shared<Changed>(*endpoint_, endpoint_);
    change(changed->endpoint);
    endpoint_ = EndpointPtr(changed, &changed->endpoint);
}

Task<Result<>> SipChannel::refresh(bool update, media::Direction direction) {
    const auto self = shared_from_this();
    if (!is_up()) co_return fail("only an answered call can be offered anew");
    media::CreateRequest request{{linkedid(), uniqueid()}, profile(), direction};
    auto offer = co_await core().engine.create(std::move(request));
    if (!offer) co_return std::unexpected(offer.error());
    if (hung_up()) co_return fail("hung up");
    local_sdp_ = std::move(*offer);
    const auto now = core().now();
    auto sent = update && session_->peer_allows(Method::update)
                    ? session_->update(local_sdp_, now)
                    : session_->reinvite(local_sdp_, now);
    drain();
    co_return sent;
}

Result<> SipChannel::send_text(std::string_view text) {
    if (!is_up() || !session_) return fail("not in a call");
    auto sent =
        session_->request(Method::message, core().now(), {}, text, "text/plain;charset=UTF-8");
    drain();
    core().signalling.touch();
    if (!sent) return std::unexpected(sent.error());
    return {};
}

std::optional<std::string> SipChannel::signalling_field(std::string_view field) const {
    if (field == "endpoint") return endpoint_->name;
    if (field == "aor") return endpoint_->aors.empty() ? std::string() : endpoint_->aors.front();
    if (!session_) return std::nullopt;  // not dialled yet
    if (field == "callid" || field == "call-id") return call_id();
    if (field == "peerip") return session_->flow().remote.ip.text();
    if (field == "recvip") return session_->flow().local.ip.text();
    if (field == "remote_addr") return session_->flow().remote.text();
    if (field == "local_addr") return session_->flow().local.text();
    if (field == "target_uri") return target_uri_;
    if (field == "local_tag") return session_->local_tag();
    if (field == "secure") return sip::is_secure(session_->flow().transport) ? "1" : "0";
    if (!invite_) return std::nullopt;
    if (field == "request_uri") return std::string(invite_->message().request_uri());
    if (field == "remote_uri") return std::string(invite_->message().from());
    if (field == "local_uri") return std::string(invite_->message().to());
    return std::nullopt;
}

}  // namespace strowger::pbx
