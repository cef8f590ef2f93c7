#include "pbx/transfer_recall.hpp"

#include "pbx/dial_target.hpp"
#include "pbx/event_queue.hpp"

namespace strowger::pbx {

namespace {

/// Rings one leg until it answers, refuses, or the waiting one goes.
Task<ChannelPtr> ring(Core& core, Bridge::Starter starter, std::shared_ptr<Bridge> bridge,
                      ChannelPtr waiting, std::string device, Duration patience) {
    const auto [technology, resource] = split_once(device, '/');
    DialTarget target{std::string(technology), std::string(resource)};
    std::string linkedid = waiting->linkedid();
    auto made = co_await OutgoingLeg::make(core, std::move(target), std::move(linkedid));
    if (!made) {
        LOG_NOTICE(waiting->about(), "cannot call back {}: {}", device, made.error().text());
        co_return nullptr;
    }
    const auto leg = made->channel();
    leg->connected = waiting->caller;
    leg->set_position(waiting->position());
    EventQueue events(core.loop);
    leg->listen(&events);
    bridge->watch(&events);
    auto preferred = waiting->codecs();
    const auto dialled = co_await made->dial(starter, std::move(preferred));
    const Time until = core.now() + patience;
    bool answered = false;
    while (dialled && !waiting->hung_up()) {
        const auto item = co_await events.next(until);
        if (!item) break;
        if (item->channel != leg) continue;
        answered = std::holds_alternative<channel::Answered>(item->event);
        if (answered || std::holds_alternative<channel::HungUp>(item->event)) break;
    }
    bridge->watch(nullptr);
    leg->listen(nullptr);
    if (answered && !waiting->hung_up()) co_return leg;
    leg->hangup(Cause::no_answer);
    co_return nullptr;
}

}  // namespace

Task<bool> call_back(Core& core, Bridge::Starter starter, std::shared_ptr<Bridge> bridge,
                     ChannelPtr transferor) {
    const auto features = transferor->features();
    const Duration patience = std::chrono::seconds{features->atxfernoanswertimeout};
    const auto waiting = bridge->peer_of(*transferor);
    if (!waiting) co_return false;
    const std::string device = transferor->name().substr(0, transferor->name().rfind('-'));
    for (unsigned tried = 0; tried < features->atxfercallbackretries; ++tried) {
        if (tried > 0) co_await core.loop.sleep(std::chrono::seconds{features->atxferloopdelay});
        if (waiting->hung_up() || !bridge->has(*waiting)) co_return false;
        const auto leg = co_await ring(core, starter, bridge, waiting, device, patience);
        if (!leg) continue;
        (void)co_await bridge->admit(leg);
        co_return true;
    }
    co_return false;
}

}  // namespace strowger::pbx
