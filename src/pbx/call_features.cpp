#include "pbx/call_features.hpp"

#include <fmt/format.h>

#include "pbx/dialplan/machine.hpp"
#include "pbx/parking.hpp"
#include "pbx/prompt.hpp"
#include "pbx/spoken.hpp"

namespace strowger::pbx {

std::string transfer_context(const Channel& channel) {
    if (auto set = channel.variable("TRANSFER_CONTEXT"); set && !set->empty()) return *set;
    // A phone that was called stands where its caller dialled; its own numbers are in its context.
    const auto endpoint = channel.endpoint();
    return channel.has_dialplan || !endpoint ? channel.position().context : endpoint->context;
}

Task<> say(ChannelPtr channel, std::string prompt) {
    const auto file = channel->core().sounds.find(prompt, channel->language);
    if (!file) co_return;
    std::vector<std::string> files{*file};
    (void)co_await channel->play(std::move(files));
}

Task<> toggle_recording(ChannelPtr by, ChannelPtr peer) {
    static constexpr std::string_view running = "TOUCH_MIXMONITOR_ID";
    auto id = by->variable(running).value_or("");
    if (!id.empty()) {
        (void)by->variables().set(std::string(running), "");
        (void)co_await dialplan::Machine::execute(*by, "StopMixMonitor", std::move(id));
        std::string sound = "beep";
        co_await say(by, std::move(sound));
        co_return;
    }
    const auto seconds =
        std::chrono::duration_cast<std::chrono::seconds>(by->now().time_since_epoch()).count();
    auto name = by->variable("TOUCH_MIXMONITOR").value_or("");
    if (name.empty())
        name = fmt::format("{}-{}", by->caller.number, peer ? peer->caller.number : "");
    // It becomes an argument and a path: what has a meaning in either is left out.
    std::erase_if(name, [](char c) {
        return std::string_view(",()\"\\/&").find(c) != std::string_view::npos;
    });
    std::string arguments = fmt::format("auto-{}-{}.wav,i({})", seconds, name, running);
    (void)co_await dialplan::Machine::execute(*by, "MixMonitor", std::move(arguments));
    if (auto path = by->variable("MIXMONITOR_FILENAME"))
        (void)by->variables().set("TOUCH_MIXMONITOR_OUTPUT", std::move(*path));
    std::string sound = "beep";
    co_await say(by, std::move(sound));
}

Task<> park_peer(Core& core, Bridge::Starter starter, std::shared_ptr<Bridge> bridge,
                 ChannelPtr by) {
    const auto peer = bridge->peer_of(*by);
    const auto config = core.config;
    const auto* lot = config->parking_lots.find("default");
    if (!peer || !lot) co_return;
    const auto parker = by->name().substr(0, by->name().rfind('-'));
    const auto space = core.parking.park(*lot, peer, parker, core.now());
    if (!space) {
        LOG_NOTICE(by->about(), "{}", space.error().text());
        std::string failed = "pbx-parkingfailed";
        co_await say(by, std::move(failed));
        co_return;
    }
    auto seat = bridge->step_out(*by);
    auto other = bridge->step_out(*peer);
    if (!seat || !other) co_return;
    (void)peer->variables().set("BLINDTRANSFER", by->name());
    let_go(*other,
           {Released::Why::transferred, Cause::normal_clearing,
            dialplan::Position{lot->context, lot->parkext, 1}},
           starter);
    const auto spoken = Speech::of(by->language).digits(std::to_string(*space));
    auto prompts = find_prompts(*by, fmt::format("{}", fmt::join(spoken, "&")));
    if (!prompts.paths.empty()) (void)co_await by->play_and_wait(std::move(prompts.paths));
    let_go(*seat, {Released::Why::peer_gone, Cause::normal_clearing, {}}, starter);
    core.signalling.touch();
}

}  // namespace strowger::pbx
