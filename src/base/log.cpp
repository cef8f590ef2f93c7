#include "base/log.hpp"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/sinks/syslog_sink.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <ctime>
#include <memory>
#include <mutex>

#include "base/text.hpp"

namespace strowger::log {

namespace {

std::atomic<Level> threshold{Level::notice};
std::atomic<Format> format{Format::text};

std::string_view name_of(Level level) {
    switch (level) {
        case Level::debug: return "debug";
        case Level::verbose: return "verbose";
        case Level::notice: return "notice";
        case Level::warning: return "warning";
        case Level::error: return "error";
        case Level::off: break;
    }
    return "off";
}

spdlog::level::level_enum spdlog_level(Level level) {
    switch (level) {
        case Level::debug: return spdlog::level::debug;
        case Level::verbose:
        case Level::notice: return spdlog::level::info;
        case Level::warning: return spdlog::level::warn;
        default: return spdlog::level::err;
    }
}

spdlog::logger& logger() {
    static const auto instance = [] {
        auto made = std::make_shared<spdlog::logger>(
            "strowger", std::make_shared<spdlog::sinks::stderr_sink_mt>());
        made->set_pattern("%v");
        made->set_level(spdlog::level::trace);
        return made;
    }();
    return *instance;
}

// The length of the UTF-8 sequence that `text` begins with, 0 if it is not one (RFC 3629).
std::size_t utf8_length(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const auto first = byte(0);
    std::size_t length = 0;
    unsigned low = 0x80, high = 0xbf;  // of the second byte: no overlong forms, no surrogates
    if (first < 0x80) return 1;
    if (first >= 0xc2 && first <= 0xdf) length = 2;
    if (first >= 0xe0 && first <= 0xef) length = 3;
    if (first >= 0xf0 && first <= 0xf4) length = 4;
    if (first == 0xe0) low = 0xa0;
    if (first == 0xed) high = 0x9f;
    if (first == 0xf0) low = 0x90;
    if (first == 0xf4) high = 0x8f;
    if (length == 0 || text.size() < length || byte(1) < low || byte(1) > high) return 0;
    for (std::size_t i = 2; i < length; ++i)
        if (byte(i) < 0x80 || byte(i) > 0xbf) return 0;
    return length;
}

// One line stays one line, on any terminal: control characters, C1 among them, become escapes. What
// is not UTF-8 must not make a JSON line unreadable either.
void append_escaped(std::string& out, std::string_view text, bool json) {
    while (!text.empty()) {
        const auto byte = static_cast<unsigned char>(text[0]);
        const auto length = utf8_length(text);
        const bool c1 = length == 2 && byte == 0xc2 && static_cast<unsigned char>(text[1]) < 0xa0;
        if (length == 0)
            json ? void(out += "\\ufffd")
                 : void(fmt::format_to(std::back_inserter(out), "\\x{:02x}", byte));
        else if (byte < 0x20 || byte == 0x7f)
            fmt::format_to(std::back_inserter(out), "\\u{:04x}", byte);
        else if (c1)
            fmt::format_to(std::back_inserter(out), "\\u{:04x}",
                           static_cast<unsigned char>(text[1]));
        else if (json && (byte == '"' || byte == '\\'))
            (out += '\\') += text[0];
        else
            out += text.substr(0, length);
        text.remove_prefix(std::max<std::size_t>(length, 1));
    }
}

void append_field(std::string& out, std::string_view key, std::string_view value) {
    if (value.empty()) return;
    fmt::format_to(std::back_inserter(out), ",\"{}\":\"", key);
    append_escaped(out, value, true);
    out += '"';
}

std::string timestamp(const std::string& date_format = {}) {
    using namespace std::chrono;
    const auto now = system_clock::now();
    const std::time_t whole = system_clock::to_time_t(now);
    std::tm parts{};
    if (!date_format.empty()) {
        localtime_r(&whole, &parts);
        std::array<char, 128> text{};
        return std::string(text.data(),
                           std::strftime(text.data(), text.size(), date_format.c_str(), &parts));
    }
    gmtime_r(&whole, &parts);
    const auto ms = duration_cast<milliseconds>(now.time_since_epoch()).count() % 1000;
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900,
                       parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                       ms);
}

/// A target with what writes to it.
struct Outlet {
    Target target;
    std::shared_ptr<spdlog::sinks::sink> sink;
};

/// All but standard error. Lines are few against what makes them: one lock does.
struct Outlets {
    std::mutex lock;
    std::vector<Outlet> all;
    unsigned console_levels = all_levels;
    std::vector<std::string> console_events;
};

Outlets& outlets() {
    static Outlets instance;
    return instance;
}

// The lowest level that any target wants; and whether there is any.
std::atomic<Level> lowest{Level::off};

int facility_by_name(std::string_view name) {
    static constexpr std::array<std::pair<std::string_view, int>, 12> facilities{{
        {"local0", LOG_LOCAL0},
        {"local1", LOG_LOCAL1},
        {"local2", LOG_LOCAL2},
        {"local3", LOG_LOCAL3},
        {"local4", LOG_LOCAL4},
        {"local5", LOG_LOCAL5},
        {"local6", LOG_LOCAL6},
        {"local7", LOG_LOCAL7},
        {"daemon", LOG_DAEMON},
        {"user", LOG_USER},
        {"auth", LOG_AUTH},
        {"authpriv", LOG_AUTHPRIV},
    }};
    for (const auto& [known, number] : facilities)
        if (iequals(name, known)) return number;
    return -1;
}

bool lists(const std::vector<std::string>& kinds, std::string_view kind) {
    return std::any_of(kinds.begin(), kinds.end(),
                       [&](const std::string& one) { return iequals(one, kind); });
}

std::string line_of(std::string_view level, const About& about, std::string_view text, bool json,
                    const std::string& date_format) {
    std::string line;
    if (json) {
        line = fmt::format("{{\"time\":\"{}\",\"level\":\"{}\"", timestamp(date_format), level);
        append_field(line, "service", about.service);
        append_field(line, "call", about.call);
        append_field(line, "peer", about.peer);
        append_field(line, "text", text);
        return line += '}';
    }
    line = fmt::format("{} {:7} {}", timestamp(date_format), level, about.service);
    for (const auto& part : {about.call, about.peer}) {
        if (part.empty()) continue;
        line += " [";
        append_escaped(line, part, false);
        line += ']';
    }
    line += ": ";
    append_escaped(line, text, false);
    return line;
}

void put(const Outlet& outlet, spdlog::level::level_enum severity, const std::string& line) {
    try {
        outlet.sink->log(spdlog::details::log_msg("strowger", severity, line));
        outlet.sink->flush();
    } catch (const std::exception&) {
        // A full disk: the line stands on standard error all the same.
    }
}

}  // namespace

