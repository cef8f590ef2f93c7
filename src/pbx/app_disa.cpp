// DISA and PrivacyManager: who may go on, by what is dialled.

#include <fmt/format.h>

#include "base/text.hpp"
#include "io/file.hpp"
#include "pbx/applications.hpp"
#include "pbx/dialplan/arguments.hpp"
#include "pbx/dialplan/machine.hpp"
#include "pbx/option_letters.hpp"
#include "pbx/prompt.hpp"

namespace strowger::pbx {

namespace {

using dialplan::AppResult;
using dialplan::Call;

constexpr std::size_t max_file = 64u << 10;  // of passwords for DISA
constexpr std::size_t max_digits = 64;
/// A caller who has the wrong password hears congestion that long.
constexpr Duration congestion_time = std::chrono::seconds{10};

AppResult after(const Channel& channel) {
    return channel.hung_up() ? AppResult::hangup : AppResult::proceed;
}

bool goes_on(const Channel& channel) {
    return !channel.hung_up() && channel.interrupted() == Call::Interrupt::none;
}

/// What a password opens.
struct Access {
    std::string context, caller;
};

// "no-password", a number, or a file of lines "password[,context[,caller]]" with comments.
std::optional<Access> access_by(std::string_view secret, std::string_view given,
                                const Access& otherwise) {
    if (iequals(secret, "no-password")) return otherwise;
    if (!secret.starts_with('/')) return secret == given ? std::optional(otherwise) : std::nullopt;
    const auto text = io::read_file(std::string(secret), max_file);
    if (!text) return std::nullopt;
    for (const auto raw : split(*text, '\n')) {
        const auto line = trim(raw.substr(0, raw.find_first_of("#;")));
        const auto [password, rest] = split_once(line, ',');
        if (password.empty() || trim(password) != given) continue;
        const auto [context, caller] = split_once(rest, ',');
        Access access = otherwise;
        if (!trim(context).empty()) access.context = trim(context);
        if (!trim(caller).empty()) access.caller = trim(caller);
        return access;
    }
    return std::nullopt;
}

Task<AppResult> congestion(Channel& channel) {
    std::string tone = "congestion";
    (void)co_await channel.play_tone(std::move(tone));
    (void)co_await channel.wait(congestion_time);
    co_return AppResult::hangup;
}

// Digits to '#', with the dial tone until the first one.
Task<std::string> read_password(Channel& channel) {
    std::string digits;
    std::string tone = "dial";
    (void)co_await channel.play_tone(std::move(tone));
    auto digit = co_await channel.wait_digit(channel.response_timeout);
    co_await channel.stop_playing();
    while (digit && *digit != '#' && digits.size() < max_digits) {
        digits += *digit;
        digit = co_await channel.wait_digit(channel.digit_timeout);
    }
    co_return digits;
}

// A number of the context, as it would be dialled at a phone.
Task<AppResult> dial_on(Channel& channel, std::string context, bool pound_ends) {
    std::string tone = "dial", digits;
    (void)co_await channel.play_tone(std::move(tone));
    auto digit = co_await channel.wait_digit(channel.response_timeout);
    co_await channel.stop_playing();
    const auto plan = channel.dialplan();
    while (digit && !(pound_ends && *digit == '#') && digits.size() < dialplan::max_exten) {
        digits += *digit;
        if (!pound_ends && !plan->could_match_longer(context, digits, channel.query())) break;
        digit = co_await channel.wait_digit(channel.digit_timeout);
    }
    if (!goes_on(channel)) co_return after(channel);
    if (plan->exists(context, digits, channel.query()) ||
        plan->exists(context, "i", channel.query()))
        co_return dialplan::Machine::dialled(channel, context, digits);
    co_return co_await congestion(channel);
}

// DISA(password|file[,context[,caller[,mailbox[,options]]]]): options n no answer, p `#` ends.
Task<AppResult> disa(Call& call, std::string_view args) {
    auto& channel = static_cast<Channel&>(call);
    const auto arguments = dialplan::split_arguments(args);
    const std::string secret(trim(argument(arguments, 0)));
    const OptionLetters options(argument(arguments, 4));
    if (secret.empty()) {
        channel.report(log::Level::warning, "DISA: which password?");
        co_return AppResult::proceed;
    }
    Access access{std::string(trim(argument(arguments, 1))),
                  std::string(trim(argument(arguments, 2)))};
    if (access.context.empty()) access.context = "disa";
    if (!co_await open_media(channel, !options.has('n'))) co_return AppResult::hangup;
    if (!iequals(secret, "no-password")) {
        const auto given = co_await read_password(channel);
        if (!goes_on(channel)) co_return after(channel);
        const auto opened = access_by(secret, given, access);
        if (!opened) {
            channel.report(log::Level::notice, "DISA: a wrong password");
            co_return co_await congestion(channel);
        }
        access = *opened;
    }
    if (!access.caller.empty())
        (void)channel.assign(
            access.caller.find('<') == std::string::npos ? "CALLERID(num)" : "CALLERID(all)",
            access.caller);
    co_return co_await dial_on(channel, std::move(access.context), options.has('p'));
}

Task<std::string> ask_number(Channel& channel, std::string prompt, std::size_t most) {
    auto prompts = find_prompts(channel, prompt);
    std::string digits;
    const auto played = co_await channel.play_and_wait(std::move(prompts.paths), "any");
    auto digit = played.digit ? std::optional(played.digit)
                              : co_await channel.wait_digit(channel.response_timeout);
    while (digit && *digit != '#' && digits.size() < most) {
        digits += *digit;
        digit = co_await channel.wait_digit(channel.digit_timeout);
    }
    co_return digits;
}

// PrivacyManager([retries[,digits[,options[,context]]]]): a caller without a number is asked for
// it.
Task<AppResult> privacy_manager(Call& call, std::string_view args) {
    auto& channel = static_cast<Channel&>(call);
    const auto status = [&](std::string_view text) {
        (void)call.variables().set("PRIVACYMGRSTATUS", std::string(text));
        return after(channel);
    };
    if (!channel.caller.number.empty()) co_return status("SUCCESS");
    const auto arguments = dialplan::split_arguments(args);
    const auto defaults = channel.core().config->privacy;
    static constexpr unsigned most_tries = 100;
    const auto tries = std::clamp(
        parse_number<unsigned>(trim(argument(arguments, 0))).value_or(defaults.maxretries), 1u,
        most_tries);
    const auto least =
        parse_number<std::size_t>(trim(argument(arguments, 1))).value_or(defaults.minlength);
    const std::string context(trim(argument(arguments, 3)));
    if (!co_await open_media(channel)) co_return AppResult::hangup;
    std::string prompt = "privacy-unident&privacy-prompt";
    for (unsigned tried = 0; tried < tries && goes_on(channel); ++tried) {
        const auto number = co_await ask_number(channel, std::move(prompt), max_digits);
        if (!goes_on(channel)) break;
        const bool valid =
            number.size() >= least &&
            (context.empty() || channel.dialplan()->exists(context, number, channel.query()));
        if (valid) {
            (void)channel.assign("CALLERID(num)", number);
            channel.caller.restricted = false;
            auto thanks = find_prompts(channel, "privacy-thankyou");
            if (!thanks.paths.empty())
                (void)co_await channel.play_and_wait(std::move(thanks.paths));
            co_return status("SUCCESS");
        }
        prompt = "privacy-incorrect&privacy-prompt";
    }
    co_return status("FAILED");
}

}  // namespace

void add_access_applications(dialplan::Applications& applications) {
    applications.add(
        "DISA",
        "A dial tone for callers from outside: DISA(password|file[,context[,caller[,mailbox[,"
        "options]]]])",
        disa);
    applications.add("PrivacyManager",
                     "Ask callers without a number for it: PrivacyManager([tries[,digits[,options[,"
                     "context]]]])",
                     privacy_manager);
}

}  // namespace strowger::pbx
