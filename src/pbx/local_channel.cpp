#include "pbx/local_channel.hpp"

namespace strowger::pbx {

LocalChannel::LocalChannel(Core& core, std::string_view exten, std::string_view context,
                           std::string linkedid, int half)
    : Channel(core, "Local", fmt::format("{}@{};{}", exten, context, half), std::move(linkedid)),
      exten_(exten),
      context_(context),
      is_dialled_half_(half == 1) {}

Result<std::shared_ptr<LocalChannel>> LocalChannel::make(Core& core, std::string_view resource,
                                                         std::string linkedid) {
    const auto [address, flags] = split_once(resource, '/');
    const auto at = address.rfind('@');
    const auto exten = address.substr(0, at);
    const auto context =
        at == std::string_view::npos ? std::string_view("default") : address.substr(at + 1);
    const auto plan = core.environment.dialplan();
    if (!plan->exists(context, exten, {{}, core.environment.clock()}))
        return fail("there is no extension '{}' in context '{}'", exten, context);
    const std::shared_ptr<LocalChannel> dialled(
        new LocalChannel(core, exten, context, linkedid, 1));
    const std::shared_ptr<LocalChannel> running(
        new LocalChannel(core, exten, context, dialled->linkedid(), 2));
    dialled->other_ = running;
    running->other_ = dialled;
    for (const auto& half : {dialled, running}) {
        core.channels.add(half);
        half->publish(events::ChannelChanged::What::created);
    }
    return dialled;
}

Result<> LocalChannel::start(const Bridge::Starter& starter) {
    const auto running = other();
    if (!running) return fail("the other half is gone");
    running->caller = connected;
    running->connected = caller;
    running->redirecting = redirecting;
    running->dialled = exten_;
    // What the dialling channel passes on was inherited by this half; the dialplan runs on the
    // other.
    inherit_to(*running);
    running->set_state(ChannelState::ring);
    starter(running, {context_, exten_, 1});
    return {};
}

void LocalChannel::ring() {
    transfer_came_to(180);
    const auto far = other();
    if (hung_up() || !far || state() == ChannelState::up) return;
    far->set_state(ChannelState::ringing);
    far->raise(channel::Ringing{});
}

Task<Result<>> LocalChannel::progress() {
    const auto far = other();
    if (hung_up() || !far) co_return fail("hung up");
    if (state() != ChannelState::up) far->raise(channel::Progress{});
    co_return Result<>{};
}

Task<Result<>> LocalChannel::answer() {
    transfer_came_to(200);
    const auto far = other();
    if (hung_up() || !far) co_return fail("hung up");
    if (state() == ChannelState::up) co_return Result<>{};
    const auto self = shared_from_this();
    set_state(ChannelState::up);
    far->set_state(ChannelState::up);
    far->raise(channel::Answered{});
    co_return Result<>{};
}

void LocalChannel::hangup(Cause why) {
    const auto self = shared_from_this();
    const auto far = other();
    end(why);
    if (far) far->end(why);
}

void LocalChannel::send_digit(char digit, Duration duration) {
    if (const auto far = other()) far->raise(channel::Digit{digit, duration});
}

// Whom the far half talks to learns whom this one does.
void LocalChannel::connected_line_changed() {
    const auto far = other();
    const auto peer = far && far->bridge ? far->bridge->peer_of(*far) : nullptr;
    if (!peer) return;
    far->caller = connected;
    peer->connected = connected;
    peer->connected_line_changed();
}

std::optional<media::Party> LocalChannel::party() const {
    const auto far = other();
    if (!far || !far->bridge) return std::nullopt;
    const auto peer = far->bridge->peer_of(*far);
    return peer ? peer->party() : std::nullopt;
}

std::vector<media::CodecSpec> LocalChannel::codecs() const {
    const auto far = other();
    const auto peer = far && far->bridge ? far->bridge->peer_of(*far) : nullptr;
    return peer ? peer->codecs() : known_;
}

Task<> LocalChannel::match(std::vector<media::CodecSpec> codecs) {
    if (const auto far = other()) far->known_ = std::move(codecs);
    co_return;
}

void LocalChannel::dialled_by(std::vector<media::CodecSpec> codecs) {
    if (const auto running = other()) running->known_ = std::move(codecs);
}

}  // namespace strowger::pbx
