#include <fmt/format.h>

#include "base/text.hpp"
#include "pbx/applications.hpp"
#include "pbx/dialplan/arguments.hpp"
#include "pbx/prompt.hpp"

namespace strowger::pbx {

namespace {

using dialplan::AppResult;
using dialplan::Call;

// MusicOnHold([class][,seconds]): for ever when no time is given.
Task<AppResult> music_on_hold(Call& call, std::string_view args) {
    auto& channel = static_cast<Channel&>(call);
    const auto arguments = dialplan::split_arguments(args);
    if (!co_await open_media(channel, false)) co_return AppResult::hangup;
    if (!co_await channel.start_music(std::string(argument(arguments, 0))))
        co_return AppResult::proceed;
    const auto limit = parse_seconds(argument(arguments, 1));
    bool there = true;
    while (there && call.interrupted() == Call::Interrupt::none) {
        there = co_await channel.wait(limit.value_or(std::chrono::hours{24}));
        if (limit) break;
    }
    if (!there) co_return AppResult::hangup;
    co_await channel.stop_playing();
    co_return AppResult::proceed;
}

Task<AppResult> start_music(Call& call, std::string_view args) {
    auto& channel = static_cast<Channel&>(call);
    if (!co_await open_media(channel, false)) co_return AppResult::hangup;
    (void)co_await channel.start_music(std::string(trim(args)));
    co_return AppResult::proceed;
}

Task<AppResult> stop_music(Call& call, std::string_view) {
    co_await static_cast<Channel&>(call).stop_playing();
    co_return AppResult::proceed;
}

AppResult set_music(Call& call, std::string_view args) {
    static_cast<Channel&>(call).music_class = trim(args);
    return AppResult::proceed;
}

}  // namespace

void add_music_applications(dialplan::Applications& applications) {
    applications.add("MusicOnHold", "Play hold music: MusicOnHold([class][,seconds])",
                     music_on_hold);
    applications.add("StartMusicOnHold", "Play hold music while the dialplan goes on", start_music);
    applications.add("StopMusicOnHold", "Stop hold music", stop_music);
    applications.add_quick("SetMusicOnHold",
                           "Choose the hold music of this channel: SetMusicOnHold(class)",
                           set_music);
}

}  // namespace strowger::pbx