void configure(Format new_format, Level level) {
    format = new_format;
    threshold = level;
}

void set_level(Level level) { threshold = level; }

bool enabled(Level level) {
    return level >= threshold.load(std::memory_order_relaxed) ||
           level >= lowest.load(std::memory_order_relaxed);
}

Level level_by_name(std::string_view name, Level otherwise) {
    for (const Level level :
         {Level::debug, Level::verbose, Level::notice, Level::warning, Level::error, Level::off})
        if (iequals(name, name_of(level))) return level;
    return otherwise;
}

std::vector<std::string> set_targets(std::vector<Target> targets) {
    std::vector<std::string> complaints;
    std::vector<Outlet> made;
    Level first = Level::off;
    for (auto& target : targets) {
        Outlet outlet{std::move(target), nullptr};
        const auto& wanted = outlet.target;
        try {
            if (wanted.kind == Target::Kind::file) {
                outlet.sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(wanted.name);
            } else if (const int facility = facility_by_name(wanted.name); facility >= 0) {
                outlet.sink = std::make_shared<spdlog::sinks::syslog_sink_mt>("strowger", LOG_PID,
                                                                              facility, true);
            } else {
                complaints.push_back(fmt::format("there is no syslog facility '{}'", wanted.name));
                continue;
            }
        } catch (const std::exception& error) {
            complaints.push_back(fmt::format("log '{}': {}", wanted.name, error.what()));
            continue;
        }
        outlet.sink->set_pattern("%v");
        for (const Level level :
             {Level::error, Level::warning, Level::notice, Level::verbose, Level::debug})
            if (wanted.levels & bit_of(level)) first = std::min(first, level);
        made.push_back(std::move(outlet));
    }
    auto& all = outlets();
    const std::lock_guard guard(all.lock);
    all.all = std::move(made);
    lowest = first;
    return complaints;
}

void set_console(unsigned levels, std::vector<std::string> events) {
    auto& all = outlets();
    const std::lock_guard guard(all.lock);
    all.console_levels = levels;
    all.console_events = std::move(events);
}

void write(Level level, const About& about, std::string_view text) {
    const bool json = format == Format::json;
    auto& all = outlets();
    const std::lock_guard guard(all.lock);
    if (level >= threshold.load(std::memory_order_relaxed) &&
        (all.console_levels & bit_of(level)) != 0)
        logger().log(spdlog_level(level), "{}", line_of(name_of(level), about, text, json, {}));
    for (const auto& outlet : all.all)
        if (outlet.target.levels & bit_of(level))
            put(outlet, spdlog_level(level),
                line_of(name_of(level), about, text, outlet.target.json,
                        outlet.target.date_format));
}

void write_event(std::string_view kind, const About& about, std::string_view text) {
    auto& all = outlets();
    const std::lock_guard guard(all.lock);
    if (lists(all.console_events, kind))
        logger().log(spdlog::level::info, "{}",
                     line_of(kind, about, text, format == Format::json, {}));
    for (const auto& outlet : all.all)
        if (lists(outlet.target.events, kind))
            put(outlet, spdlog::level::info,
                line_of(kind, about, text, outlet.target.json, outlet.target.date_format));
}

bool wants_event(std::string_view kind) {
    auto& all = outlets();
    const std::lock_guard guard(all.lock);
    return lists(all.console_events, kind) ||
           std::any_of(all.all.begin(), all.all.end(),
                       [&](const Outlet& outlet) { return lists(outlet.target.events, kind); });
}

}  // namespace strowger::log
