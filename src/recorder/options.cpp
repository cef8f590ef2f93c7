#include "recorder/options.hpp"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>

#include <algorithm>
#include <map>

#include "base/address.hpp"
#include "base/key_file.hpp"
#include "base/text.hpp"

namespace strowger::recorder {
namespace {

using Text = std::string_view;

constexpr Text standard_file = "/etc/rtpengine/rtpengine-recording.conf";
constexpr Text standard_section = "rtpengine-recording";

struct Option {
    Text name;
    char letter = 0;
    bool flag = false;
    /// Null: read where there is more to do than to set a value, or without meaning here.
    Result<> (*set)(Settings&, Text value) = nullptr;
    Text help = {};
};

bool means_yes(Text value) { return is_true(value); }

template <auto Member>
Result<> text(Settings& settings, Text value) {
    settings.*Member = value;
    return {};
}

template <auto Member>
Result<> yes(Settings& settings, Text value) {
    settings.*Member = means_yes(value);
    return {};
}

template <auto Member, auto Least, auto Most>
Result<> number(Settings& settings, Text value) {
    const auto parsed = parse_number<long>(value);
    if (!parsed || *parsed < Least || *parsed > Most)
        return fail("'{}' is no number from {} to {}", value, Least, Most);
    settings.*Member = static_cast<std::remove_reference_t<decltype(settings.*Member)>>(*parsed);
    return {};
}

template <auto Member>
Result<> mode(Settings& settings, Text value) {
    unsigned parsed = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), parsed, 8);
    if (error != std::errc{} || end != value.data() + value.size() || parsed > 07777)
        return fail("'{}' is no octal file mode", value);
    settings.*Member = parsed;
    return {};
}

Result<> format(Settings& settings, Text value) {
    if (value == "wav")
        settings.format = Format::wav;
    else if (value == "mp3")
        settings.format = Format::mp3;
    else if (value == "none")
        settings.format = Format::none;
    else
        return fail("'{}' is none of wav, mp3, none", value);
    return {};
}

Result<> storage(Settings& settings, Text value) {
    for (const auto part : split(value, ';')) {
        const auto one = trim(part);
        if (one == "none")
            settings.format = Format::none;
        else if (one != "file" && one != "notify" && !one.empty())
            return fail("'{}' is none of file, notify, none", one);
        if (one == "notify") settings.notify_record = true;
    }
    return {};
}

Result<> mix_method(Settings& settings, Text value) {
    if (value != "direct" && value != "channels")
        return fail("'{}' is neither direct nor channels", value);
    settings.mix_channels = value == "channels";
    return {};
}

Result<> notify_lax(Settings& settings, Text value) {
    settings.notify_verify = !means_yes(value);
    return {};
}

Result<> user(Settings& settings, Text value) {
    if (const auto id = parse_number<unsigned>(value)) {
        settings.user = *id;
    } else if (const auto* entry = ::getpwnam(std::string(value).c_str())) {
        settings.user = entry->pw_uid;
    } else {
        return fail("there is no user '{}'", value);
    }
    return {};
}

Result<> group(Settings& settings, Text value) {
    if (const auto id = parse_number<unsigned>(value)) {
        settings.group = *id;
    } else if (const auto* entry = ::getgrnam(std::string(value).c_str())) {
        settings.group = entry->gr_gid;
    } else {
        return fail("there is no group '{}'", value);
    }
    return {};
}

Result<> send_to(Settings& settings, Text value) {
    const auto address = SocketAddress::parse(value);
    if (!address || address->port == 0) return fail("'{}' is not ADDRESS:PORT", value);
    settings.tcp_send_to = value;
    return {};
}

