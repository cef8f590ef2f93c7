#include <fmt/format.h>

#include "base/text.hpp"
#include "io/process.hpp"
#include "pbx/applications.hpp"
#include "pbx/dialplan/arguments.hpp"
#include "pbx/prompt.hpp"

namespace strowger::pbx {

namespace {

using dialplan::AppResult;
using dialplan::Call;

// The original waits for ever; a shell that hangs must not keep a call's remains for good.
constexpr Duration command_limit = std::chrono::hours{1};

AppResult after(const Channel& channel) {
    return channel.hung_up() ? AppResult::hangup : AppResult::proceed;
}

// System(command): through the shell. SYSTEMSTATUS is SUCCESS, APPERROR (it failed) or FAILURE (it
// could not be run).
Task<AppResult> run_command(Channel& channel, std::string command) {
    if (command.size() >= 2 && command.starts_with('"') && command.ends_with('"'))
        command = command.substr(1, command.size() - 2);
    std::string status = "FAILURE";
    if (!trim(command).empty()) {
        io::Process::Options options;
        options.arguments.emplace_back("sh");
        options.arguments.emplace_back("-c");
        options.arguments.push_back(command);
        std::string input;
        const auto result = co_await io::run_process(channel.core().loop, std::move(options),
                                                     std::move(input), command_limit);
        static constexpr int not_found = 127;  // what the shell says when there is no such program
        if (!result)
            channel.report(log::Level::warning, fmt::format("System: {}", result.error().text()));
        else if (result->status.code != not_found)
            status = result->status.success() ? "SUCCESS" : "APPERROR";
        if (status == "FAILURE")
            channel.report(log::Level::warning,
                           fmt::format("System: '{}' could not be run", command));
    }
    (void)channel.variables().set("SYSTEMSTATUS", std::move(status));
    co_return after(channel);
}

Task<AppResult> system(Call& call, std::string_view args) {
    co_return co_await run_command(static_cast<Channel&>(call), std::string(args));
}

// UserEvent(name[,header: value...])
AppResult user_event(Call& call, std::string_view args) {
    auto& channel = static_cast<Channel&>(call);
    const auto arguments = dialplan::split_arguments(args);
    if (argument(arguments, 0).empty()) {
        channel.report(log::Level::warning, "UserEvent: which event?");
        return AppResult::proceed;
    }
    events::UserEvent event;
    event.channel = channel.name();
    event.uniqueid = channel.uniqueid();
    event.name = argument(arguments, 0);
    for (std::size_t i = 1; i < arguments.size(); ++i) {
        const auto [key, value] = split_once(arguments[i], ':');
        if (!trim(key).empty()) event.headers.emplace_back(trim(key), trim(value));
    }
    channel.core().events.publish(event);
    return AppResult::proceed;
}

AppResult dump_channel(Call& call, std::string_view) {
    auto& channel = static_cast<Channel&>(call);
    std::string text =
        fmt::format("{} {} uniqueid={} linkedid={} caller=\"{}\" <{}> connected=\"{}\" <{}> at {}",
                    channel.name(), text_of(channel.state()), channel.uniqueid(),
                    channel.linkedid(), channel.caller.name, channel.caller.number,
                    channel.connected.name, channel.connected.number, call.position().text());
    for (const auto& [name, value] : call.variables().all())
        text += fmt::format(" {}={}", name, value);
    channel.report(log::Level::notice, text);
    return AppResult::proceed;
}

// SendText(text): SENDTEXTSTATUS is SUCCESS, FAILURE or UNSUPPORTED.
AppResult send_text(Call& call, std::string_view args) {
    auto& channel = static_cast<Channel&>(call);
    const auto text =
        args.empty() ? call.variable("SENDTEXT_BODY").value_or("") : std::string(args);
    const auto sent = channel.send_text(text);
    if (!sent) channel.report(log::Level::notice, fmt::format("SendText: {}", sent.error().text()));
    (void)call.variables().set("SENDTEXTSTATUS", sent ? "SUCCESS" : "FAILURE");
    return after(channel);
}

}  // namespace

void add_system_applications(dialplan::Applications& applications) {
    applications.add("System", "Run a shell command: System(command)", system);
    applications.add("TrySystem", "Run a shell command: TrySystem(command)", system);
    applications.add_quick(
        "UserEvent", "Tell readers of events: UserEvent(name[,header: value...])", user_event);
    applications.add_quick("DumpChan", "Write what is known of the channel to the log",
                           dump_channel);
    applications.add_quick("SendText", "Send a text to the phone: SendText(text)", send_text);
}

}  // namespace strowger::pbx
