#include <cmath>
#include <ctime>

#include "pbx/dialplan/builtin.hpp"
#include "pbx/dialplan/time_spec.hpp"

namespace strowger::dialplan {

namespace {

using Value = Result<std::string>;

// %q, with an optional count of digits before it, is the fraction of the second; the C library has
// none. The rest is strftime's.
std::string with_fraction(std::string_view format, long nanoseconds) {
    std::string result;
    for (std::size_t at = 0; at < format.size(); ++at) {
        if (format[at] != '%' || at + 1 >= format.size()) {
            result += format[at];
            continue;
        }
        const bool counted = is_digit(format[at + 1]);
        if (format[at + 1] == 'q' || (counted && at + 2 < format.size() && format[at + 2] == 'q')) {
            const auto digits = counted ? static_cast<std::size_t>(format[at + 1] - '0') : 3;
            result += fmt::format("{:09}", nanoseconds).substr(0, std::min<std::size_t>(digits, 9));
            at += counted ? 2 : 1;
        } else {
            result += format[at++];
            result += format[at];
        }
    }
    return result;
}

// STRFTIME([epoch][,zone[,format]])
Value strftime_function(Call& call, std::string_view args) {
    const Args arg(args);
    WallTime time = call.now();
    if (const auto text = trim(arg[0]); !text.empty()) {
        static constexpr double bound = 253402300799.0;  // the end of year 9999
        const auto given = std::strtod(std::string(text).c_str(), nullptr);
        if (!(std::fabs(given) <= bound)) return fail("'{}' is not a time", text);
        const auto whole = std::floor(given);
        // WallTime counts nanoseconds in 64 bits, which end in the year 2262.
        static constexpr double last = 9.2e9;
        if (std::fabs(given) > last) return fail("'{}' is beyond what can be shown", text);
        time = WallTime(std::chrono::seconds(static_cast<long long>(whole)) +
                        std::chrono::nanoseconds(static_cast<long long>((given - whole) * 1e9)));
    }
    const auto zone = arg[1].empty() ? std::string(call.time_zone()) : arg[1];
    const auto parts = in_zone(time, zone);
    const auto nanoseconds = (time - std::chrono::floor<std::chrono::seconds>(time)).count();
    static constexpr std::size_t longest = 1024;
    const auto format =
        with_fraction(arg[2].empty() ? std::string_view("%c") : std::string_view(arg[2]),
                      static_cast<long>(nanoseconds));
    char buffer[longest];
    // The zone's name and offset are in the tm itself, so %z and %Z are right too.
    const auto size = std::strftime(buffer, sizeof buffer, format.c_str(), &parts);
    return std::string(buffer, size);
}

// STRPTIME(text,zone,format): seconds since 1970.
Value strptime_function(Call& call, std::string_view args) {
    const Args arg(args);
    if (arg.size() < 3) return fail("wants a text, a zone and a format");
    std::tm parts{};
    parts.tm_mday = 1;
    if (!::strptime(arg[0].c_str(), arg[2].c_str(), &parts))
        return fail("'{}' is not of the form '{}'", arg[0], arg[2]);
    return std::to_string(
        from_zone(parts, arg[1].empty() ? call.time_zone() : std::string_view(arg[1])));
}

}  // namespace

void add_time_functions(Functions& f) {
    f.add("STRFTIME", "a time as text", strftime_function);
    f.add("STRPTIME", "a text as time", strptime_function);
}

}  // namespace strowger::dialplan
