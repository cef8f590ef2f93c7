#include "pbx/dialplan/time_spec.hpp"

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "base/text.hpp"

namespace strowger::dialplan {

namespace {

constexpr std::array<std::string_view, 7> weekday_names{"sun", "mon", "tue", "wed",
                                                        "thu", "fri", "sat"};
constexpr std::array<std::string_view, 12> month_names{"jan", "feb", "mar", "apr", "may", "jun",
                                                       "jul", "aug", "sep", "oct", "nov", "dec"};

// "9:00", "17:30"; "24:00" is the day's end.
std::optional<int> minute_of_day(std::string_view text) {
    const auto [hour, minute] = split_once(text, ':');
    const auto h = parse_number<int>(trim(hour));
    const auto m = parse_number<int>(trim(minute));
    if (!h || !m || *h < 0 || *m < 0 || *m > 59 || *h > 24 || (*h == 24 && *m != 0))
        return std::nullopt;
    return *h * 60 + *m;
}

std::optional<int> named(std::string_view text, std::span<const std::string_view> names) {
    text = trim(text);
    for (std::size_t i = 0; i < names.size(); ++i)
        if (istarts_with(text, names[i])) return static_cast<int>(i);
    return std::nullopt;
}

// One field: `*`, or ranges and single values joined by '&'; a range may wrap past the end.
template <std::size_t Size, typename Read>
Result<std::bitset<Size>> parse_field(std::string_view text, int first, int last, Read read) {
    std::bitset<Size> set;
    text = trim(text);
    if (text.empty() || text == "*") return set.set();
    for (auto part : split(text, '&')) {
        part = trim(part);
        const auto [from_text, to_text] = split_once(part, '-');
        const auto from = read(from_text);
        const auto to = to_text.empty() ? from : read(to_text);
        if (!from || !to || *from < first || *from > last || *to < first || *to > last)
            return fail("'{}' is not a time, day or month", part);
        for (int i = *from;; i = i == last ? first : i + 1) {
            set.set(static_cast<std::size_t>(i));
            if (i == *to) break;
        }
    }
    return set;
}

Result<std::bitset<24 * 60>> parse_minutes(std::string_view text) {
    std::bitset<24 * 60> set;
    text = trim(text);
    if (text.empty() || text == "*") return set.set();
    for (auto part : split(text, '&')) {
        const auto [from_text, to_text] = split_once(trim(part), '-');
        const auto from = minute_of_day(from_text);
        const auto to = to_text.empty() ? from : minute_of_day(to_text);
        if (!from || !to || *from == 24 * 60) return fail("'{}' is not a time range", part);
        const int end = *to % (24 * 60);
        // The end minute belongs to the range, except that 24:00 is the end of the day.
        const int last = *to == 24 * 60 ? 24 * 60 - 1 : end;
        for (int i = *from;; i = (i + 1) % (24 * 60)) {
            set.set(static_cast<std::size_t>(i));
            if (i == last) break;
        }
    }
    return set;
}

// The C library knows zones only through TZ, which is the process's; one at a time then.
template <typename Work>
auto with_zone(std::string_view zone, Work work) {
    static std::mutex mutex;
    const std::lock_guard lock(mutex);
    const char* old = std::getenv("TZ");
    const std::optional<std::string> kept = old ? std::optional<std::string>(old) : std::nullopt;
    setenv("TZ", std::string(zone).c_str(), 1);
    tzset();
    auto result = work();
    if (kept)
        setenv("TZ", kept->c_str(), 1);
    else
        unsetenv("TZ");
    tzset();
    return result;
}

bool is_utc(std::string_view zone) {
    return iequals(zone, "UTC") || iequals(zone, "GMT") || iequals(zone, "Etc/UTC");
}

// A zone's name is a path under zoneinfo for the C library: let nothing but plain names through.
bool is_plain_zone(std::string_view zone) {
    static constexpr std::size_t longest = 64;
    return zone.size() <= longest && !zone.starts_with('/') && !zone.starts_with(':') &&
           zone.find("..") == std::string_view::npos &&
           std::all_of(zone.begin(), zone.end(), [](char c) {
               return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z') || c == '/' || c == '_' ||
                      c == '+' || c == '-' || c == ',' || c == '.' || c == ':' || c == '<' ||
                      c == '>';
           });
}

}  // namespace

std::tm in_zone(WallTime time, std::string_view zone) {
    const auto whole = static_cast<std::time_t>(
        std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count());
    std::tm parts{};
    if (zone.empty())
        localtime_r(&whole, &parts);
    else if (is_utc(zone) || !is_plain_zone(zone))
        gmtime_r(&whole, &parts);
    else
        parts = with_zone(zone, [&] {
            std::tm result{};
            localtime_r(&whole, &result);
            return result;
        });
    return parts;
}

std::int64_t from_zone(std::tm parts, std::string_view zone) {
    parts.tm_isdst = -1;
    if (zone.empty()) return std::mktime(&parts);
    if (is_utc(zone) || !is_plain_zone(zone)) return timegm(&parts);
    return with_zone(zone, [&] { return static_cast<std::int64_t>(std::mktime(&parts)); });
}

Result<TimeSpec> TimeSpec::parse(std::string_view text) {
    static constexpr std::size_t longest = 512;
    if (text.size() > longest) return fail("a time condition of {} bytes", text.size());
    TimeSpec spec;
    spec.text_ = text;
    // Asterisk before 1.6 separated by '|', and old configurations still do.
    auto fields = split(text, text.find(',') == std::string_view::npos ? '|' : ',');
    if (fields.size() > 5) return fail("time condition '{}' has more than five parts", text);
    fields.resize(5);
    const auto number = [](std::string_view part) { return parse_number<int>(trim(part)); };
    auto minutes = parse_minutes(fields[0]);
    if (!minutes) return std::unexpected(minutes.error());
    auto weekdays =
        parse_field<7>(fields[1], 0, 6, [](auto part) { return named(part, weekday_names); });
    if (!weekdays) return std::unexpected(weekdays.error());
    auto days = parse_field<32>(fields[2], 1, 31, number);
    if (!days) return std::unexpected(days.error());
    auto months =
        parse_field<12>(fields[3], 0, 11, [](auto part) { return named(part, month_names); });
    if (!months) return std::unexpected(months.error());
    spec.minutes_ = *minutes;
    spec.weekdays_ = *weekdays;
    spec.days_ = *days;
    spec.months_ = *months;
    spec.zone_ = trim(fields[4]);
    return spec;
}

bool TimeSpec::contains(WallTime time, std::string_view zone) const {
    const auto parts = in_zone(time, zone_.empty() ? zone : std::string_view(zone_));
    return minutes_[static_cast<std::size_t>(parts.tm_hour * 60 + parts.tm_min)] &&
           weekdays_[static_cast<std::size_t>(parts.tm_wday)] &&
           days_[static_cast<std::size_t>(parts.tm_mday)] &&
           months_[static_cast<std::size_t>(parts.tm_mon)];
}

}  // namespace strowger::dialplan
