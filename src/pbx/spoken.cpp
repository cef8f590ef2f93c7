#include "pbx/spoken.hpp"

#include <array>

#include "base/text.hpp"

namespace strowger::pbx {

namespace {

std::string digit(std::int64_t n) { return "digits/" + std::to_string(n); }

void append(Spoken& to, Spoken more) {
    for (auto& sound : more)
        if (to.size() < max_spoken) to.push_back(std::move(sound));
}

class English final : public Speech {
public:
    Spoken number(std::int64_t value) const override {
        Spoken said;
        if (value < 0) said.emplace_back("digits/minus");
        // Of the smallest number there is no positive one.
        const std::uint64_t size =
            value < 0 ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
        append(said, size == 0 ? Spoken{"digits/0"} : cardinal(size));
        return said;
    }

    Spoken ordinal(std::int64_t value) const override {
        Spoken said;
        if (value < 0) said.emplace_back("digits/minus");
        const std::uint64_t size =
            value < 0 ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
        append(said, size == 0 ? Spoken{"digits/h-0"} : cardinal(size));
        // Only the last word changes: "twenty third", "two hundredth".
        auto& last = said.back();
        if (!last.starts_with("digits/h-")) last = "digits/h-" + last.substr(7);
        return said;
    }

    Spoken money(std::int64_t cents) const override {
        Spoken said;
        if (cents < 0) said.emplace_back("digits/minus");
        const std::uint64_t size =
            cents < 0 ? 0 - static_cast<std::uint64_t>(cents) : static_cast<std::uint64_t>(cents);
        const std::uint64_t dollars = size / 100, rest = size % 100;
        if (dollars > 0 || rest == 0) {
            append(said, dollars == 0 ? Spoken{"digits/0"} : cardinal(dollars));
            said.emplace_back(dollars == 1 ? "letters/dollar" : "dollars");
        }
        if (rest > 0) {
            if (dollars > 0) said.emplace_back("and");
            append(said, cardinal(rest));
            said.emplace_back(rest == 1 ? "cent" : "cents");
        }
        return said;
    }

    std::string_view default_time_format() const override { return "ABdY 'digits/at' IMp"; }

