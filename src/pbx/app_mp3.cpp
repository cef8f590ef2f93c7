// MP3Player: files and streams that mpg123 can play.

#include "base/text.hpp"
#include "pbx/applications.hpp"
#include "pbx/program_sound.hpp"
#include "pbx/prompt.hpp"

namespace strowger::pbx {

namespace {

using dialplan::AppResult;
using dialplan::Call;

// MP3Player(file or URL): until it ends, a key is pressed, or the call is over.
Task<AppResult> mp3_player(Call& call, std::string_view args) {
    auto& channel = static_cast<Channel&>(call);
    const std::string location(trim(args));
    if (location.empty()) {
        channel.report(log::Level::warning, "MP3Player needs a file or URL");
        co_return AppResult::proceed;
    }
    if (!co_await open_media(channel)) co_return AppResult::hangup;
    SoundProgram program;
    // `--`: a name that begins with a hyphen is no option.
    program.arguments = {"mpg123", "-q", "-s", "--mono", "-r", "8000", "-e", "s16", "--", location};
    if (!co_await channel.play_live(play_program(channel.core(), std::move(program))))
        co_return channel.hung_up() ? AppResult::hangup : AppResult::proceed;
    std::string any = "any";
    (void)co_await channel.wait_played(std::move(any));
    co_return channel.hung_up() ? AppResult::hangup : AppResult::proceed;
}

}  // namespace

void add_mp3_application(dialplan::Applications& applications) {
    applications.add("MP3Player", "Play a file or stream with mpg123: MP3Player(location)",
                     mp3_player);
}

}  // namespace strowger::pbx
