#include "pbx/applications.hpp"
#include "pbx/prompt.hpp"

namespace strowger::pbx {

namespace {

using dialplan::AppResult;
using dialplan::Call;

// Until `#` or the end of the call.
Task<AppResult> echo(Call& call, std::string_view) {
    auto& channel = static_cast<Channel&>(call);
    if (!co_await open_media(channel, false)) co_return AppResult::hangup;
    const auto party = channel.party();
    if (!party) co_return AppResult::hangup;
    co_await channel.stop_playing();
    media::EchoRequest start{*party, true};
    const auto started = co_await channel.core().engine.echo(std::move(start));
    if (!started) {
        channel.report(log::Level::warning, started.error().text());
        co_return AppResult::proceed;
    }
    while (!channel.hung_up() && call.interrupted() == Call::Interrupt::none) {
        const auto digit = co_await channel.wait_digit(Duration::max());
        if (digit == '#') break;
    }
    if (channel.hung_up()) co_return AppResult::hangup;
    media::EchoRequest stop{*party, false};
    (void)co_await channel.core().engine.echo(std::move(stop));
    co_return AppResult::proceed;
}

}  // namespace

void add_echo_applications(dialplan::Applications& applications) {
    applications.add("Echo", "Send back what is heard, until #", echo);
}

}  // namespace strowger::pbx
