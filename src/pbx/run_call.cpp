#include "pbx/run_call.hpp"

#include "pbx/dialplan/machine.hpp"
#include "pbx/hangup_handlers.hpp"
#include "pbx/sip_channel.hpp"

namespace strowger::pbx {

namespace {

Task<dialplan::End> run(Channel& channel, SingleApplication application) {
    if (!application.name.empty()) {
        (void)co_await dialplan::Machine::execute(channel, std::move(application.name),
                                                  std::move(application.arguments));
        if (channel.interrupted() == dialplan::Call::Interrupt::none)
            co_return dialplan::End::hung_up;
    }
    co_return co_await dialplan::Machine::run(channel);
}

}  // namespace

Task<> run_call(ChannelPtr channel, SingleApplication application) {
    channel->has_dialplan = true;
    auto* const sip = dynamic_cast<SipChannel*>(channel.get());
    if (!sip || sip->state() != ChannelState::ring || co_await sip->accept_media()) {
        const auto end = co_await run(*channel, std::move(application));
        if (!channel->hung_up()) {
            Cause cause = channel->cause;
            if (end == dialplan::End::busy) cause = Cause::user_busy;
            if (end == dialplan::End::congestion) cause = Cause::normal_circuit_congestion;
            if (cause == Cause::none && channel->state() == ChannelState::up)
                cause = Cause::normal_clearing;
            channel->hangup(cause);
        }
    }
    co_await dialplan::Machine::run_hangup(*channel);
    co_await run_hangup_handlers(channel);
    channel->has_dialplan = false;
    if (sip) sip->dialplan_ended();
    channel->core().signalling.touch();
}

}  // namespace strowger::pbx
