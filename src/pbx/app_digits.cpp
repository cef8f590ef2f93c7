#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "io/file.hpp"
#include "pbx/applications.hpp"
#include "pbx/dialplan/arguments.hpp"
#include "pbx/dialplan/machine.hpp"
#include "pbx/dialplan/store.hpp"
#include "pbx/option_letters.hpp"
#include "pbx/prompt.hpp"

namespace strowger::pbx {

namespace {

using dialplan::AppResult;
using dialplan::Call;
using dialplan::Machine;

constexpr std::size_t max_digits = 255;  // that Read collects
constexpr unsigned max_attempts = 100;

AppResult after(const Channel& channel) {
    return channel.hung_up() ? AppResult::hangup : AppResult::proceed;
}

// WaitExten([seconds[,m[(class)]|d[(context)]]]). When nothing is dialled the dialplan goes on with
// the next priority if there is one, else with `t`.
Task<AppResult> wait_exten(Call& call, std::string_view args) {
    auto& channel = static_cast<Channel&>(call);
    const auto arguments = dialplan::split_arguments(args);
    const OptionLetters options(argument(arguments, 1));
    const auto timeout = parse_seconds(argument(arguments, 0)).value_or(channel.response_timeout);
    const auto place = call.position();
    const bool music = options.has('m');
    const bool dial_tone = options.has('d');
    if (music) (void)co_await channel.start_music(std::string(*options.argument('m')));
    if (dial_tone) (void)co_await channel.play_tone("dial");
    const auto digit = co_await channel.wait_digit(timeout);
    if (music || dial_tone) co_await channel.stop_playing();
    if (channel.hung_up()) co_return AppResult::hangup;
    if (digit) {
        const auto dialled =
            co_await collect_extension(channel, place.context, std::string(1, *digit));
        if (channel.hung_up()) co_return AppResult::hangup;
        co_return Machine::dialled(call, place.context, dialled);
    }
    if (call.interrupted() != Call::Interrupt::none) co_return AppResult::proceed;
    if (call.dialplan()->find(place.context, place.exten, place.priority + 1, call.query()))
        co_return AppResult::proceed;
    co_return Machine::timed_out(call, place.context);
}

// How digits are collected after a prompt.
struct Collection {
    std::size_t most = max_digits;
    std::string terminators = "#";
    Duration first{}, next{};
};
struct Collected {
    std::string digits;
    char terminator = 0;
    bool timed_out = false;
};

Task<Collected> collect(Channel& channel, char first, Collection how) {
    Collected result;
    auto digit = first ? std::optional<char>(first) : co_await channel.wait_digit(how.first);
    while (digit) {
        if (how.terminators.find(*digit) != std::string::npos) {
            result.terminator = *digit;
            co_return result;
        }
        result.digits += *digit;
        if (result.digits.size() >= how.most) co_return result;
        digit = co_await channel.wait_digit(how.next);
    }
    result.timed_out = true;
    co_return result;
}

// Plays what asks for digits; the digit that broke it off, or 0.
Task<char> ask(Channel& channel, std::vector<std::string> prompts) {
    if (prompts.empty()) co_return 0;
    const auto played = co_await channel.play_and_wait(std::move(prompts), "any");
    co_return played.digit;
}

// Read(var[,file[&file...][,max[,options[,attempts[,timeout]]]]])
Task<AppResult> read(Call& call, std::string_view args) {
    auto& channel = static_cast<Channel&>(call);
    const auto arguments = dialplan::split_arguments(args);
    const std::string variable(argument(arguments, 0));
    const auto finish = [&](std::string_view status, std::string value) {
        if (!variable.empty()) (void)call.assign(variable, value);
        (void)call.variables().set("READSTATUS", std::string(status));
        return channel.hung_up() ? AppResult::hangup : AppResult::proceed;
    };
    if (variable.empty()) {
        channel.report(log::Level::warning, "Read: into which variable?");
        co_return finish("ERROR", {});
    }
    const OptionLetters options(argument(arguments, 3));
    if (!channel.is_up()) {
        if (options.has('s')) co_return finish("SKIPPED", {});
        if (!co_await open_media(channel, !options.has('n')))
            co_return finish(channel.hung_up() ? "HANGUP" : "ERROR", {});
    }
    Collection how;
    if (const auto most = parse_number<std::size_t>(argument(arguments, 2)); most && *most > 0)
        how.most = std::min(*most, max_digits);
    if (const auto ends = options.argument('t')) how.terminators = *ends;
    const auto timeout = parse_seconds(argument(arguments, 5));
    const bool timed = timeout && *timeout > Duration::zero();
    how.first = timed ? *timeout : channel.response_timeout;
    how.next = timed ? *timeout : channel.digit_timeout;
    const auto attempts =
        std::clamp(parse_number<unsigned>(argument(arguments, 4)).value_or(1), 1U, max_attempts);

    Collected got;
    for (unsigned attempt = 0; attempt < attempts && !channel.hung_up(); ++attempt) {
        char first = 0;
        if (options.has('i')) {
            if (co_await channel.play_tone(std::string(argument(arguments, 1)))) {
                first = (co_await channel.wait_digit(how.first)).value_or(0);
                co_await channel.stop_playing();
                if (!first) {
                    got.timed_out = true;
                    continue;
                }
            }
        } else {
            auto prompts = find_prompts(channel, argument(arguments, 1));
            first = co_await ask(channel, std::move(prompts.paths));
        }
        if (channel.hung_up() || call.interrupted() != Call::Interrupt::none) break;
        got = co_await collect(channel, first, how);
        if (!got.digits.empty()) break;
        if (got.terminator) {
            if (options.has('e')) got.digits = got.terminator;
            break;
        }
    }
    if (channel.hung_up()) co_return finish("HANGUP", std::move(got.digits));
    if (call.interrupted() != Call::Interrupt::none)
        co_return finish("INTERRUPTED", std::move(got.digits));
    co_return finish(got.timed_out ? "TIMEOUT" : "OK", std::move(got.digits));
}

// ReadExten(var[,file[,context[,options[,timeout]]]]): digits until they are an extension.
Task<AppResult> read_exten(Call& call, std::string_view args) {
    auto& channel = static_cast<Channel&>(call);
    const auto arguments = dialplan::split_arguments(args);
    const std::string variable(argument(arguments, 0));
    const auto finish = [&](std::string_view status, std::string value) {
        if (!variable.empty()) (void)call.assign(variable, value);
        (void)call.variables().set("READEXTENSTATUS", std::string(status));
        return channel.hung_up() ? AppResult::hangup : AppResult::proceed;
    };
    if (variable.empty()) {
        channel.report(log::Level::warning, "ReadExten: into which variable?");
        co_return finish("ERROR", {});
    }
    const OptionLetters options(argument(arguments, 3));
    if (!channel.is_up()) {
        if (options.has('s')) co_return finish("SKIP", {});
        if (!co_await open_media(channel, !options.has('n')))
            co_return finish(channel.hung_up() ? "HANGUP" : "ERROR", {});
    }
    const std::string context(argument(arguments, 2).empty()
                                  ? std::string_view(call.position().context)
                                  : argument(arguments, 2));
    const auto timeout = parse_seconds(argument(arguments, 4));
    const auto first_timeout =
        timeout && *timeout > Duration::zero() ? *timeout : channel.response_timeout;
    char first = 0;
    if (options.has('i')) {
        (void)co_await channel.play_tone(std::string(argument(arguments, 1)));
        first = (co_await channel.wait_digit(first_timeout)).value_or(0);
        co_await channel.stop_playing();
    } else {
        auto prompts = find_prompts(channel, argument(arguments, 1));
        first = co_await ask(channel, std::move(prompts.paths));
        if (!first && !channel.hung_up())
            first = (co_await channel.wait_digit(first_timeout)).value_or(0);
    }
    if (channel.hung_up()) co_return finish("HANGUP", {});
    if (!first) co_return finish("TIMEOUT", "t");
    auto digits = co_await collect_extension(channel, context, std::string(1, first));
    if (channel.hung_up()) co_return finish("HANGUP", {});
    // `#` ends a number that could have gone on.
    if (digits.size() > 1 && digits.ends_with('#') &&
        !call.dialplan()->exists(context, digits, call.query()))
        digits.pop_back();
    if (call.dialplan()->exists(context, digits, call.query()))
        co_return finish("OK", std::move(digits));
    (void)call.variables().set("INVALID_EXTEN", digits);
    co_return finish("INVALID", "i");
}

// WaitDigit([seconds[,digits]])
Task<AppResult> wait_digit(Call& call, std::string_view args) {
    auto& channel = static_cast<Channel&>(call);
    const auto arguments = dialplan::split_arguments(args);
    const auto timeout = parse_seconds(argument(arguments, 0));
    const std::string wanted(argument(arguments, 1));
    const Time until = timeout ? channel.core().now() + *timeout : Time::max();
    std::string status = "TIMEOUT", result;
    while (!channel.hung_up()) {
        const auto digit = co_await channel.wait_digit(
            until == Time::max() ? Duration::max() : until - channel.core().now());
        if (!digit) break;
        if (!wanted.empty() && wanted.find(*digit) == std::string::npos) continue;
        status = "DTMF";
        result = *digit;
        break;
    }
    if (channel.hung_up()) status = "CANCEL";
    (void)call.variables().set("WAITDIGITSTATUS", std::move(status));
    (void)call.variables().set("WAITDIGITRESULT", std::move(result));
    co_return after(channel);
}

// A password as it stands, a file with one a line ("/path"), or with `d` the keys of a database
// family.
bool is_password(Call& call, std::string_view digits, const std::string& secret,
                 const OptionLetters& options) {
    if (!secret.starts_with('/')) return digits == secret;
    if (digits.empty()) return false;
    if (options.has('d'))
        return call.environment().store.get(std::string_view(secret).substr(1), digits).has_value();
    const auto file = io::read_file(secret);
    if (!file) {
        call.report(log::Level::warning, fmt::format("Authenticate: {}", file.error().text()));
        return false;
    }
    for (const auto line : split(*file, '\n'))
        if (trim(line) == digits) return true;
    return false;
}

// Authenticate(password[,options[,maxdigits[,prompt]]]): three attempts, then the call ends.
Task<AppResult> authenticate(Call& call, std::string_view args) {
    auto& channel = static_cast<Channel&>(call);
    const auto arguments = dialplan::split_arguments(args);
    const std::string secret(argument(arguments, 0));
    if (secret.empty()) {
        channel.report(log::Level::warning, "Authenticate: no password given");
        co_return AppResult::hangup;
    }
    const OptionLetters options(argument(arguments, 1));
    Collection how;
    if (const auto most = parse_number<std::size_t>(argument(arguments, 2)); most && *most > 0)
        how.most = std::min(*most, max_digits);
    how.first = channel.response_timeout;
    how.next = channel.digit_timeout;
    std::string prompt(argument(arguments, 3).empty() ? "agent-pass" : argument(arguments, 3));
    if (!co_await open_media(channel)) co_return AppResult::hangup;
    for (int attempt = 0; attempt < 3 && !channel.hung_up(); ++attempt) {
        auto prompts = find_prompts(channel, prompt);
        const char first = co_await ask(channel, std::move(prompts.paths));
        if (channel.hung_up()) co_return AppResult::hangup;
        auto got = co_await collect(channel, first, how);
        if (is_password(call, got.digits, secret, options)) {
            if (options.has('a')) channel.accountcode = got.digits;
            auto thanks = find_prompts(channel, "auth-thankyou");
            (void)co_await channel.play_and_wait(std::move(thanks.paths));
            co_return after(channel);
        }
        prompt = "auth-incorrect";
    }
    auto goodbye = find_prompts(channel, "vm-goodbye");
    (void)co_await channel.play_and_wait(std::move(goodbye.paths));
    co_return AppResult::hangup;
}

// SendDTMF(digits[,ms between[,ms each[,channel]]]): `w` waits half a second, `W` a whole one.
Task<AppResult> send_dtmf(Call& call, std::string_view args) {
    auto& channel = static_cast<Channel&>(call);
    const auto arguments = dialplan::split_arguments(args);
    static constexpr Duration longest = std::chrono::seconds{10};
    const auto milliseconds = [&](std::size_t index, Duration otherwise) {
        const auto given = parse_milliseconds(argument(arguments, index));
        return given && *given > Duration::zero() ? std::min(*given, longest) : otherwise;
    };
    const Duration between = milliseconds(1, std::chrono::milliseconds{250});
    const Duration each = milliseconds(2, std::chrono::milliseconds{100});
    ChannelPtr target = channel.shared_from_this();
    if (const auto name = argument(arguments, 3); !name.empty()) {
        target = channel.core().channels.find_by_name(name);
        if (!target) {
            channel.report(log::Level::warning,
                           fmt::format("SendDTMF: there is no channel '{}'", name));
            co_return AppResult::proceed;
        }
    }
    const std::string digits(argument(arguments, 0).substr(0, max_digits));
    for (const char given : digits) {
        if (target->hung_up() || channel.hung_up()) break;
        Duration pause = between;
        const char digit = given >= 'a' && given <= 'd' ? static_cast<char>(given - 32) : given;
        if (given == 'w')
            pause = std::chrono::milliseconds{500};
        else if (given == 'W')
            pause = std::chrono::seconds{1};
        else if (std::string_view("0123456789*#ABCD").find(digit) != std::string_view::npos) {
            target->send_digit(digit, each);
            pause += each;
        } else {
            channel.report(log::Level::warning, fmt::format("SendDTMF: '{}' is no digit", given));
            continue;
        }
        (void)co_await channel.wait(pause);
    }
    co_return after(channel);
}

}  // namespace

void add_digit_applications(dialplan::Applications& applications) {
    applications.add("WaitExten",
                     "Wait for an extension to be dialled: WaitExten([seconds[,options]])",
                     wait_exten);
    applications.add(
        "Read", "Read digits: Read(var[,sound[&...][,max[,options[,attempts[,seconds]]]]])", read);
    applications.add("ReadExten",
                     "Read an extension: ReadExten(var[,sound[,context[,options[,seconds]]]])",
                     read_exten);
    applications.add("WaitDigit", "Wait for a digit: WaitDigit([seconds[,digits]])", wait_digit);
    applications.add("Authenticate",
                     "Ask for a password: Authenticate(password[,options[,max[,prompt]]])",
                     authenticate);
    applications.add("SendDTMF", "Send digits: SendDTMF(digits[,ms between[,ms each[,channel]]])",
                     send_dtmf);
}

}  // namespace strowger::pbx
