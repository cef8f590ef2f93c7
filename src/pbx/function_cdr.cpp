#include <fmt/format.h>

#include "base/text.hpp"
#include "pbx/app_cdr.hpp"
#include "pbx/applications.hpp"
#include "pbx/dialplan/arguments.hpp"
#include "pbx/dialplan/time_spec.hpp"
#include "pbx/option_letters.hpp"
#include "pbx/prompt.hpp"

namespace strowger::pbx {

namespace {

using dialplan::Call;

// A moment of the monotonic clock as the wall shows it.
WallTime wall(const Channel& channel, Time when) {
    return channel.now() -
           std::chrono::duration_cast<WallTime::duration>(channel.core().now() - when);
}

std::string time_text(const Channel& channel, std::optional<Time> when, bool raw) {
    if (!when) return raw ? "0.000000" : "";
    const auto at = wall(channel, *when);
    if (raw)
        return fmt::format("{:.6f}", std::chrono::duration<double>(at.time_since_epoch()).count());
    const auto local = dialplan::in_zone(at, channel.time_zone());
    return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}", local.tm_year + 1900,
                       local.tm_mon + 1, local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec);
}

std::string duration_text(Duration duration, bool exact) {
    if (exact) return fmt::format("{:.6f}", seconds(duration));
    return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(duration).count());
}

std::string disposition(const Channel& channel, bool raw) {
    if (channel.answered_at()) return raw ? "8" : "ANSWERED";
    const auto status = channel.variable("DIALSTATUS").value_or("");
    if (status == "BUSY" || channel.cause == Cause::user_busy) return raw ? "2" : "BUSY";
    if (status == "CONGESTION") return raw ? "16" : "CONGESTION";
    if (status == "CHANUNAVAIL") return raw ? "4" : "FAILED";
    return raw ? "0" : "NO ANSWER";
}

// The fields of a call detail record as they are at this moment. Others are what was set.
std::string field(const Channel& channel, const std::string& name, const OptionLetters& options) {
    const bool raw = options.has('u');
    const bool exact = options.has('f');
    const Time now = channel.core().now();
    if (name == "clid")
        return channel.caller.name.empty()
                   ? channel.caller.number
                   : fmt::format("\"{}\" <{}>", channel.caller.name, channel.caller.number);
    if (name == "src") return channel.caller.number;
    if (name == "dst") return channel.position().exten;
    if (name == "dcontext") return channel.position().context;
    if (name == "channel") return channel.name();
    if (name == "dstchannel") return channel.variable("DIALEDPEERNAME").value_or("");
    if (name == "lastapp") return channel.last_application;
    if (name == "lastdata") return channel.last_arguments;
    if (name == "start") return time_text(channel, record_start(channel), raw);
    if (name == "answer") return time_text(channel, record_answer(channel), raw);
    if (name == "end")
        return time_text(channel, channel.hung_up() ? std::optional(now) : std::nullopt, raw);
    if (name == "duration") return duration_text(now - record_start(channel), exact);
    if (name == "billsec") return duration_text(now - record_answer(channel).value_or(now), exact);
    if (name == "disposition") return disposition(channel, raw);
    if (name == "amaflags") return raw ? "3" : "DOCUMENTATION";
    if (name == "accountcode") return channel.accountcode;
    if (name == "uniqueid") return channel.uniqueid();
    if (name == "linkedid") return channel.linkedid();
    if (name == "userfield") return channel.userfield;
    if (name == "sequence") return std::to_string(channel.serial());
    return channel.variable("CDR." + name).value_or("");
}

Result<std::string> read(Call& call, std::string_view args) {
    const auto arguments = dialplan::split_arguments(args);
    const auto name = to_lower(trim(argument(arguments, 0)));
    if (name.empty()) return fail("CDR needs the name of a field");
    return field(static_cast<const Channel&>(call), name, OptionLetters(argument(arguments, 1)));
}

Result<> write(Call& call, std::string_view args, std::string_view value) {
    auto& channel = static_cast<Channel&>(call);
    const auto arguments = dialplan::split_arguments(args);
    const auto name = to_lower(trim(argument(arguments, 0)));
    static constexpr std::string_view fixed[] = {
        "clid",    "src",         "dst",      "dcontext", "channel",  "dstchannel",
        "lastapp", "lastdata",    "start",    "answer",   "end",      "duration",
        "billsec", "disposition", "amaflags", "uniqueid", "linkedid", "sequence"};
    if (name.empty()) return fail("CDR needs the name of a field");
    for (const auto known : fixed)
        if (name == known) return fail("CDR({}) cannot be set", name);
    if (name == "accountcode")
        channel.accountcode = value;
    else if (name == "userfield")
        channel.userfield = value;
    else
        return call.variables().set("CDR." + name, std::string(value));
    return {};
}

}  // namespace

void add_cdr_functions(dialplan::Functions& functions) {
    functions.add("CDR",
                  "What the call's record says so far: CDR(field[,u|f]); userfield, accountcode "
                  "and own fields can be set",
                  read, write);
}

}  // namespace strowger::pbx
