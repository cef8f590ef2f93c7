#include "pbx/hangup_handlers.hpp"

#include "base/text.hpp"
#include "pbx/dialplan/machine.hpp"

namespace strowger::pbx {

Result<> push_hangup_handler(Channel& channel, std::string_view target) {
    if (channel.hangup_handlers.size() >= max_hangup_handlers)
        return fail("more than {} hangup handlers", max_hangup_handlers);
    channel.hangup_handlers.emplace_back(trim(target));
    return {};
}

Task<> run_hangup_handlers(ChannelPtr channel) {
    while (!channel->hangup_handlers.empty()) {
        std::string target = std::move(channel->hangup_handlers.back());
        channel->hangup_handlers.pop_back();
        (void)co_await dialplan::Machine::run_subroutine(*channel, std::move(target));
    }
}

}  // namespace strowger::pbx
