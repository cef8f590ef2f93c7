#include "pbx/bridge.hpp"

#include <algorithm>

#include "pbx/attended_transfer.hpp"
#include "pbx/call_features.hpp"
#include "pbx/dialplan/dialplan.hpp"
#include "pbx/dynamic_features.hpp"
#include "pbx/sip_channel.hpp"

namespace strowger::pbx {

Bridge::Bridge(Core& core, Starter starter)
    : core_(core), starter_(std::move(starter)), id_(core.random.token(12)) {}

Bridge::~Bridge() = default;

Task<Result<std::shared_ptr<Bridge>>> Bridge::join(Core& core, Starter starter, ChannelPtr a,
                                                   ChannelPtr b) {
    auto bridge = std::make_shared<Bridge>(core, std::move(starter));
    bridge->add(a);
    bridge->add(b);
    auto joined = co_await bridge->connect_media();
    if (!joined) {
        bridge->remove(*a);
        bridge->remove(*b);
        co_return std::unexpected(joined.error());
    }
    // One may have gone while the media was being joined, before we listened to it.
    for (const auto& channel : {a, b})
        if (channel->hung_up())
            bridge->channel_event(*channel, channel::HungUp{channel->hangup_cause()});
    co_return bridge;
}

void Bridge::add(ChannelPtr channel) {
    if (members_.empty()) told(events::BridgeChanged::What::created, nullptr);
    channel->listen(this);
    channel->bridge = shared_from_this();
    auto member = std::make_unique<Member>();
    member->channel = channel;
    members_.push_back(std::move(member));
    told(events::BridgeChanged::What::entered, channel.get());
    channel->transfer_came_to(200);
}

Bridge::Member* Bridge::find(const Channel& channel) {
    const auto found = std::find_if(members_.begin(), members_.end(), [&](const auto& member) {
        return member->channel.get() == &channel;
    });
    return found == members_.end() ? nullptr : found->get();
}

bool Bridge::has(const Channel& channel) const {
    return std::any_of(members_.begin(), members_.end(),
                       [&](const auto& member) { return member->channel.get() == &channel; });
}

ChannelPtr Bridge::peer_of(const Channel& channel) const {
    for (const auto& member : members_)
        if (member->channel.get() != &channel) return member->channel;
    return nullptr;
}

void Bridge::allow(const Channel& channel, DigitFeatures features) {
    if (auto* member = find(channel)) member->features = features;
}

void Bridge::limit(TalkLimit limit) {
    talk_limit_ = std::move(limit);
    const std::weak_ptr<Bridge> weak = weak_from_this();
    limit_ = core_.loop.after(talk_limit_.length, [weak] {
        const auto self = weak.lock();
        if (!self || self->members_.empty()) return;
        const auto first = self->members_.front()->channel;
        self->release(*first, {Released::Why::duration_over, Cause::normal_clearing, {}});
    });
    if (talk_limit_.warning <= Duration{} || talk_limit_.warning >= talk_limit_.length) return;
    warning_ = core_.loop.after(talk_limit_.length - talk_limit_.warning, [weak] {
        if (const auto self = weak.lock()) self->warn();
    });
}

// The caller is the member that came first, as long as it is there.
void Bridge::warn() {
    for (std::size_t i = 0; i < members_.size(); ++i) {
        if (!(i == 0 ? talk_limit_.warns_caller : talk_limit_.warns_callee)) continue;
        core_.tasks.spawn([](ChannelPtr warned, std::string sound) -> Task<> {
            std::vector<std::string> files{std::move(sound)};
            (void)co_await warned->play(std::move(files));
        }(members_[i]->channel, talk_limit_.sound));
    }
    if (talk_limit_.repeat <= Duration{}) return;
    warning_ = core_.loop.after(talk_limit_.repeat, [weak = weak_from_this()] {
        if (const auto self = weak.lock()) self->warn();
    });
}

Task<Result<>> Bridge::connect_media() {
    if (members_.size() > 2) co_return co_await mix_media();
    if (members_.size() != 2) co_return Result<>{};
    const auto a = members_[0]->channel->party();
    const auto b = members_[1]->channel->party();
    for (const auto& member : members_)
        if (!member->channel->party() && member->channel->media_follows()) co_return Result<>{};
    if (!a || !b) co_return fail("one side has no media");
    co_await members_[0]->channel->stop_playing();
    if (members_.size() == 2) co_await members_[1]->channel->stop_playing();
    media::ConnectRequest request{*a, *b};
    co_return co_await core_.engine.connect(std::move(request));
}

Task<Result<>> Bridge::mix_media() {
    std::vector<ChannelPtr> channels;
    for (const auto& member : members_) channels.push_back(member->channel);
    for (const auto& channel : channels) {
        const auto party = channel->party();
        if (!party && channel->media_follows()) continue;
        if (!party) co_return fail("one side has no media");
        co_await channel->stop_playing();
        media::MixRequest request{*party, "bridge:" + id_};
        if (auto mixed = co_await core_.engine.mix(std::move(request)); !mixed) co_return mixed;
    }
    co_return Result<>{};
}

Task<Released> Bridge::talk(ChannelPtr channel) {
    const auto self = shared_from_this();
    auto* member = find(*channel);
    if (!member) {
        Released gone;
        gone.why = channel->hung_up() ? Released::Why::self_gone : Released::Why::peer_gone;
        gone.cause = channel->hung_up() ? channel->hangup_cause() : Cause::normal_clearing;
        co_return gone;
    }
    io::Completion<Released> done;
    member->waiting = done;
    co_return co_await done;
}

void Bridge::remove(const Channel& channel) {
    const auto found = std::find_if(members_.begin(), members_.end(), [&](const auto& member) {
        return member->channel.get() == &channel;
    });
    if (found == members_.end()) return;
    const auto member = std::move(*found);
    members_.erase(found);
    member->channel->listen(nullptr);
    told(events::BridgeChanged::What::left, member->channel.get());
    if (members_.empty()) told(events::BridgeChanged::What::destroyed, nullptr);
    member->channel->bridge.reset();  // last: it may be what keeps us alive
}

void Bridge::release(const Channel& leaving, Released how) {
    const auto self = shared_from_this();
    const auto* const who = find(leaving);
    if (!who) return;
    // Whoever consults leaves the other one waiting, whatever becomes of it.
    const bool stays = how.why == Released::Why::transferred || who->features.consultation;
    const auto seat = *step_out(leaving);
    const bool by_limit = how.why == Released::Why::duration_over;
    const Cause cause = how.cause;
    let_go(seat, std::move(how), starter_);
    if (members_.size() == 1 && !stays && !keeps_last_) {
        const auto last = members_.front()->channel;
        release(*last,
                {by_limit ? Released::Why::duration_over : Released::Why::peer_gone, cause, {}});
    }
}

bool Bridge::transfer_peer(const Channel& by, const dialplan::Position& target) {
    const auto self = shared_from_this();
    const auto peer = peer_of(by);
    const auto* me = find(by);
    if (!peer || !me) return false;
    const auto transferor = me->channel;
    (void)peer->variables().set("BLINDTRANSFER", transferor->name());
    release(*peer, {Released::Why::transferred, Cause::normal_clearing, target});
    // Whoever transferred is alone now, and hangs up by itself (REFER) or is let go of (digits).
    if (find(*transferor))
        release(*transferor, {Released::Why::peer_gone, Cause::normal_clearing, {}});
    return true;
}

void let_go(const Seat& seat, Released how,
            const std::function<void(ChannelPtr, dialplan::Position)>& starter) {
    const auto& channel = seat.channel;
    const auto cause = how.cause;
    const auto target = how.why == Released::Why::transferred ? how.target : std::nullopt;
    if (seat.waiting) {
        seat.waiting->resolve(std::move(how));
    } else if (!channel->hung_up()) {
        if (target)
            starter(channel, *target);
        else
            channel->hangup(cause);
    }
}

std::optional<Seat> Bridge::step_out(const Channel& leaving) {
    const auto self = shared_from_this();
    const auto* const member = find(leaving);
    if (!member) return std::nullopt;
    const Seat seat{member->channel, member->waiting, member->features};
    remove(*seat.channel);
    const auto where = seat.channel->hung_up() ? std::nullopt : seat.channel->party();
    if (where)
        core_.tasks.spawn([](media::Engine& engine, media::Party party) -> Task<> {
            media::DisconnectRequest request{std::move(party)};
            (void)co_await engine.disconnect(std::move(request));
        }(core_.engine, *where));
    // Of three, two are left: they need no mix.
    if (members_.size() == 2)
        core_.tasks.spawn([](std::shared_ptr<Bridge> bridge) -> Task<> {
            if (const auto joined = co_await bridge->connect_media(); !joined)
                LOG_WARNING((log::About{"pbx"}), "cannot be joined: {}", joined.error().text());
        }(self));
    return seat;
}

Task<bool> Bridge::step_in(Seat seat) {
    const auto self = shared_from_this();
    const auto coming = seat.channel;
    add(coming);
    auto* const member = find(*coming);
    member->waiting = seat.waiting;
    member->features = seat.features;
    const auto joined = co_await connect_media();
    if (!joined) LOG_WARNING(coming->about(), "cannot be joined: {}", joined.error().text());
    // It may have gone while nobody listened.
    if (coming->hung_up()) channel_event(*coming, channel::HungUp{coming->hangup_cause()});
    co_return joined.has_value();
}

void Bridge::close() {
    const auto self = shared_from_this();
    if (members_.size() != 1) return;
    const auto last = members_.front()->channel;
    release(*last, {Released::Why::peer_gone, Cause::normal_clearing, {}});
}

Task<bool> Bridge::replace(ChannelPtr leaving, ChannelPtr coming) {
    const auto self = shared_from_this();
    auto out = step_out(*leaving);
    if (!out) co_return false;
    const Seat seat = std::move(*out);
    const bool joined = co_await admit(std::move(coming));
    let_go(seat, {Released::Why::peer_gone, Cause::normal_clearing, {}}, starter_);
    co_return joined;
}

Task<bool> Bridge::admit(ChannelPtr coming) {
    const auto self = shared_from_this();
    Seat seat{coming, {}, {}};
    const auto old_bridge = coming->bridge;
    if (old_bridge && old_bridge.get() != this) {
        // It goes on waiting, but here: whoever it talked to is released without it.
        if (auto out = old_bridge->step_out(*coming)) seat.waiting = out->waiting;
        old_bridge->close();
    }
    const auto peer = members_.size() == 1 ? members_.front()->channel : nullptr;
    if (!peer || coming->hung_up()) {
        let_go(seat, {Released::Why::peer_gone, Cause::normal_clearing, {}}, starter_);
        close();
        co_return false;
    }
    const bool joined = co_await step_in(std::move(seat));
    peer->connected = coming->caller;
    coming->connected = peer->caller;
    peer->connected_line_changed();
    coming->connected_line_changed();
    co_return joined;
}

void Bridge::channel_event(Channel& channel, const ChannelEvent& event) {
    const auto self = shared_from_this();
    auto* const member = find(channel);
    if (!member) return;
    if (const auto* gone = std::get_if<channel::HungUp>(&event)) {
        release(channel, {Released::Why::self_gone, gone->cause, {}});
        if (watcher_) watcher_->channel_event(channel, event);
    } else if (const auto* held = std::get_if<channel::Held>(&event)) {
        member->on_hold = held->on;
        const auto peer = peer_of(channel);
        if (!peer || members_.size() > 2) return;  // several go on talking to each other
        const auto ep = channel.endpoint();
        // Passed on, where the other phone makes its own music or lamp of it.
        const auto sip = std::dynamic_pointer_cast<SipChannel>(peer);
        if (sip && sip->endpoint()->moh_passthrough) {
            core_.tasks.spawn([](std::shared_ptr<SipChannel> other, bool on) -> Task<> {
                const auto told = co_await other->refresh(
                    false, on ? media::Direction::sendonly : media::Direction::sendrecv);
                if (!told)
                    LOG_NOTICE(other->about(), "hold not passed on: {}", told.error().text());
            }(sip, held->on));
            return;
        }
        core_.tasks.spawn([](ChannelPtr other, bool on, std::string music) -> Task<> {
            if (on)
                (void)co_await other->start_music(std::move(music));
            else
                co_await other->stop_playing();
        }(peer, held->on, ep ? ep->moh_suggest : std::string()));
    } else if (const auto* transfer = std::get_if<channel::TransferAsked>(&event)) {
        (void)transfer_peer(channel, transfer->target);
    } else if (const auto* pressed = std::get_if<channel::Digit>(&event)) {
        if (const auto peer = peer_of(channel); peer && peer->wants_digits_signalled())
            peer->send_digit(pressed->digit, pressed->duration);
        // Whoever runs at the far end of a Local pair may have ended the call by that digit.
        if (auto* const still = find(channel)) digit(*still, pressed->digit);
    } else if (std::holds_alternative<channel::Interrupted>(event)) {
        release(channel, {Released::Why::self_gone, Cause::normal_clearing, {}});
    }
}

void Bridge::digit(Member& member, char pressed) {
    if (member.collecting_target) {
        target_digit(member, pressed);
        return;
    }
    if (dynamic(member, pressed)) return;
    const auto codes = member.channel->features();
    if (const auto feature = member.digits.press(pressed, *codes, member.features)) {
        member.digit_timer.cancel();
        act(member, *feature);
        return;
    }
    member.digit_timer = core_.loop.after(
        std::chrono::milliseconds{codes->featuredigittimeout},
        [weak = weak_from_this(), channel = member.channel] {
            const auto self = weak.lock();
            auto* late = self ? self->find(*channel) : nullptr;
            if (!late || late->collecting_target) return;
            if (self->dynamic(*late, std::nullopt)) return;
            if (const auto feature = late->digits.pause(*channel->features(), late->features))
                self->act(*late, *feature);
        });
}

bool Bridge::dynamic(Member& member, std::optional<char> pressed) {
    const auto config = core_.config;
    if (config->features.applicationmap.empty() || (!pressed && member.dynamic.empty()))
        return false;
    // Whoever was there first; the order of members changes when one steps out for a while.
    const bool is_caller = std::none_of(members_.begin(), members_.end(), [&](const auto& other) {
        return other->channel->serial() < member.channel->serial();
    });
    const auto offered = dynamic_features(*member.channel, config->features, is_caller);
    std::vector<std::string_view> codes;
    for (const auto& feature : offered) codes.push_back(feature.digits);
    const auto chosen =
        pressed ? member.dynamic.press(*pressed, codes) : member.dynamic.pause(codes);
    if (!chosen) return false;
    member.digit_timer.cancel();
    core_.tasks.spawn(run_dynamic_feature(core_, starter_, shared_from_this(), member.channel,
                                          offered[*chosen].application));
    return true;
}

void Bridge::act(Member& member, Feature feature) {
    const auto self = shared_from_this();
    const auto channel = member.channel;
    switch (feature) {
        case Feature::none: return;
        case Feature::disconnect:
            release(*channel, {Released::Why::feature_hangup, Cause::normal_clearing, {}});
            return;
        case Feature::blind_transfer: begin_blind_transfer(member); return;
        case Feature::attended_transfer:
            core_.tasks.spawn(attended_transfer(core_, starter_, self, channel));
            return;
        case Feature::park: core_.tasks.spawn(park_peer(core_, starter_, self, channel)); return;
        case Feature::record:
            core_.tasks.spawn(toggle_recording(channel, peer_of(*channel)));
            return;
        case Feature::abort:
        case Feature::complete:
        case Feature::swap:
        case Feature::three_way:
            release(*channel, {Released::Why::consultation, Cause::normal_clearing, {}, feature});
            return;
    }
}

void Bridge::begin_blind_transfer(Member& member) {
    const auto channel = member.channel;
    member.target.clear();
    member.collecting_target = true;
    if (const auto peer = peer_of(*channel))
        core_.tasks.spawn([](ChannelPtr waiting) -> Task<> {
            (void)co_await waiting->start_music(std::string());
        }(peer));
    core_.tasks.spawn(say(channel, "pbx-transfer"));
    member.digit_timer =
        core_.loop.after(std::chrono::seconds{channel->features()->transferdigittimeout + 5},
                         [weak = weak_from_this(), channel] {
                             if (const auto self = weak.lock()) self->finish_target(*channel);
                         });
}

void Bridge::target_digit(Member& member, char pressed) {
    const auto channel = member.channel;
    if (pressed == '#') {
        finish_target(*channel);
        return;
    }
    member.target += pressed;
    const auto context = transfer_context(*channel);
    const auto plan = channel->dialplan();
    const auto query = channel->query();
    if (member.target.size() >= dialplan::max_exten ||
        (plan->exists(context, member.target, query) &&
         !plan->could_match_longer(context, member.target, query))) {
        finish_target(*channel);
        return;
    }
    member.digit_timer =
        core_.loop.after(std::chrono::seconds{channel->features()->transferdigittimeout},
                         [weak = weak_from_this(), channel] {
                             if (const auto self = weak.lock()) self->finish_target(*channel);
                         });
}

void Bridge::finish_target(Channel& by) {
    auto* const member = find(by);
    if (!member || !member->collecting_target) return;
    member->collecting_target = false;
    const std::string digits = std::exchange(member->target, {});
    const auto context = transfer_context(by);
    if (!digits.empty() && by.dialplan()->exists(context, digits, by.query())) {
        (void)transfer_peer(by, {context, digits, 1});
        return;
    }
    LOG_NOTICE(by.about(), "transfer to '{}@{}': no such extension", digits, context);
    core_.tasks.spawn([](std::shared_ptr<Bridge> self, ChannelPtr channel) -> Task<> {
        if (const auto peer = self->peer_of(*channel)) co_await peer->stop_playing();
        co_await say(channel, "pbx-invalid");
    }(shared_from_this(), member->channel));
}

void Bridge::told(events::BridgeChanged::What what, const Channel* channel) const {
    if (!core_.events.has_readers()) return;
    core_.events.publish(events::BridgeChanged{what, id_, channel ? channel->name() : "",
                                               channel ? channel->uniqueid() : ""});
}

}  // namespace strowger::pbx
