#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "base/text.hpp"
#include "pbx/applications.hpp"
#include "pbx/dialplan/arguments.hpp"
#include "pbx/dialplan/machine.hpp"
#include "pbx/dialplan/time_spec.hpp"
#include "pbx/prompt.hpp"
#include "pbx/spoken.hpp"

namespace strowger::pbx {

namespace {

using dialplan::AppResult;
using dialplan::Call;

// With SAY_DTMF_INTERRUPT a digit ends it and begins an extension, as with Background.
Task<AppResult> say(Channel& channel, Spoken names) {
    if (!co_await open_media(channel)) co_return AppResult::hangup;
    auto prompts = find_prompts(channel, fmt::format("{}", fmt::join(names, "&")));
    if (prompts.paths.empty()) co_return AppResult::proceed;
    const bool interruptible = is_true(channel.variable("SAY_DTMF_INTERRUPT").value_or(""));
    const auto played =
        co_await channel.play_and_wait(std::move(prompts.paths), interruptible ? "any" : "");
    if (channel.hung_up()) co_return AppResult::hangup;
    if (!played.digit) co_return AppResult::proceed;
    const std::string context = channel.position().context;
    const auto dialled = co_await collect_extension(channel, context, std::string(1, played.digit));
    if (channel.hung_up()) co_return AppResult::hangup;
    co_return dialplan::Machine::dialled(channel, context, dialled);
}

const Speech& speech_of(const Channel& channel) { return Speech::of(channel.language); }

Task<AppResult> say_digits(Call& call, std::string_view args) {
    auto& channel = static_cast<Channel&>(call);
    co_return co_await say(channel, speech_of(channel).digits(trim(args)));
}

Task<AppResult> say_alpha(Call& call, std::string_view args) {
    auto& channel = static_cast<Channel&>(call);
    co_return co_await say(channel, speech_of(channel).letters(args));
}

Task<AppResult> say_phonetic(Call& call, std::string_view args) {
    auto& channel = static_cast<Channel&>(call);
    co_return co_await say(channel, speech_of(channel).phonetic(args));
}

// "12" of "12,f": the gender matters in other languages only.
std::optional<std::int64_t> number_in(Channel& channel, std::string_view args,
                                      std::string_view application) {
    const auto text = trim(split_once(args, ',').first);
    const auto number = parse_number<std::int64_t>(text);
    if (!number)
        channel.report(log::Level::warning,
                       fmt::format("{}: '{}' is no whole number", application, text));
    return number;
}

Task<AppResult> say_number(Call& call, std::string_view args) {
    auto& channel = static_cast<Channel&>(call);
    const auto number = number_in(channel, args, "SayNumber");
    if (!number) co_return AppResult::proceed;
    co_return co_await say(channel, speech_of(channel).number(*number));
}

Task<AppResult> say_ordinal(Call& call, std::string_view args) {
    auto& channel = static_cast<Channel&>(call);
    const auto number = number_in(channel, args, "SayOrdinal");
    if (!number) co_return AppResult::proceed;
    co_return co_await say(channel, speech_of(channel).ordinal(*number));
}

// "12.5" in hundredths, further digits cut off.
std::optional<std::int64_t> parse_cents(std::string_view text) {
    const bool negative = text.starts_with('-');
    if (negative) text.remove_prefix(1);
    const auto [whole, fraction] = split_once(text, '.');
    std::string cents(fraction.substr(0, 2));
    cents.resize(2, '0');
    const auto units =
        whole.empty() ? std::optional<std::uint32_t>(0) : parse_number<std::uint32_t>(whole);
    const auto rest = parse_number<std::uint32_t>(cents);
    if (!units || !rest || text.empty()) return std::nullopt;
    const auto value = std::int64_t{*units} * 100 + *rest;
    return negative ? -value : value;
}

Task<AppResult> say_money(Call& call, std::string_view args) {
    auto& channel = static_cast<Channel&>(call);
    const auto cents = parse_cents(trim(split_once(args, ',').first));
    if (!cents) {
        channel.report(log::Level::warning, fmt::format("SayMoney: '{}' is no amount", args));
        co_return AppResult::proceed;
    }
    co_return co_await say(channel, speech_of(channel).money(*cents));
}

// SayUnixTime([seconds[,zone[,format]]])
Task<AppResult> say_time(Call& call, std::string_view args) {
    auto& channel = static_cast<Channel&>(call);
    const auto arguments = dialplan::split_arguments(args);
    const WallTime now = call.now();
    WallTime when = now;
    static constexpr std::int64_t latest = 253402300799;  // the end of the year 9999
    if (const auto given = parse_number<std::int64_t>(trim(argument(arguments, 0)));
        given && *given >= 0 && *given <= latest) {
        // Nanoseconds since 1970 reach to the year 2262 only.
        static constexpr std::int64_t representable = 9'000'000'000;
        when = WallTime(std::chrono::seconds{std::min(*given, representable)});
    }
    const std::string zone(argument(arguments, 1).empty() ? call.time_zone()
                                                          : argument(arguments, 1));
    const auto& speech = speech_of(channel);
    const std::string format(argument(arguments, 2).empty() ? speech.default_time_format()
                                                            : argument(arguments, 2));
    co_return co_await say(
        channel, speech.time(dialplan::in_zone(when, zone), dialplan::in_zone(now, zone), format));
}

}  // namespace

void add_say_applications(dialplan::Applications& applications) {
    applications.add("SayDigits", "Say digits one by one: SayDigits(digits)", say_digits);
    applications.add("SayNumber", "Say a number: SayNumber(number[,gender])", say_number);
    applications.add("SayAlpha", "Spell: SayAlpha(text)", say_alpha);
    applications.add("SayPhonetic", "Spell with words: SayPhonetic(text)", say_phonetic);
    applications.add("SayOrdinal", "Say an ordinal number: SayOrdinal(number)", say_ordinal);
    applications.add("SayMoney", "Say an amount: SayMoney(amount)", say_money);
    applications.add("SayUnixTime", "Say a time: SayUnixTime([seconds[,zone[,format]]])", say_time);
}

}  // namespace strowger::pbx
