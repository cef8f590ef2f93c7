#include "pbx/hook_channel.hpp"

namespace strowger::pbx {

HookChannel::HookChannel(Channel& host, std::string name)
    : Channel(host.core(), "Hook", std::move(name), host.linkedid()),
      host_(host.shared_from_this()) {
    language = host.language;
    caller = host.caller;
}

std::shared_ptr<HookChannel> HookChannel::make(Channel& host, std::string name) {
    const auto made = std::make_shared<HookChannel>(host, std::move(name));
    made->core().channels.add(made);
    made->publish(events::ChannelChanged::What::created);
    return made;
}

Task<Result<>> HookChannel::progress() {
    if (hung_up()) co_return fail("hung up");
    co_return Result<>{};
}

Task<Result<>> HookChannel::answer() {
    if (hung_up()) co_return fail("hung up");
    if (state() != ChannelState::up) set_state(ChannelState::up);
    co_return Result<>{};
}

std::optional<media::Party> HookChannel::party() const {
    const auto host = host_.lock();
    return host && !host->hung_up() ? host->party() : std::nullopt;
}

}  // namespace strowger::pbx