constexpr Option table[] = {
    {"spool-dir", 0, false, text<&Settings::spool>,
     "the relay's recording-dir (/var/spool/rtpengine)"},
    {"num-threads", 0, false, number<&Settings::threads, 0, 256>,
     "threads that make sound; 0: one a core (0)"},
    {"output-dir", 0, false, text<&Settings::output>,
     "where files go (/var/lib/rtpengine-recording)"},
    {"output-pattern", 0, false, text<&Settings::pattern>, "names of files (%c-%r-%t)"},
    {"output-format", 0, false, format, "wav, mp3 or none (wav)"},
    {"output-storage", 0, false, storage, "file, notify or none; a list (file)"},
    {"resample-to", 0, false, number<&Settings::resample_to, 0, 48000>,
     "Hz of files; 0: that of the call (0)"},
    {"mp3-bitrate", 0, false, number<&Settings::mp3_bitrate, 8000, 320000>, "bit/s (64000)"},
    {"output-mixed", 0, true, yes<&Settings::mixed>, "one file a call with everybody"},
    {"output-single", 0, true, yes<&Settings::single>, "one file a source (SSRC)"},
    {"output-mixed-per-media", 0, true, yes<&Settings::mixed_per_media>,
     "one mixed file a media section"},
    {"mix-method", 0, false, mix_method, "direct, or channels: a channel a party (direct)"},
    {"mix-num-inputs", 0, false, number<&Settings::mix_inputs, 1, 64>,
     "channels at most; parties are not limited (4)"},
    {"output-chmod", 0, false, mode<&Settings::mode>, "octal mode of files (0660)"},
    {"output-chmod-dir", 0, false, mode<&Settings::directory_mode>,
     "octal mode of directories (0700)"},
    {"output-chown", 0, false, user, "owner of files"},
    {"output-chgrp", 0, false, group, "group of files"},
    {"database", 0, false, text<&Settings::database>,
     "SQLite file (OUTPUT-DIR/recordings.sqlite); none: not kept"},
    {"notify-uri", 0, false, text<&Settings::notify_uri>, "asked when a file is whole"},
    {"notify-post", 0, true, yes<&Settings::notify_post>, "by POST, not GET"},
    {"notify-no-verify", 0, true, notify_lax, "whatever its certificate"},
    {"notify-record", 0, true, yes<&Settings::notify_record>, "the file goes along, by POST"},
    {"notify-purge", 0, true, yes<&Settings::notify_purge>,
     "the file is removed when that has worked"},
    {"notify-command", 0, false, text<&Settings::notify_command>,
     "program that runs when a file is whole"},
    {"notify-concurrency", 0, false, number<&Settings::notify_concurrency, 1, 256>,
     "of both at once (5)"},
    {"notify-retries", 0, false, number<&Settings::notify_retries, 0, 1000>,
     "before nobody is told (10)"},
    {"forward-to", 0, false, text<&Settings::forward_to>, "Unix datagram socket for forwarded RTP"},
    {"tcp-send-to", 0, false, send_to, "ADDRESS:PORT for forwarded samples"},
    {"tcp-send-resample", 0, false, number<&Settings::tcp_send_resample, 0, 48000>,
     "Hz of those; 0: that of the call (0)"},
    {"log-level", 'L', false, number<&Settings::log_level, 0, 7>, "0 (least) to 7 (debug) (6)"},
    {"pidfile", 'p', false, text<&Settings::pidfile>, "file to write the process id to"},
    {"config-file", 0, false, nullptr,
     "file of options (/etc/rtpengine/rtpengine-recording.conf; none: no file)"},
    {"config-section", 0, false, nullptr, "section of that file (rtpengine-recording)"},
    {"version", 'v', true, nullptr, "tells the version and exits"},
    {"help", 'h', true, nullptr, "tells the options and exits"},
};
constexpr std::size_t meaningful = std::size(table);

// Options of rtpengine-recording that need nothing here, or are not built yet (docs/roadmap.md).
constexpr Option accepted[] = {
    {"table", 't'},
    {"foreground", 'f', true},
    {"log-stderr", 'E', true},
    {"log-facility"},
    {"log-mark-prefix"},
    {"log-mark-suffix"},
    {"split-logs", 0, true},
    {"no-log-timestamps", 0, true},
    {"max-log-line-length"},
    {"thread-stack"},
    {"scheduling"},
    {"priority"},
    {"output-buffer"},
    {"flush-packets", 0, true},
    {"mysql-host"},
    {"mysql-port"},
    {"mysql-user"},
    {"mysql-pass"},
    {"mysql-db"},
    {"c-mysql-host"},
    {"tls-send-to"},
    {"tls-resample"},
    {"tls-mixed", 0, true},
    {"tcp-send-mixed", 0, true},
    {"s3-host"},
    {"s3-port"},
    {"s3-path"},
    {"s3-access-key"},
    {"s3-secret-key"},
    {"s3-region"},
    {"s3-no-verify", 0, true},
    {"gcs-uri"},
    {"gcs-key"},
    {"gcs-service-account"},
    {"gcs-scope"},
    {"gcs-no-verify", 0, true},
};

