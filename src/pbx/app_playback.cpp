#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "pbx/applications.hpp"
#include "pbx/dialplan/arguments.hpp"
#include "pbx/dialplan/machine.hpp"
#include "pbx/option_letters.hpp"
#include "pbx/prompt.hpp"

namespace strowger::pbx {

namespace {

using dialplan::AppResult;
using dialplan::Call;
using dialplan::Machine;

AppResult after(const Channel& channel) {
    return channel.hung_up() ? AppResult::hangup : AppResult::proceed;
}

// Playback(a[&b...][,skip][,noanswer]): PLAYBACKSTATUS is FAILED when any of them could not be
// played.
Task<AppResult> playback(Call& call, std::string_view args) {
    auto& channel = static_cast<Channel&>(call);
    const auto arguments = dialplan::split_arguments(args);
    bool skip = false, noanswer = false;
    for (std::size_t i = 1; i < arguments.size(); ++i) {
        for (const auto word : split(arguments[i], '&')) {
            skip |= iequals(trim(word), "skip");
            noanswer |= iequals(trim(word), "noanswer");
        }
    }
    (void)call.variables().set("PLAYBACKSTATUS", "FAILED");
    if (arguments.empty() || trim(arguments[0]).empty()) {
        channel.report(log::Level::warning, "Playback: which sound?");
        co_return AppResult::proceed;
    }
    if (skip && !channel.is_up()) {
        (void)call.variables().set("PLAYBACKSTATUS", "SUCCESS");
        co_return AppResult::proceed;
    }
    if (!co_await open_media(channel, !noanswer)) co_return AppResult::hangup;
    auto prompts = find_prompts(channel, arguments[0]);
    bool played = false;
    if (!prompts.paths.empty()) {
        const auto result = co_await channel.play_and_wait(std::move(prompts.paths));
        played = result.completed;
    }
    if (channel.hung_up()) co_return AppResult::hangup;
    if (played && prompts.complete) (void)call.variables().set("PLAYBACKSTATUS", "SUCCESS");
    co_return AppResult::proceed;
}

// Background(a[&b...][,options[,language[,context]]]): a digit ends it and begins an extension.
Task<AppResult> background(Call& call, std::string_view args) {
    auto& channel = static_cast<Channel&>(call);
    const auto arguments = dialplan::split_arguments(args);
    const OptionLetters options(argument(arguments, 1));
    const bool skip = options.has('s') || iequals(argument(arguments, 1), "skip");
    const bool noanswer = options.has('n') || iequals(argument(arguments, 1), "noanswer");
    const std::string context(argument(arguments, 3).empty()
                                  ? std::string_view(call.position().context)
                                  : argument(arguments, 3));
    (void)call.variables().set("BACKGROUNDSTATUS", "FAILED");
    if (arguments.empty()) {
        channel.report(log::Level::warning, "Background: which sound?");
        co_return AppResult::proceed;
    }
    if (!channel.is_up()) {
        if (skip) co_return AppResult::proceed;
        if (!co_await open_media(channel, !noanswer)) co_return AppResult::hangup;
    }
    auto prompts = find_prompts(channel, arguments[0], argument(arguments, 2));
    std::string interrupting = "any";
    if (options.has('m')) {
        interrupting.clear();
        for (const char digit : std::string_view("0123456789*#ABCD"))
            if (call.dialplan()->exists(context, {&digit, 1}, call.query())) interrupting += digit;
    }
    if (prompts.paths.empty()) co_return after(channel);
    const bool complete = prompts.complete;
    const auto played =
        co_await channel.play_and_wait(std::move(prompts.paths), std::move(interrupting));
    if (channel.hung_up()) co_return AppResult::hangup;
    if (complete && (played.completed || played.digit))
        (void)call.variables().set("BACKGROUNDSTATUS", "SUCCESS");
    if (!played.digit) co_return AppResult::proceed;
    const auto dialled = co_await collect_extension(channel, context, std::string(1, played.digit));
    if (channel.hung_up()) co_return AppResult::hangup;
    co_return Machine::dialled(call, context, dialled);
}

// What ControlPlayback's digits do; empty ones do nothing.
struct Keys {
    std::string forward, rewind, stop, pause, restart;
    std::string all() const { return forward + rewind + stop + pause + restart; }
};

// ControlPlayback(file[,skipms[,ff[,rew[,stop[,pause[,restart[,options]]]]]]])
Task<AppResult> control_playback(Call& call, std::string_view args) {
    auto& channel = static_cast<Channel&>(call);
    const auto arguments = dialplan::split_arguments(args);
    const auto step = parse_milliseconds(argument(arguments, 1)).value_or(std::chrono::seconds{3});
    Keys keys;
    keys.forward = arguments.size() > 2 && !arguments[2].empty() ? arguments[2] : "#";
    keys.rewind = arguments.size() > 3 && !arguments[3].empty() ? arguments[3] : "*";
    keys.stop = argument(arguments, 4);
    keys.pause = argument(arguments, 5);
    keys.restart = argument(arguments, 6);
    const OptionLetters options(argument(arguments, 7));
    auto& variables = call.variables();
    (void)variables.set("CPLAYBACKSTATUS", "ERROR");
    (void)variables.set("CPLAYBACKOFFSET", "");
    (void)variables.set("CPLAYBACKSTOPKEY", "");
    if (!co_await open_media(channel, false)) co_return AppResult::hangup;
    const auto prompts = find_prompts(channel, argument(arguments, 0));
    if (prompts.paths.empty()) co_return AppResult::proceed;

    Duration position =
        parse_milliseconds(options.argument('o').value_or("")).value_or(Duration::zero());
    std::string status = "ERROR";
    while (!channel.hung_up() && call.interrupted() == Call::Interrupt::none) {
        const Time began = channel.core().now();
        std::vector<std::string> files = prompts.paths;
        if (!co_await channel.play(std::move(files), false, position)) break;
        const auto played = co_await channel.wait_played(keys.all());
        if (channel.hung_up()) break;
        position += channel.core().now() - began;
        if (!played.digit) {
            if (played.completed) status = "SUCCESS";
            break;
        }
        const auto is = [&](const std::string& set) {
            return set.find(played.digit) != std::string::npos;
        };
        if (is(keys.stop)) {
            status = "USERSTOPPED";
            (void)variables.set("CPLAYBACKSTOPKEY", std::string(1, played.digit));
            break;
        }
        if (is(keys.forward)) {
            position += step;
        } else if (is(keys.restart)) {
            position = Duration::zero();
        } else if (is(keys.rewind)) {
            position = std::max(position - step, Duration::zero());
        } else if (is(keys.pause)) {
            std::optional<char> digit;
            do digit = co_await channel.wait_digit(Duration::max());
            while (digit && keys.pause.find(*digit) == std::string::npos);
        }
    }
    (void)variables.set("CPLAYBACKSTATUS", status);
    (void)variables.set(
        "CPLAYBACKOFFSET",
        std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(position).count()));
    co_return after(channel);
}

Task<AppResult> play_tones(Call& call, std::string_view args) {
    auto& channel = static_cast<Channel&>(call);
    if (!co_await open_media(channel, false)) co_return AppResult::hangup;
    (void)co_await channel.play_tone(std::string(trim(args)));
    co_return after(channel);
}

Task<AppResult> stop_tones(Call& call, std::string_view) {
    co_await static_cast<Channel&>(call).stop_playing();
    co_return AppResult::proceed;
}

// 1004 Hz until the end of the call: what lines are measured with.
Task<AppResult> milliwatt(Call& call, std::string_view) {
    auto& channel = static_cast<Channel&>(call);
    if (!co_await open_media(channel)) co_return AppResult::hangup;
    if (!co_await channel.play_tone("1004/1000")) co_return AppResult::proceed;
    while (!channel.hung_up() && call.interrupted() == Call::Interrupt::none)
        (void)co_await channel.wait(std::chrono::hours{1});
    co_return AppResult::hangup;
}

// The three tones that say "this number is not in service", which diallers understand.
Task<AppResult> zapateller(Call& call, std::string_view args) {
    auto& channel = static_cast<Channel&>(call);
    bool answer = false, only_unknown = false;
    for (const auto word : split(args, ',')) {
        answer |= iequals(trim(word), "answer");
        only_unknown |= iequals(trim(word), "nocallerid");
    }
    if (only_unknown && !channel.caller.number.empty()) {
        (void)call.variables().set("ZAPATELLERSTATUS", "SKIPPED");
        co_return AppResult::proceed;
    }
    if (!co_await open_media(channel, answer)) co_return AppResult::hangup;
    (void)call.variables().set("ZAPATELLERSTATUS", "ZAPPED");
    if (co_await channel.play_tone("!950/330,!1400/330,!1800/330,!0/1000", false))
        (void)co_await channel.wait_played();
    co_return after(channel);
}

// ITU-R M.1677-1.
std::string_view morse_of(char letter) {
    static constexpr std::string_view letters[] = {
        ".-",   "-...", "-.-.", "-..",  ".",   "..-.", "--.",  "....", "..",
        ".---", "-.-",  ".-..", "--",   "-.",  "---",  ".--.", "--.-", ".-.",
        "...",  "-",    "..-",  "...-", ".--", "-..-", "-.--", "--.."};
    static constexpr std::string_view digits[] = {"-----", ".----", "..---", "...--", "....-",
                                                  ".....", "-....", "--...", "---..", "----."};
    const char small = lower(letter);
    if (small >= 'a' && small <= 'z') return letters[small - 'a'];
    if (is_digit(letter)) return digits[letter - '0'];
    switch (letter) {
        case '.': return ".-.-.-";
        case ',': return "--..--";
        case '?': return "..--..";
        case '/': return "-..-.";
        case '-': return "-....-";
        case '=': return "-...-";
        case '+': return ".-.-.";
        case '@': return ".--.-.";
        case ':': return "---...";
        default: return {};
    }
}

// Morsecode(text): letter by letter, as a tone list must stay short. MORSETONE in Hz, MORSEDITLEN
// in ms.
Task<AppResult> morsecode(Call& call, std::string_view args) {
    auto& channel = static_cast<Channel&>(call);
    const auto number = [&](std::string_view name, unsigned otherwise, unsigned most) {
        const auto value =
            parse_number<unsigned>(call.variable(name).value_or("")).value_or(otherwise);
        return value == 0 ? otherwise : std::min(value, most);
    };
    const unsigned tone = number("MORSETONE", 800, 3400);
    const unsigned dit = number("MORSEDITLEN", 80, 1000);
    if (!co_await open_media(channel)) co_return AppResult::hangup;
    for (const char letter : args) {
        if (channel.hung_up() || call.interrupted() != Call::Interrupt::none) break;
        std::string tones;
        for (const char mark : morse_of(letter))
            tones += fmt::format("!{}/{},!0/{},", tone, mark == '.' ? dit : 3 * dit, dit);
        // Between letters there are three dits of silence, between words seven.
        tones += fmt::format("!0/{}", letter == ' ' ? 4 * dit : 2 * dit);
        if (!co_await channel.play_tone(std::move(tones), false)) break;
        (void)co_await channel.wait_played();
    }
    co_return after(channel);
}

}  // namespace

void add_playback_applications(dialplan::Applications& applications) {
    applications.add("Playback", "Play sounds: Playback(sound[&sound...][,skip|noanswer])",
                     playback);
    applications.add("Background",
                     "Play sounds while digits are awaited: "
                     "Background(sound[&...][,options[,language[,context]]])",
                     background);
    applications.add("ControlPlayback",
                     "Play a sound that digits wind: "
                     "ControlPlayback(sound[,ms[,ff[,rew[,stop[,pause[,restart[,options]]]]]]])",
                     control_playback);
    applications.add("Playtones", "Play a tone of indications.conf or a list: Playtones(tone)",
                     play_tones);
    applications.add("StopPlaytones", "Stop what plays", stop_tones);
    applications.add("Milliwatt", "1004 Hz until the call ends", milliwatt);
    applications.add("Zapateller", "Special information tone: Zapateller([answer][,nocallerid])",
                     zapateller);
    applications.add("Morsecode", "Say a text in Morse code: Morsecode(text)", morsecode);
}

}  // namespace strowger::pbx
