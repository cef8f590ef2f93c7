#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/text.hpp"
#include "io/file.hpp"
#include "io/process.hpp"
#include "pbx/applications.hpp"
#include "pbx/dialplan/arguments.hpp"
#include "pbx/dialplan/substitution.hpp"
#include "pbx/mix_monitor.hpp"
#include "pbx/option_letters.hpp"
#include "pbx/prompt.hpp"
#include "pbx/recordings.hpp"
#include "pbx/sip_channel.hpp"

namespace strowger::pbx {

namespace {

using dialplan::AppResult;
using dialplan::Call;

constexpr Duration command_limit = std::chrono::hours{1};     // for what runs after a recording
constexpr Duration closing_limit = std::chrono::seconds{10};  // for the engine to close a file

// The path of a recording, its directory made. What was asked for and cannot be is reported.
std::optional<std::string> prepare(Channel& channel, std::string_view name) {
    auto path = recording_path(name, channel.core().recordings);
    if (path) {
        const auto made = io::make_directories(std::filesystem::path(*path).parent_path());
        if (!made) path = std::unexpected(made.error());
    }
    if (path) return std::move(*path);
    channel.report(log::Level::warning, path.error().text());
    return std::nullopt;
}

std::string stop_digits(const OptionLetters& options) {
    std::string digits = "#";
    if (options.has('t')) digits = "*";
    if (options.has('x')) digits.clear();
    if (options.has('y')) digits = "0123456789*#ABCD";
    if (options.has('o')) digits += '0';
    return digits;
}

std::string_view status_of(std::string_view reason) {
    if (reason == "silence") return "SILENCE";
    if (reason == "max-duration") return "TIMEOUT";
    if (reason == "stopped") return "DTMF";
    return "ERROR";
}

// Until somebody or something ends it: RECORD_STATUS.
Task<std::string> wait_recorded(Channel& channel, std::uint64_t id, std::string ends,
                                bool operator_key) {
    while (!channel.hung_up()) {
        const auto item = co_await channel.inbox().next(Time::max());
        if (!item) continue;
        if (const auto* done = std::get_if<channel::RecordDone>(&item->event);
            done && done->id == id)
            co_return std::string(status_of(done->reason));
        if (std::holds_alternative<channel::Interrupted>(item->event)) co_return "ERROR";
        const auto* digit = std::get_if<channel::Digit>(&item->event);
        if (!digit || ends.find(digit->digit) == std::string::npos) continue;
        co_return operator_key && digit->digit == '0' ? "OPERATOR" : "DTMF";
    }
    co_return "HANGUP";
}

// Record(file[.format][,silence[,max[,options]]])
Task<AppResult> record(Call& call, std::string_view args) {
    auto& channel = static_cast<Channel&>(call);
    auto& core = channel.core();
    const auto arguments = dialplan::split_arguments(args);
    const OptionLetters options(argument(arguments, 3));
    const auto finish = [&](std::string status) {
        (void)call.variables().set("RECORD_STATUS", std::move(status));
        return channel.hung_up() ? AppResult::hangup : AppResult::proceed;
    };
    const auto path = prepare(channel, argument(arguments, 0));
    if (!path) co_return finish("ERROR");
    (void)call.variables().set("RECORDED_FILE", path->substr(0, path->size() - 4));
    if (!channel.is_up()) {
        if (options.has('s')) co_return finish("SKIP");
        if (!co_await open_media(channel, !options.has('n')))
            co_return finish(channel.hung_up() ? "HANGUP" : "ERROR");
    }
    if (!options.has('q')) {
        auto beep = find_prompts(channel, "beep");
        if (!beep.paths.empty()) (void)co_await channel.play_and_wait(std::move(beep.paths));
    }
    const auto party = channel.party();
    if (channel.hung_up() || !party) co_return finish("HANGUP");

    media::RecordRequest request{*party, *path};
    request.both_directions = false;
    request.append = options.has('a');
    request.max_silence = parse_seconds(argument(arguments, 1)).value_or(Duration::zero());
    request.max_duration = parse_seconds(argument(arguments, 2)).value_or(Duration::zero());
    const auto id = request.id = core.channels.next_media_id(channel);
    const auto closed = core.running_recordings.begin(id);
    const auto started = co_await core.engine.record(std::move(request));
    if (!started) {
        core.running_recordings.forget(id);
        channel.report(log::Level::warning, started.error().text());
        co_return finish(channel.hung_up() ? "HANGUP" : "ERROR");
    }
    auto status = co_await wait_recorded(channel, id, stop_digits(options), options.has('o'));
    if (status == "HANGUP") {
        // What somebody did not finish to say is not kept, unless asked for.
        if (!options.has('k'))
            core.tasks.spawn([](Recordings::Done done, std::string file) -> Task<> {
                (void)co_await done;
                (void)io::remove_file(file);
            }(closed, *path));
        co_return finish(std::move(status));
    }
    if (!closed.resolved()) {
        media::StopRecordRequest stop{*party, id};
        (void)co_await core.engine.stop_record(std::move(stop));
        // The file is whole only when the engine has closed it.
        const Time until = core.now() + closing_limit;
        while (!closed.resolved() && !channel.hung_up() && core.now() < until)
            (void)co_await channel.inbox().next(until);
    }
    co_return finish(std::move(status));
}

// The media of a caller who has not been answered yet is agreed upon without telling him.
Task<bool> prepare_media(Channel& channel) {
    if (channel.party()) co_return true;
    if (auto* sip = dynamic_cast<SipChannel*>(&channel)) co_return co_await sip->accept_media();
    co_return false;
}

// ^{X} was kept from being substituted with the other arguments; it is now.
std::string unescape_variables(Call& call, std::string_view text) {
    std::string command;
    for (std::size_t at = 0; at < text.size(); ++at)
        command += text[at] == '^' && at + 1 < text.size() && text[at + 1] == '{' ? '$' : text[at];
    return dialplan::substitute(call, command);
}

Task<> run_afterwards(Core& core, Recordings::Done done, std::string command, std::string peer) {
    (void)co_await done;
    io::Process::Options options;
    options.arguments = {"sh", "-c", std::move(command)};
    std::string input;
    const auto result =
        co_await io::run_process(core.loop, std::move(options), std::move(input), command_limit);
    const log::About about{"pbx", {}, peer};
    if (!result)
        LOG_WARNING(about, "command after a recording: {}", result.error().text());
    else if (!result->status.success())
        LOG_WARNING(about, "command after a recording ended with {}", result->status.code);
}

// MixMonitor(file[.format][,options[,command]]): both directions of the call, until it ends.
Task<AppResult> mix_monitor(Call& call, std::string_view args) {
    auto& channel = static_cast<Channel&>(call);
    auto& core = channel.core();
    const auto arguments = dialplan::split_raw(args);
    const auto raw = [&](std::size_t i) {
        return i < arguments.size() ? trim(arguments[i]) : std::string_view();
    };
    const OptionLetters options(raw(1));
    const auto path = prepare(channel, raw(0));
    if (!path) co_return AppResult::proceed;
    const bool ready = co_await prepare_media(channel);
    const auto party = channel.party();
    if (!ready || !party) {
        if (channel.hung_up()) co_return AppResult::hangup;
        channel.report(log::Level::warning, "MixMonitor: the channel has no media yet");
        co_return AppResult::proceed;
    }
    media::RecordRequest request{*party, *path};
    request.append = options.has('a');
    const auto id = request.id = core.channels.next_media_id(channel);
    const auto closed = core.running_recordings.begin(id);
    const auto started = co_await core.engine.record(std::move(request));
    if (!started) {
        core.running_recordings.forget(id);
        channel.report(log::Level::warning, started.error().text());
        co_return AppResult::proceed;
    }
    channel.monitors.push_back(id);
    remember_mix_monitor(channel, id, *path);
    (void)call.variables().set("MIXMONITOR_FILENAME", *path);
    if (const auto variable = options.argument('i'); variable && !variable->empty())
        (void)call.assign(*variable, std::to_string(id));
    // The command may hold commas: all that is left is its.
    const auto command =
        arguments.size() > 2
            ? args.substr(static_cast<std::size_t>(arguments[2].data() - args.data()))
            : std::string_view();
    if (!trim(command).empty())
        core.tasks.spawn(
            run_afterwards(core, closed, unescape_variables(call, command), channel.name()));
    co_return AppResult::proceed;
}

// StopMixMonitor([id])
Task<AppResult> stop_mix_monitor(Call& call, std::string_view args) {
    auto& channel = static_cast<Channel&>(call);
    const auto only = parse_number<std::uint64_t>(trim(args));
    const auto party = channel.party();
    std::vector<std::uint64_t> stopped;
    std::erase_if(channel.monitors, [&](std::uint64_t id) {
        if (only && *only != id) return false;
        stopped.push_back(id);
        forget_mix_monitor(channel, id);
        return true;
    });
    if (!party) co_return AppResult::proceed;
    for (const auto id : stopped) {
        media::StopRecordRequest request{*party, id};
        (void)co_await channel.core().engine.stop_record(std::move(request));
    }
    co_return AppResult::proceed;
}

}  // namespace

void add_record_applications(dialplan::Applications& applications) {
    applications.add("Record",
                     "Record what is said: Record(file[.format][,silence[,seconds[,options]]])",
                     record);
    applications.add("MixMonitor", "Record the call: MixMonitor(file[.format][,options[,command]])",
                     mix_monitor);
    applications.add("StopMixMonitor", "Stop recording the call: StopMixMonitor([id])",
                     stop_mix_monitor);
}

}  // namespace strowger::pbx
