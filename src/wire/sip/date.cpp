#include "wire/sip/date.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.hpp"

namespace strowger::sip {

namespace {

constexpr std::array<std::string_view, 7> weekdays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<std::string_view, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                  "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

std::optional<unsigned> number_at(std::string_view text, std::size_t at, std::size_t digits) {
    return parse_number<unsigned>(text.substr(at, digits));
}

}  // namespace

std::optional<std::chrono::sys_seconds> parse_date(std::string_view text) {
    using namespace std::chrono;
    constexpr std::string_view pattern = "www, dd mmm yyyy hh:mm:ss GMT";
    if (text.size() != pattern.size()) return std::nullopt;
    for (std::size_t i = 0; i < pattern.size(); ++i)
        if (lower(pattern[i]) == pattern[i] && (pattern[i] < 'a' || pattern[i] > 'z') &&
            text[i] != pattern[i])
            return std::nullopt;
    if (!iequals(text.substr(26), "GMT")) return std::nullopt;
    const auto named = [](const auto& names, std::string_view name) {
        return std::find_if(names.begin(), names.end(), [&](auto n) { return iequals(n, name); });
    };
    const auto month_name = named(months, text.substr(8, 3));
    const auto dd = number_at(text, 5, 2);
    const auto yyyy = number_at(text, 12, 4);
    const auto hh = number_at(text, 17, 2);
    const auto mm = number_at(text, 20, 2);
    const auto ss = number_at(text, 23, 2);
    if (month_name == months.end() || !dd || !yyyy || !hh || !mm || !ss) return std::nullopt;
    if (named(weekdays, text.substr(0, 3)) == weekdays.end()) return std::nullopt;
    const auto number = static_cast<unsigned>(month_name - months.begin()) + 1;
    const year_month_day date{year{static_cast<int>(*yyyy)}, month{number}, day{*dd}};
    if (!date.ok() || *hh > 23 || *mm > 59 || *ss > 60) return std::nullopt;  // 60: a leap second
    return sys_days{date} + hours{*hh} + minutes{*mm} + std::chrono::seconds{*ss};
}

std::string date_text(std::chrono::sys_seconds time) {
    using namespace std::chrono;
    const auto days_since = floor<days>(time);
    const year_month_day date{days_since};
    const hh_mm_ss clock{time - days_since};
    return fmt::format(
        "{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", weekdays[weekday{days_since}.c_encoding()],
        static_cast<unsigned>(date.day()), months[static_cast<unsigned>(date.month()) - 1],
        static_cast<int>(date.year()), clock.hours().count(), clock.minutes().count(),
        clock.seconds().count());
}

}  // namespace strowger::sip
