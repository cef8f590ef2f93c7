#pragma once

#include <fmt/core.h>

#include <string>
#include <string_view>
#include <vector>

namespace strowger::log {

enum class Level { debug, verbose, notice, warning, error, off };

/// What a line is about. `call` is the Call-ID (or media call) and makes a call's lines greppable;
/// `peer` is the address or endpoint on the other side. Empty means: not about one.
struct About {
    std::string_view service;
    std::string_view call = {};
    std::string_view peer = {};
};

enum class Format { text, json };

/// Where lines go from now on: standard error, and nothing below `level` is formatted at all.
/// Before the first call: text, notice. Thread-safe, as is everything here.
void configure(Format format, Level level);
void set_level(Level level);
bool enabled(Level level);

/// Somewhere else that lines go to, beside standard error: those of its levels alone.
struct Target {
    enum class Kind { file, syslog };
    Kind kind = Kind::file;
    std::string name;                 ///< path of the file, or facility ("local0", "daemon")
    unsigned levels = 0;              ///< a bit for each Level, 1 << number
    std::vector<std::string> events;  ///< and lines of these kinds: "security", "dtmf"
    bool json = false;
    std::string date_format;  ///< strftime, local time; empty: UTC with milliseconds
};
/// Replaces all of them, and opens the files anew. What cannot be opened is told, one line each.
std::vector<std::string> set_targets(std::vector<Target> targets);
/// Of standard error: which levels it takes at all, whatever `set_level` is; and kinds of events.
void set_console(unsigned levels, std::vector<std::string> events);
constexpr unsigned all_levels = ~0U;
constexpr unsigned bit_of(Level level) { return 1U << static_cast<unsigned>(level); }

/// A line that is of no level but of a kind, for those targets that want it.
void write_event(std::string_view kind, const About& about, std::string_view text);
/// Whether any target wants that kind.
bool wants_event(std::string_view kind);
Level level_by_name(std::string_view name, Level otherwise);

/// Writes one line; newlines and control characters in `text` are escaped, so that hostile input
/// cannot forge lines.
void write(Level level, const About& about, std::string_view text);

}  // namespace strowger::log

// The arguments are evaluated only when the level is enabled.
#define STROWGER_LOG(level_, about_, ...)                                       \
    do {                                                                        \
        if (::strowger::log::enabled(level_))                                   \
            ::strowger::log::write(level_, about_, ::fmt::format(__VA_ARGS__)); \
    } while (false)
/// LOG_WARNING((log::About{"pbx", call_id, peer}), "fmt {}", x)
#define LOG_DEBUG(about_, ...) STROWGER_LOG(::strowger::log::Level::debug, about_, __VA_ARGS__)
#define LOG_VERBOSE(about_, ...) STROWGER_LOG(::strowger::log::Level::verbose, about_, __VA_ARGS__)
#define LOG_NOTICE(about_, ...) STROWGER_LOG(::strowger::log::Level::notice, about_, __VA_ARGS__)
#define LOG_WARNING(about_, ...) STROWGER_LOG(::strowger::log::Level::warning, about_, __VA_ARGS__)
#define LOG_ERROR(about_, ...) STROWGER_LOG(::strowger::log::Level::error, about_, __VA_ARGS__)
