#include "pbx/bridge.hpp"

#include <algorithm>

namespace strowger::pbx {

Bridge::Bridge(Core& core, Starter starter) : core_(core), starter_(std::move(starter)), id_(core.random.token(12)) {}

Bridge::~Bridge() = default;

Task<Result<std::shared_ptr<Bridge>>> Bridge::join(Core& core, Starter starter, ChannelPtr a, ChannelPtr b) {
    auto bridge = std::make_shared<Bridge>(core, std::move(starter));
    bridge->told(events::BridgeChanged::What::created, nullptr);
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
        if (channel->hung_up()) bridge->channel_event(*channel, channel::HungUp{channel->hangup_cause()});
    co_return bridge;
}

void Bridge::add(ChannelPtr channel) {
    channel->listen(this);
    channel->bridge = shared_from_this();
    auto member = std::make_unique<Member>();
    member->channel = channel;
    members_.push_back(std::move(member));
    told(events::BridgeChanged::What::entered, channel.get());
}

Bridge::Member* Bridge::find(const Channel& channel) {
    const auto found = std::find_if(members_.begin(), members_.end(),
                                    [&](const auto& member) { return member->channel.get() == &channel; });
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

void Bridge::limit(Duration duration) {
    limit_ = core_.loop.after(duration, [weak = weak_from_this()] {
        const auto self = weak.lock();
        if (!self || self->members_.empty()) return;
        const auto first = self->members_.front()->channel;
        self->release(*first, {Released::Why::duration_over, Cause::normal_clearing, {}});
    });
}

Task<Result<>> Bridge::connect_media() {
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
    const auto found = std::find_if(members_.begin(), members_.end(),
                                    [&](const auto& member) { return member->channel.get() == &channel; });
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
    const ChannelPtr channel = who->channel;
    const auto waiting = who->waiting;
    remove(*channel);
    if (!channel->hung_up()) {
        const auto where = channel->party();
        if (where)
            core_.tasks.spawn([](media::Engine& engine, media::Party party) -> Task<> {
                media::DisconnectRequest request{std::move(party)};
                (void)co_await engine.disconnect(std::move(request));
            }(core_.engine, *where));
    }
    const bool by_limit = how.why == Released::Why::duration_over;
    const Cause cause = how.cause;
    const bool is_transfer = how.why == Released::Why::transferred;
    const auto target = how.target;
    if (waiting) {
        waiting->resolve(std::move(how));
    } else if (!channel->hung_up()) {
        if (is_transfer && target)
            starter_(channel, *target);
        else
            channel->hangup(cause);
    }
    if (members_.size() == 1 && !is_transfer) {
        const auto last = members_.front()->channel;
        release(*last, {by_limit ? Released::Why::duration_over : Released::Why::peer_gone, cause, {}});
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
    if (find(*transferor)) release(*transferor, {Released::Why::peer_gone, Cause::normal_clearing, {}});
    return true;
}

Task<bool> Bridge::replace(ChannelPtr leaving, ChannelPtr coming) {
    const auto self = shared_from_this();
    if (!find(*leaving)) co_return false;
    std::optional<io::Completion<Released>> waiting;
    const auto old_bridge = coming->bridge;
    if (old_bridge && old_bridge.get() != this) {
        // It goes on waiting, but here: whoever it talked to is released without it.
        if (auto* member = old_bridge->find(*coming)) waiting = member->waiting;
        const auto partner = old_bridge->peer_of(*coming);
        old_bridge->remove(*coming);
        if (partner) old_bridge->release(*partner, {Released::Why::peer_gone, Cause::normal_clearing, {}});
    }
    auto* member = find(*leaving);
    if (!member) co_return false;
    const auto leaving_waits = member->waiting;
    remove(*leaving);
    add(coming);
    if (auto* now = find(*coming)) now->waiting = waiting;
    const auto joined = co_await connect_media();
    if (!joined) LOG_WARNING(coming->about(), "attended transfer: {}", joined.error().text());
    if (leaving_waits)
        leaving_waits->resolve({Released::Why::peer_gone, Cause::normal_clearing, {}});
    else if (!leaving->hung_up())
        leaving->hangup(Cause::normal_clearing);
    const auto peer = peer_of(*coming);
    if (peer) {
        peer->connected = coming->caller;
        coming->connected = peer->caller;
        peer->connected_line_changed();
        coming->connected_line_changed();
    }
    if (coming->hung_up()) channel_event(*coming, channel::HungUp{coming->hangup_cause()});
    co_return joined.has_value();
}

void Bridge::channel_event(Channel& channel, const ChannelEvent& event) {
    const auto self = shared_from_this();
    auto* const member = find(channel);
    if (!member) return;
    if (const auto* gone = std::get_if<channel::HungUp>(&event)) {
        release(channel, {Released::Why::self_gone, gone->cause, {}});
    } else if (const auto* held = std::get_if<channel::Held>(&event)) {
        member->on_hold = held->on;
        const auto peer = peer_of(channel);
        if (!peer) return;
        const auto ep = channel.endpoint();
        core_.tasks.spawn([](ChannelPtr other, bool on, std::string music) -> Task<> {
            if (on)
                (void)co_await other->start_music(std::move(music));
            else
                co_await other->stop_playing();
        }(peer, held->on, ep ? ep->moh_suggest : std::string()));
    } else if (const auto* transfer = std::get_if<channel::TransferAsked>(&event)) {
        (void)transfer_peer(channel, transfer->target);
    } else if (const auto* pressed = std::get_if<channel::Digit>(&event)) {
        if (const auto peer = peer_of(channel); peer && peer->media_follows()) peer->send_digit(pressed->digit, pressed->duration);
        digit(*member, pressed->digit);
    } else if (std::holds_alternative<channel::Interrupted>(event)) {
        release(channel, {Released::Why::self_gone, Cause::normal_clearing, {}});
    }
}

// Feature codes (features.conf): digits are matched from the first one on; what fits none is forgotten.
void Bridge::digit(Member& member, char pressed) {
    const auto& features = core_.config->features;
    const auto channel = member.channel;
    if (member.collecting_target) {
        if (pressed == '#') {
            finish_target(*channel);
            return;
        }
        member.digits += pressed;
        const auto context = channel->variable("TRANSFER_CONTEXT").value_or(channel->position().context);
        const auto plan = channel->dialplan();
        const auto query = channel->query();
        if (plan->exists(context, member.digits, query) && !plan->could_match_longer(context, member.digits, query)) {
            finish_target(*channel);
            return;
        }
        member.digit_timer = core_.loop.after(std::chrono::seconds{features.transferdigittimeout},
                                              [weak = weak_from_this(), channel] {
                                                  if (const auto self = weak.lock()) self->finish_target(*channel);
                                              });
        return;
    }
    member.digits += pressed;
    const auto matches = [&](const std::string& code, bool granted) {
        return granted && !code.empty() && member.digits.ends_with(code);
    };
    if (matches(features.disconnect, member.features.disconnect)) {
        release(*channel, {Released::Why::feature_hangup, Cause::normal_clearing, {}});
        return;
    }
    if (matches(features.blindxfer, member.features.transfer)) {
        member.digits.clear();
        member.collecting_target = true;
        const auto peer = peer_of(*channel);
        if (peer)
            core_.tasks.spawn([](ChannelPtr waiting, ChannelPtr transferor) -> Task<> {
                (void)co_await waiting->start_music(std::string());
                const auto prompt = transferor->core().sounds.find("pbx-transfer", transferor->language);
                if (!prompt) co_return;
                std::vector<std::string> files{*prompt};
                (void)co_await transferor->play(std::move(files));
            }(peer, channel));
        member.digit_timer = core_.loop.after(std::chrono::seconds{features.transferdigittimeout + 5},
                                              [weak = weak_from_this(), channel] {
                                                  if (const auto self = weak.lock()) self->finish_target(*channel);
                                              });
        return;
    }
    static constexpr std::size_t longest_code = 16;
    if (member.digits.size() > longest_code) member.digits.erase(0, member.digits.size() - longest_code);
    member.digit_timer = core_.loop.after(std::chrono::milliseconds{features.featuredigittimeout},
                                          [weak = weak_from_this(), channel] {
                                              const auto self = weak.lock();
                                              auto* late = self ? self->find(*channel) : nullptr;
                                              if (late && !late->collecting_target) late->digits.clear();
                                          });
}

void Bridge::finish_target(Channel& by) {
    auto* const member = find(by);
    if (!member || !member->collecting_target) return;
    member->collecting_target = false;
    const std::string digits = std::exchange(member->digits, {});
    const auto context = by.variable("TRANSFER_CONTEXT").value_or(by.position().context);
    if (!digits.empty() && by.dialplan()->exists(context, digits, by.query())) {
        (void)transfer_peer(by, {context, digits, 1});
        return;
    }
    LOG_NOTICE(by.about(), "transfer to '{}@{}': no such extension", digits, context);
    core_.tasks.spawn([](std::shared_ptr<Bridge> self, ChannelPtr channel) -> Task<> {
        if (const auto peer = self->peer_of(*channel)) co_await peer->stop_playing();
        const auto prompt = channel->core().sounds.find("pbx-invalid", channel->language);
        if (!prompt) co_return;
        std::vector<std::string> files{*prompt};
        (void)co_await channel->play(std::move(files));
    }(shared_from_this(), member->channel));
}

void Bridge::told(events::BridgeChanged::What what, const Channel* channel) const {
    if (!core_.events.has_readers()) return;
    core_.events.publish(events::BridgeChanged{what, id_, channel ? channel->name() : "", channel ? channel->uniqueid() : ""});
}

}  // namespace strowger::pbx
