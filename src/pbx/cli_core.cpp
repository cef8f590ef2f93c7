#include <fmt/format.h>

#include "base/version.hpp"
#include "io/clock.hpp"
#include "pbx/bridge.hpp"
#include "pbx/cli.hpp"
#include "pbx/exchange.hpp"
#include "pbx/log_targets.hpp"
#include "pbx/originate.hpp"

namespace strowger::pbx {

namespace {

using Arguments = std::vector<std::string>;

std::string duration_text(Duration duration) {
    const auto s = std::chrono::duration_cast<std::chrono::seconds>(duration).count();
    return fmt::format("{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
}

std::string long_duration_text(Duration duration) {
    const auto s = std::chrono::duration_cast<std::chrono::seconds>(duration).count();
    std::string text;
    const auto unit = [&](std::int64_t n, const char* name) {
        if (n > 0)
            text += fmt::format("{}{} {}{}", text.empty() ? "" : ", ", n, name, n == 1 ? "" : "s");
    };
    unit(s / 86400, "day");
    unit(s / 3600 % 24, "hour");
    unit(s / 60 % 60, "minute");
    unit(s % 60, "second");
    return text.empty() ? "0 seconds" : text;
}

std::string show_channels(Exchange& exchange, const Arguments& arguments) {
    const auto form = arguments.empty() ? std::string() : arguments.front();
    const auto channels = exchange.core().channels.all();
    std::string text;
    std::size_t calls = 0;
    for (const auto& channel : channels) calls += channel->has_dialplan;
    const auto now = exchange.core().now();
    if (form == "concise") {
        for (const auto& c : channels)
            text += fmt::format("{}!{}!{}!{}!{}!{}!{}!{}!!!3!{}!{}!{}\n", c->name(),
                                c->position().context, c->position().exten, c->position().priority,
                                c->state_text(), c->last_application, c->last_arguments,
                                c->caller.number,
                                static_cast<std::int64_t>(seconds(now - c->created())),
                                c->bridge ? c->bridge->id() : "", c->uniqueid());
        return text;
    }
    if (form != "count") {
        if (form == "verbose")
            text += fmt::format("{:32} {:20} {:16} {:4} {:8} {:14} {:24} {:16} {:9}\n", "Channel",
                                "Context", "Extension", "Prio", "State", "Application", "Data",
                                "CallerID", "Duration");
        else
            text += fmt::format("{:32} {:28} {:8} {}\n", "Channel", "Location", "State",
                                "Application(Data)");
        for (const auto& c : channels) {
            if (form == "verbose")
                text +=
                    fmt::format("{:32} {:20} {:16} {:4} {:8} {:14} {:24} {:16} {:9}\n", c->name(),
                                c->position().context, c->position().exten, c->position().priority,
                                c->state_text(), c->last_application, c->last_arguments,
                                c->caller.number, duration_text(now - c->created()));
            else
                text += fmt::format(
                    "{:32} {:28} {:8} {}\n", c->name(),
                    c->has_dialplan ? fmt::format("{}@{}:{}", c->position().exten,
                                                  c->position().context, c->position().priority)
                                    : std::string("(None)"),
                    c->state_text(),
                    c->last_application.empty()
                        ? std::string("(None)")
                        : fmt::format("{}({})", c->last_application, c->last_arguments));
        }
    }
    text += fmt::format("{} active channel{}\n{} active call{}\n{} calls processed\n",
                        channels.size(), channels.size() == 1 ? "" : "s", calls,
                        calls == 1 ? "" : "s", exchange.core().channels.calls);
    return text;
}

Result<std::string> show_channel(Exchange& exchange, const Arguments& arguments) {
    const auto c =
        arguments.empty() ? nullptr : exchange.core().channels.find_by_name(arguments.front());
    if (!c) return fail("{} is not a known channel\n", arguments.empty() ? "" : arguments.front());
    std::string text = fmt::format(
        " -- General --\n           Name: {}\n       UniqueID: {}\n       LinkedID: {}\n      "
        "Caller ID: {}\n Caller ID Name: {}\n"
        "Connected Line ID: {}\nConnected Line ID Name: {}\n       Language: {}\n          State: "
        "{}\n   Elapsed Time: {}\n"
        "      Bridge ID: {}\n --   PBX   --\n        Context: {}\n      Extension: {}\n       "
        "Priority: {}\n    Application: {}\n"
        "           Data: {}\n        Call-ID: {}\n      Variables:\n",
        c->name(), c->uniqueid(), c->linkedid(), c->caller.number, c->caller.name,
        c->connected.number, c->connected.name, c->language, c->state_text(),
        duration_text(exchange.core().now() - c->created()),
        c->bridge ? c->bridge->id() : "(Not bridged)", c->position().context, c->position().exten,
        c->position().priority, c->last_application, c->last_arguments, c->call_id());
    for (const auto& [name, value] : c->variables().all())
        text += fmt::format("{}={}\n", name, value);
    return text;
}

Result<std::string> hang_up(Exchange& exchange, const Arguments& arguments) {
    if (arguments.empty()) return fail("which channel, or 'all'?\n");
    std::string text;
    for (const auto& channel : exchange.core().channels.all()) {
        if (arguments.front() != "all" && !iequals(channel->name(), arguments.front())) continue;
        text += fmt::format("Requested Hangup on channel '{}'\n", channel->name());
        channel->hangup(Cause::normal_clearing);
    }
    exchange.core().signalling.touch();
    if (text.empty() && arguments.front() != "all")
        return fail("{} is not a known channel\n", arguments.front());
    return text;
}

// TECH/DEST application NAME [DATA] | TECH/DEST extension [EXTEN@CONTEXT]: does not wait for the
// answer.
Result<std::string> originate_call(Exchange& exchange, const Arguments& arguments) {
    const auto usage =
        "channel originate TECH/DEST application NAME [DATA] | extension [EXTEN@CONTEXT]\n";
    if (arguments.size() < 2 || arguments[0].find('/') == std::string::npos)
        return fail("{}", usage);
    const auto targets = DialTarget::parse_list(arguments[0]);
    if (targets.size() != 1) return fail("{}", usage);
    Origination wanted;
    wanted.target = targets.front();
    if (iequals(arguments[1], "application") && arguments.size() >= 3) {
        wanted.application.name = arguments[2];
        if (!exchange.applications().find(arguments[2]))
            return fail("there is no application '{}'\n", arguments[2]);
        for (std::size_t i = 3; i < arguments.size(); ++i)
            (wanted.application.arguments += i > 3 ? " " : "") += arguments[i];
    } else if (iequals(arguments[1], "extension") && arguments.size() <= 3) {
        const auto [exten, context] =
            split_once(arguments.size() == 3 ? arguments[2] : std::string_view(), '@');
        wanted.position = {context.empty() ? "default" : std::string(context),
                           exten.empty() ? "s" : std::string(exten), 1};
    } else {
        return fail("{}", usage);
    }
    exchange.core().tasks.spawn(
        [](Core& core, Bridge::Starter starter, Origination request, std::string whom) -> Task<> {
            const auto outcome = co_await originate(core, std::move(starter), std::move(request));
            if (!outcome.channel)
                LOG_NOTICE((log::About{"pbx", {}, whom}), "channel originate: {}{}{}",
                           outcome.status, outcome.error.empty() ? "" : ": ", outcome.error);
        }(exchange.core(), exchange.starter(), std::move(wanted), arguments[0]));
    exchange.core().signalling.touch();
    return std::string();
}

Result<std::string> show_call(Exchange& exchange, const Arguments& arguments) {
    const auto& trace = exchange.core().trace;
    const bool json = !arguments.empty() && arguments.back() == "json";
    if (arguments.empty() || (json && arguments.size() == 1)) {
        std::string text = fmt::format("{:20} {:8} {:16} {:7} {:5} {}\n", "Id", "State", "Dialled",
                                       "Seconds", "Cause", "Legs");
        for (const auto& call : trace.calls()) {
            std::string legs;
            for (const auto& leg : call->legs) legs += (legs.empty() ? "" : " ") + leg.channel;
            text += fmt::format(
                "{:20} {:8} {:16} {:7.1f} {:5} {}\n", call->linkedid,
                call->ended      ? "ended"
                : call->answered ? "up"
                                 : "setup",
                call->dialled,
                call->answered
                    ? seconds(call->ended.value_or(exchange.core().now()) - *call->answered)
                    : 0.0,
                static_cast<int>(call->cause), legs);
        }
        return text;
    }
    const auto* call = trace.find(arguments.front());
    if (!call)
        return json ? Result<std::string>("{}\n")
                    : fail("no call '{}' among the last {}\n", arguments.front(), Trace::max_calls);
    return json ? Trace::json(*call, exchange.core().now())
                : Trace::text(*call, exchange.core().now());
}

std::string show_uptime(Exchange& exchange) {
    const auto now = exchange.core().now();
    return fmt::format("System uptime: {}\nLast reload: {}\n",
                       long_duration_text(now - exchange.started()),
                       long_duration_text(now - exchange.loaded()));
}

std::string show_settings(Exchange& exchange) {
    const auto& config = *exchange.core().config;
    return fmt::format(
        "Version:                     {}\nConfiguration directory:     {}\nState directory:        "
        "     {}\n"
        "Recordings:                  {}\nMaximum calls:               {}\nRTP ports:              "
        "     {} to {}\n"
        "Default language:            {}\nChannels now:                {}\n",
        version, exchange.options().config_directory, exchange.options().state_directory,
        exchange.core().recordings,
        config.asterisk.maxcalls ? std::to_string(config.asterisk.maxcalls) : "no limit",
        config.rtp.rtpstart, config.rtp.rtpend, config.asterisk.defaultlanguage,
        exchange.core().channels.size());
}

}  // namespace

void add_core_commands(Cli& cli, Exchange& exchange) {
    const auto add = [&](const char* words, const char* usage, const char* summary, auto run) {
        cli.add(
            {words, usage, summary, [run, &exchange](const Arguments& a) -> Result<std::string> {
                 return run(exchange, a);
             }});
    };
    add("core show channels", "[concise|verbose|count]", "Channels, and how many calls there were",
        [](Exchange& e, const Arguments& a) { return show_channels(e, a); });
    add("core show channel", "NAME", "One channel with its variables", show_channel);
    add("core show calls", "", "How many calls there are",
        [](Exchange& e, const Arguments&) { return show_channels(e, {"count"}); });
    add("core show uptime", "", "Since when it runs",
        [](Exchange& e, const Arguments&) { return show_uptime(e); });
    add("core show version", "", "The version",
        [](Exchange&, const Arguments&) { return fmt::format("Strowger {}\n", version); });
    add("core show settings", "", "Directories, limits, ports",
        [](Exchange& e, const Arguments&) { return show_settings(e); });
    add("core reload", "", "Load the configuration anew",
        [](Exchange& e, const Arguments&) -> Result<std::string> {
            if (auto done = e.reload(); !done) return std::unexpected(done.error());
            return std::string("Configuration reloaded\n");
        });
    const auto now = [](bool again) {
        return [again](Exchange& e, const Arguments&) -> Result<std::string> {
            e.core().loop.post([&e, again] { again ? e.restart() : e.stop(); });
            return std::string(again ? "Restarting\n" : "Stopping\n");
        };
    };
    const auto later = [](bool refuse, bool again) {
        return [refuse, again](Exchange& e, const Arguments&) -> Result<std::string> {
            e.stop_when_idle(refuse, again);
            return fmt::format(
                "Waiting for {} channels to end; 'core abort shutdown' takes it back\n",
                e.core().channels.size());
        };
    };
    add("core stop now", "", "Hang up all calls and end", now(false));
    add("core stop gracefully", "", "Take no new calls, and end after the last",
        later(true, false));
    add("core stop when convenient", "", "End when there are no calls", later(false, false));
    add("core restart now", "", "Hang up all calls and start anew", now(true));
    add("core restart gracefully", "", "Take no new calls, and start anew after the last",
        later(true, true));
    add("core restart when convenient", "", "Start anew when there are no calls",
        later(false, true));
    add("core abort shutdown", "", "Take back a stop or restart that waits",
        [](Exchange& e, const Arguments&) -> Result<std::string> {
            if (!e.carry_on()) return fail("there is no stop that waits\n");
            return std::string("It goes on\n");
        });
    add("core show applications", "", "Dialplan applications", [](Exchange& e, const Arguments&) {
        std::string text;
        for (const auto name : e.applications().names())
            if (const auto* entry = e.applications().find(name))
                text += fmt::format("{:>22}: {}\n", entry->name, entry->synopsis);
        return text;
    });
    add("core show functions", "", "Dialplan functions", [](Exchange& e, const Arguments&) {
        std::string text;
        for (const auto name : e.functions().names())
            if (const auto* entry = e.functions().find(name))
                text += fmt::format("{:>22}: {}\n", name, entry->synopsis);
        return text;
    });
    add("core set verbose", "N", "0: notices, 1 and more: every dialplan step",
        [](Exchange&, const Arguments& a) -> Result<std::string> {
            const auto level = a.empty() ? std::nullopt : parse_number<int>(a.front());
            if (!level) return fail("core set verbose takes a number\n");
            log::set_level(*level > 0 ? log::Level::verbose : log::Level::notice);
            return fmt::format("Console verbose is now {}.\n", *level);
        });
    add("core set debug", "N", "0: off", [](Exchange&, const Arguments& a) -> Result<std::string> {
        const auto level = a.empty() ? std::nullopt : parse_number<int>(a.front());
        if (!level) return fail("core set debug takes a number\n");
        log::set_level(*level > 0 ? log::Level::debug : log::Level::notice);
        return fmt::format("Core debug is now {}.\n", *level);
    });
    add("logger show channels", "", "Where the log goes, beside standard error",
        [](Exchange& e, const Arguments&) {
            std::string text = fmt::format("{:40} {:10} {}\n", "Channel", "Type", "Levels");
            for (const auto& target : e.core().config->logger.targets) {
                using Kind = config::Logger::Target::Kind;
                text += fmt::format("{:40} {:10} {}\n", target.name,
                                    target.kind == Kind::console  ? "Console"
                                    : target.kind == Kind::syslog ? "Syslog"
                                                                  : "File",
                                    fmt::join(target.levels, " "));
            }
            return text;
        });
    const auto reopen = [](Exchange& e, const Arguments&) {
        set_log_targets(*e.core().config, e.options().state_directory);
        return std::string("Log files opened anew\n");
    };
    add("logger rotate", "", "Open the log files anew, after they were moved away", reopen);
    add("logger reload", "", "The same", reopen);
    add("channel request hangup", "NAME|all", "End a channel", hang_up);
    add("channel originate", "TECH/DEST application NAME [DATA] | extension [EXTEN@CONTEXT]",
        "Call somebody, and run that when he answers", originate_call);
    add("call show", "[ID|last [json]]", "The last calls; one as SIP, dialplan and media saw it",
        show_call);
}

}  // namespace strowger::pbx
