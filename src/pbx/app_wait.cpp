#include <fmt/format.h>

#include "pbx/applications.hpp"
#include "pbx/prompt.hpp"

namespace strowger::pbx {

namespace {

using dialplan::AppResult;
using dialplan::Call;

Task<AppResult> wait(Call& call, std::string_view args) {
    auto& channel = static_cast<Channel&>(call);
    const auto duration = parse_seconds(args);
    if (!duration) {
        channel.report(log::Level::warning,
                       fmt::format("Wait: '{}' is no number of seconds", args));
        co_return AppResult::proceed;
    }
    co_return co_await channel.wait(*duration) ? AppResult::proceed : AppResult::hangup;
}

// WaitUntil(epoch): WAITUNTILSTATUS is OK, FAILURE, HANGUP or PAST.
Task<AppResult> wait_until(Call& call, std::string_view args) {
    auto& channel = static_cast<Channel&>(call);
    const auto epoch = parse_seconds(args);
    const auto now = call.now().time_since_epoch();
    std::string status = "OK";
    if (!epoch)
        status = "FAILURE";
    else if (*epoch < now)
        status = "PAST";
    else if (!co_await channel.wait(*epoch - now))
        status = "HANGUP";
    const bool gone = status == "HANGUP";
    (void)call.variables().set("WAITUNTILSTATUS", std::move(status));
    co_return gone ? AppResult::hangup : AppResult::proceed;
}

}  // namespace

void add_wait_applications(dialplan::Applications& applications) {
    applications.add("Wait", "Wait: Wait(seconds)", wait);
    applications.add("WaitUntil", "Wait for a time: WaitUntil(epoch)", wait_until);
}

}  // namespace strowger::pbx