const Option* find(auto matches) {
    for (const auto& option : table)
        if (matches(option)) return &option;
    for (const auto& option : accepted)
        if (matches(option)) return &option;
    return nullptr;
}
const Option* find_name(Text name) {
    if (name == "tcp-resample") name = "tcp-send-resample";
    return find([&](const Option& option) { return option.name == name; });
}
const Option* find_letter(char letter) {
    return find([&](const Option& option) { return option.letter == letter; });
}

using Values = std::map<std::string, std::string, std::less<>>;

Result<Values> read_arguments(std::span<const std::string> arguments) {
    Values values;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const Text argument = arguments[i];
        const Option* option = nullptr;
        std::optional<Text> value;
        if (argument.starts_with("--")) {
            const auto [name, given] = split_once(argument.substr(2), '=');
            if (name.size() + 2 < argument.size()) value = given;
            option = find_name(name);
        } else if (argument.size() >= 2 && argument[0] == '-') {
            option = find_letter(argument[1]);
            if (argument.size() > 2) value = argument.substr(2);
        }
        if (!option) return fail("Unknown option {}", argument);
        if (!option->flag && !value) {
            if (i + 1 == arguments.size()) return fail("Missing argument for {}", argument);
            value = arguments[++i];
        }
        values[std::string(option->name)] = value.value_or("true");
    }
    return values;
}

void add_environment(Values& values, const Surroundings& around) {
    for (const auto& option : table) {
        std::string name = "RTPENGINE_RECORDING_" + to_upper(option.name);
        std::ranges::replace(name, '-', '_');
        const char* value = around.environment ? around.environment(name.c_str()) : nullptr;
        if (value && !values.contains(option.name)) values[std::string(option.name)] = value;
    }
}

Result<> add_file(Values& values, const Surroundings& around, std::vector<std::string>& ignored) {
    const auto one = [&](Text name, Text otherwise) {
        const auto found = values.find(name);
        return found == values.end() ? std::string(otherwise) : found->second;
    };
    const std::string path = one("config-file", standard_file);
    const std::string section_name = one("config-section", standard_section);
    const bool wanted = values.contains("config-file");
    if (path == "none" || (!wanted && !around.files.exists(path))) return {};
    ini::Diagnostics diagnostics;
    ini::KeyFiles keys(around.files);
    const auto file = ini::read(keys, path, {}, diagnostics);
    if (!diagnostics.ok()) return fail("{}", diagnostics.text());
    const auto* section = file.find(section_name);
    if (!section && wanted) return fail("{}: no section [{}]", path, section_name);
    if (!section) return {};
    Values from_file;
    for (const auto& entry : section->entries) {
        if (const Option* option = find_name(entry.key))
            from_file[std::string(option->name)] = entry.value;
        else
            ignored.push_back(fmt::format("{} ({})", entry.key, file.where(entry.place)));
    }
    values.merge(from_file);
    return {};
}

}  // namespace

Result<Configured> configure(std::span<const std::string> arguments, const Surroundings& around) {
    auto values = read_arguments(arguments);
    if (!values) return std::unexpected(values.error());
    Configured result;
    result.wants_help = values->contains("help");
    result.wants_version = values->contains("version");
    if (result.wants_help || result.wants_version) return result;
    add_environment(*values, around);
    if (auto added = add_file(*values, around, result.ignored); !added)
        return std::unexpected(added.error());
    for (const auto& [name, value] : *values) {
        const Option* option = find_name(name);
        if (option->set) {
            if (auto set = option->set(result.settings, value); !set)
                return std::unexpected(set.error().within(name));
        } else if (option < table || option >= table + meaningful) {
            result.ignored.push_back(name);
        }
    }
    const Settings& settings = result.settings;
    if (settings.format == Format::mp3 && settings.mix_channels && settings.mix_inputs > 2)
        return fail("output-format = mp3 has two channels at most: set mix-num-inputs = 2");
    return result;
}

std::string help_text() {
    std::string help =
        "The recorder: makes files of sound of what 'strowger relay' records.\n"
        "Usage: strowger recorder [OPTIONS]\n\nOptions:\n";
    for (const auto& option : table) {
        std::string names = option.letter ? fmt::format("  -{},--{}", option.letter, option.name)
                                          : fmt::format("  --{}", option.name);
        if (!option.flag) names += " VALUE";
        help += fmt::format("{:<30} {}\n", names, option.help);
    }
    return help;
}

}  // namespace strowger::recorder