    Spoken time(const std::tm& when, const std::tm& now, std::string_view format) const override {
        Spoken said;
        for (std::size_t at = 0; at < format.size() && said.size() < max_spoken; ++at) {
            if (format[at] == '\'') {
                const auto end = std::min(format.find('\'', at + 1), format.size());
                if (end > at + 1) said.emplace_back(format.substr(at + 1, end - at - 1));
                at = end;
            } else {
                append(said, part(when, now, format[at]));
            }
        }
        return said;
    }

private:
    static Spoken cardinal(std::uint64_t n) {
        Spoken said;
        static constexpr std::array<std::pair<std::uint64_t, const char*>, 3> scales{
            {{1'000'000'000, "digits/billion"},
             {1'000'000, "digits/million"},
             {1000, "digits/thousand"}}};
        for (const auto& [size, name] : scales) {
            if (n < size) continue;
            append(said, cardinal(n / size));
            said.emplace_back(name);
            n %= size;
        }
        if (n >= 100) {
            said.push_back(digit(static_cast<std::int64_t>(n / 100)));
            said.emplace_back("digits/hundred");
            n %= 100;
        }
        if (n > 20) {
            said.push_back(digit(static_cast<std::int64_t>(n / 10 * 10)));
            n %= 10;
        }
        if (n > 0) said.push_back(digit(static_cast<std::int64_t>(n)));
        return said;
    }

    Spoken year(int year) const {
        if (year < 1000 || year > 9999 || (year >= 2000 && year < 2010)) return number(year);
        Spoken said = number(year / 100);
        const int rest = year % 100;
        if (rest == 0)
            said.emplace_back("digits/hundred");
        else
            append(said, minutes(rest));
        return said;
    }

    // "oh five", "thirty".
    static Spoken minutes(int n) {
        Spoken said;
        if (n < 10) said.emplace_back("digits/oh");
        append(said, n == 0 ? Spoken{} : cardinal(static_cast<std::uint64_t>(n)));
        return said;
    }

    Spoken clock(int hour, int minute) const {
        Spoken said = number(hour);
        append(said, minute == 0 ? Spoken{"digits/oclock"} : minutes(minute));
        return said;
    }

    Spoken part(const std::tm& when, const std::tm& now, char letter) const {
        const int twelve = when.tm_hour % 12 == 0 ? 12 : when.tm_hour % 12;
        switch (letter) {
            case 'A':
            case 'a': return {"digits/day-" + std::to_string(when.tm_wday)};
            case 'B':
            case 'b':
            case 'h': return {"digits/mon-" + std::to_string(when.tm_mon)};
            case 'm': return ordinal(when.tm_mon + 1);
            case 'd':
            case 'e': return ordinal(when.tm_mday);
            case 'Y': return year(when.tm_year + 1900);
            case 'I':
            case 'l': return number(twelve);
            case 'H': return when.tm_hour < 10 ? minutes(when.tm_hour) : number(when.tm_hour);
            case 'k': return number(when.tm_hour);
            case 'M': return when.tm_min == 0 ? Spoken{"digits/oclock"} : minutes(when.tm_min);
            case 'S': return number(when.tm_sec);
            case 'P':
            case 'p': return {when.tm_hour < 12 ? "digits/a-m" : "digits/p-m"};
            case 'R': return clock(when.tm_hour, when.tm_min);
            case 'T': {
                Spoken said = clock(when.tm_hour, when.tm_min);
                append(said, number(when.tm_sec));
                return said;
            }
            case 'Q':
            case 'q': return day(when, now, letter == 'q');
            default: return {};
        }
    }

    // Days since 1970 by the civil calendar, to see what lies between.
    static std::int64_t day_number(const std::tm& t) {
        std::tm copy{};
        copy.tm_year = t.tm_year;
        copy.tm_mon = t.tm_mon;
        copy.tm_mday = t.tm_mday;
        return ::timegm(&copy) / 86400;
    }

    // Q: today, yesterday, or the whole date; q: nothing for today, and the weekday within a week.
    Spoken day(const std::tm& when, const std::tm& now, bool brief) const {
        const auto ago = day_number(now) - day_number(when);
        if (ago == 0) return brief ? Spoken{} : Spoken{"digits/today"};
        if (ago == 1) return {"digits/yesterday"};
        if (!brief && ago == -1) return {"digits/tomorrow"};
        return time(when, now, brief && ago > 1 && ago < 7 ? "A" : "ABdY");
    }
};

// Names of the recordings of characters that are neither letter nor digit.
std::string letter_sound(char c) {
    const char small = lower(c);
    if (small >= 'a' && small <= 'z') return std::string("letters/") + small;
    if (is_digit(c)) return std::string("digits/") + c;
    switch (c) {
        case '!': return "letters/exclaimation-point";
        case '@': return "letters/at";
        case '$': return "letters/dollar";
        case '#': return "digits/pound";
        case '*': return "digits/star";
        case '/': return "letters/slash";
        case '-': return "letters/dash";
        case '+': return "letters/plus";
        case '=': return "letters/equals";
        case '.': return "letters/dot";
        case ' ': return "letters/space";
        default: break;
    }
    const auto code = static_cast<unsigned char>(c);
    return code > 0x20 && code < 0x7f ? "letters/ascii" + std::to_string(code) : std::string();
}

}  // namespace

Spoken Speech::digits(std::string_view text) const {
    Spoken said;
    for (const char c : text) {
        if (said.size() >= max_spoken) break;
        if (is_digit(c))
            said.push_back(std::string("digits/") + c);
        else if (c == '#')
            said.emplace_back("digits/pound");
        else if (c == '*')
            said.emplace_back("digits/star");
        else if (c == '-')
            said.emplace_back("digits/minus");
    }
    return said;
}

Spoken Speech::letters(std::string_view text) const {
    Spoken said;
    for (const char c : text)
        if (auto sound = letter_sound(c); !sound.empty() && said.size() < max_spoken)
            said.push_back(std::move(sound));
    return said;
}

Spoken Speech::phonetic(std::string_view text) const {
    Spoken said;
    for (const char c : text) {
        if (said.size() >= max_spoken) break;
        const char small = lower(c);
        if (small >= 'a' && small <= 'z')
            said.push_back(std::string("phonetic/") + small + "_p");
        else if (auto sound = letter_sound(c); !sound.empty())
            said.push_back(std::move(sound));
    }
    return said;
}

const Speech& Speech::of(std::string_view) {
    static const English english;
    return english;
}

}  // namespace strowger::pbx
