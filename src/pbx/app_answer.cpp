#include <fmt/format.h>

#include "base/text.hpp"
#include "pbx/applications.hpp"
#include "pbx/dialplan/arguments.hpp"
#include "pbx/dialplan/machine.hpp"
#include "pbx/prompt.hpp"

namespace strowger::pbx {

namespace {

using dialplan::AppResult;
using dialplan::Call;

Task<AppResult> answer(Call& call, std::string_view args) {
    auto& channel = static_cast<Channel&>(call);
    const bool was_up = channel.is_up();
    if (!co_await open_media(channel)) co_return AppResult::hangup;
    const auto arguments = dialplan::split_arguments(args);
    const auto delay = parse_milliseconds(argument(arguments, 0));
    if (was_up || !delay) co_return AppResult::proceed;
    co_return co_await channel.wait(*delay) ? AppResult::proceed : AppResult::hangup;
}

// Without argument it is the cause of what was last dialled, or a plain clearing: 603 when
// unanswered.
AppResult hangup(Call& call, std::string_view args) {
    auto& channel = static_cast<Channel&>(call);
    const auto wanted = trim(args);
    auto cause = channel.cause == Cause::none ? Cause::normal_clearing : channel.cause;
    if (!wanted.empty()) {
        if (const auto named = parse_cause(wanted))
            cause = channel.cause = *named;
        else
            channel.report(log::Level::warning, fmt::format("Hangup: '{}' is no cause", wanted));
    }
    channel.hangup(cause);
    return AppResult::hangup;
}

// A caller who was not answered hears it from his own exchange; one who was, as a tone from us.
Task<AppResult> refuse(Channel& channel, std::string_view args, Cause cause, std::string tone) {
    if (!channel.is_up()) {
        channel.cause = cause;
        channel.hangup(cause);
        co_return AppResult::hangup;
    }
    channel.cause = cause;
    channel.transfer_came_to(sip_status(cause));
    (void)co_await channel.play_tone(std::move(tone));
    const auto limit = parse_seconds(args);
    while (!channel.hung_up()) {
        if (!co_await channel.wait(limit.value_or(std::chrono::hours{24}))) break;
        if (limit || channel.interrupted() != Call::Interrupt::none) break;
    }
    co_await channel.stop_playing();
    co_return AppResult::hangup;
}

Task<AppResult> busy(Call& call, std::string_view args) {
    co_return co_await refuse(static_cast<Channel&>(call), args, Cause::user_busy, "busy");
}

Task<AppResult> congestion(Call& call, std::string_view args) {
    co_return co_await refuse(static_cast<Channel&>(call), args, Cause::normal_circuit_congestion,
                              "congestion");
}

AppResult ringing(Call& call, std::string_view) {
    static_cast<Channel&>(call).ring();
    return AppResult::proceed;
}

Task<AppResult> progress(Call& call, std::string_view) {
    co_return co_await open_media(static_cast<Channel&>(call), false) ? AppResult::proceed
                                                                      : AppResult::hangup;
}

// 100 has gone out by itself when the INVITE came.
AppResult proceeding(Call&, std::string_view) { return AppResult::proceed; }

// Unanswered: 484, and the phone dials on. Answered: we collect what is missing ourselves.
Task<AppResult> incomplete(Call& call, std::string_view) {
    auto& channel = static_cast<Channel&>(call);
    if (!channel.is_up()) {
        channel.cause = Cause::invalid_number_format;
        channel.hangup(Cause::invalid_number_format);
        co_return AppResult::hangup;
    }
    auto digits = channel.position().exten;
    const auto context = channel.position().context;
    const auto next = co_await channel.wait_digit(channel.response_timeout);
    if (!next)
        co_return channel.hung_up() ? AppResult::hangup
                                    : dialplan::Machine::timed_out(call, context);
    digits += *next;
    auto dialled = co_await collect_extension(channel, context, std::move(digits));
    co_return dialplan::Machine::dialled(call, context, dialled);
}

// SoftHangup(name[,a]): `a` takes every channel of that device, "PJSIP/alice".
AppResult soft_hangup(Call& call, std::string_view args) {
    auto& channel = static_cast<Channel&>(call);
    const auto arguments = dialplan::split_arguments(args);
    const auto wanted = argument(arguments, 0);
    if (wanted.empty()) {
        channel.report(log::Level::warning, "SoftHangup: which channel?");
        return AppResult::proceed;
    }
    const bool all = argument(arguments, 1).find('a') != std::string_view::npos;
    for (const auto& other : channel.core().channels.all()) {
        const std::string_view name = other->name();
        if (name == wanted || (all && name.substr(0, name.rfind('-')) == wanted))
            other->hangup(Cause::normal_clearing);
    }
    return channel.hung_up() ? AppResult::hangup : AppResult::proceed;
}

AppResult clear_cause(Call& call, std::string_view) {
    auto& channel = static_cast<Channel&>(call);
    channel.cause = Cause::none;
    channel.leg_outcomes.clear();
    return AppResult::proceed;
}

}  // namespace

void add_answer_applications(dialplan::Applications& applications) {
    applications.add("Answer", "Answer a channel if it rings: Answer([delay in ms])", answer);
    applications.add_quick("Hangup", "Hang up: Hangup([cause])", hangup);
    applications.add("Busy", "Signal busy: Busy([seconds])", busy);
    applications.add("Congestion", "Signal congestion: Congestion([seconds])", congestion);
    applications.add_quick("Ringing", "Signal ringing", ringing);
    applications.add("Progress", "Open early media", progress);
    applications.add_quick("Proceeding", "Signal that the call is under way", proceeding);
    applications.add("Incomplete", "Ask for more digits", incomplete);
    applications.add_quick("SoftHangup", "Hang up another channel: SoftHangup(name[,a])",
                           soft_hangup);
    applications.add_quick("HangupCauseClear", "Forget the causes of dialled legs", clear_cause);
}

}  // namespace strowger::pbx
