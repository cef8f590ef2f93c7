#include "base/log.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <chrono>
#include <memory>

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
        auto made = std::make_shared<spdlog::logger>("strowger", std::make_shared<spdlog::sinks::stderr_sink_mt>());
        made->set_pattern("%v");
        made->set_level(spdlog::level::trace);
        return made;
    }();
    return *instance;
}

// One line stays one line: control characters become escapes, and JSON stays JSON.
void append_escaped(std::string& out, std::string_view text, bool json) {
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7f)
            fmt::format_to(std::back_inserter(out), "\\u{:04x}", byte);
        else if (json && (c == '"' || c == '\\'))
            (out += '\\') += c;
        else
            out += c;
    }
}

void append_field(std::string& out, std::string_view key, std::string_view value) {
    if (value.empty()) return;
    fmt::format_to(std::back_inserter(out), ",\"{}\":\"", key);
    append_escaped(out, value, true);
    out += '"';
}

std::string timestamp() {
    using namespace std::chrono;
    const auto now = system_clock::now();
    const std::time_t whole = system_clock::to_time_t(now);
    std::tm parts{};
    gmtime_r(&whole, &parts);
    const auto ms = duration_cast<milliseconds>(now.time_since_epoch()).count() % 1000;
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                       parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, ms);
}

}  // namespace

void configure(Format new_format, Level level) {
    format = new_format;
    threshold = level;
}

void set_level(Level level) { threshold = level; }

bool enabled(Level level) { return level >= threshold.load(std::memory_order_relaxed); }

Level level_by_name(std::string_view name, Level otherwise) {
    for (const Level level : {Level::debug, Level::verbose, Level::notice, Level::warning, Level::error, Level::off})
        if (iequals(name, name_of(level))) return level;
    return otherwise;
}

void write(Level level, const About& about, std::string_view text) {
    std::string line;
    if (format == Format::json) {
        line = fmt::format("{{\"time\":\"{}\",\"level\":\"{}\"", timestamp(), name_of(level));
        append_field(line, "service", about.service);
        append_field(line, "call", about.call);
        append_field(line, "peer", about.peer);
        append_field(line, "text", text);
        line += '}';
    } else {
        line = fmt::format("{} {:7} {}", timestamp(), name_of(level), about.service);
        for (const auto& part : {about.call, about.peer}) {
            if (part.empty()) continue;
            line += " [";
            append_escaped(line, part, false);
            line += ']';
        }
        line += ": ";
        append_escaped(line, text, false);
    }
    logger().log(spdlog_level(level), "{}", line);
}

}  // namespace strowger::log
