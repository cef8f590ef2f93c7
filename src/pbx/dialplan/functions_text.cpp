#include <bitset>
#include <cstdio>

#include "pbx/dialplan/builtin.hpp"
#include "pbx/dialplan/regex.hpp"
#include "pbx/dialplan/substitution.hpp"

namespace strowger::dialplan {

namespace {

using Value = Result<std::string>;

Value quote(Call&, std::string_view args) {
    std::string text = "\"";
    for (const char c : args) {
        if (c == '"' || c == '\\') text += '\\';
        text += c;
    }
    return text + '"';
}

Value csv_quote(Call&, std::string_view args) {
    std::string text = "\"";
    for (const char c : args) {
        if (c == '"') text += '"';
        text += c;
    }
    return text + '"';
}

// "0-9A-Za-z\x20": characters, ranges and escapes.
std::bitset<256> character_set(std::string_view text) {
    std::bitset<256> set;
    const auto take = [&](std::size_t& at) {
        if (text[at] != '\\' || at + 1 >= text.size()) return text[at];
        const auto escape = text.substr(at, text[at + 1] == 'x' ? 4 : 2);
        at += escape.size() - 1;
        return delimiter_of(escape, '\\');
    };
    for (std::size_t at = 0; at < text.size(); ++at) {
        const auto first = static_cast<unsigned char>(take(at));
        auto last = first;
        if (at + 2 < text.size() && text[at + 1] == '-') {
            at += 2;
            last = static_cast<unsigned char>(take(at));
        }
        for (unsigned c = first; c <= last; ++c) set.set(c);
    }
    return set;
}

Value filter(Call&, std::string_view args) {
    const auto parts = split_raw(args);
    if (parts.size() < 2) return fail("wants characters and a text, got '{}'", args);
    const auto allowed = character_set(parts[0]);
    const auto text = args.substr(parts[0].size() + 1);
    std::string kept;
    for (const char c : text)
        if (allowed.test(static_cast<unsigned char>(c))) kept += c;
    return kept;
}

// CUT(varname,delim,fields): 1-based fields "2", "2-", "-2", "1&3".
Value cut(Call& call, std::string_view args) {
    const Args arg(args);
    if (arg.size() < 3) return fail("wants a variable's name, a delimiter and fields");
    const char delimiter = delimiter_of(arg[1], '-');
    const auto value = value_of(call, arg[0]);
    const auto fields = split(value, delimiter);
    std::string result;
    bool first = true;
    for (const auto range : split(arg[2], '&')) {
        const auto dash = range.find('-');
        const auto [low_text, high_text] = split_once(range, '-');
        const auto low =
            trim(low_text).empty() ? 1 : parse_number<std::size_t>(trim(low_text)).value_or(0);
        auto high = low;
        if (dash != std::string_view::npos)
            high = trim(high_text).empty() ? fields.size()
                                           : parse_number<std::size_t>(trim(high_text)).value_or(0);
        if (low == 0) return fail("'{}' is not a field or range of fields", range);
        for (auto i = low; i <= std::min(high, fields.size()); ++i) {
            if (!first) result += delimiter;
            if (result.size() + fields[i - 1].size() > max_substituted) return result;
            result += fields[i - 1];
            first = false;
        }
    }
    return result;
}

Value uri_encode(Call&, std::string_view args) {
    static constexpr std::string_view hex = "0123456789ABCDEF";
    std::string text;
    for (const char c : args) {
        const bool plain = is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z') || c == '-' ||
                           c == '_' || c == '.' || c == '~';  // RFC 3986 section 2.3
        const auto byte = static_cast<unsigned char>(c);
        if (plain)
            text += c;
        else
            ((text += '%') += hex[byte >> 4]) += hex[byte & 15];
    }
    return text;
}

Value uri_decode(Call&, std::string_view args) {
    std::string text;
    for (std::size_t at = 0; at < args.size(); ++at) {
        unsigned value = 0;
        const auto hex = args.substr(std::min(at + 1, args.size()), 2);
        const auto [end, error] = std::from_chars(hex.data(), hex.data() + hex.size(), value, 16);
        if (args[at] == '%' && hex.size() == 2 && error == std::errc{} && end == hex.data() + 2) {
            text += static_cast<char>(value);
            at += 2;
        } else {
            text += args[at];
        }
    }
    return text;
}

Value keypad_hash(Call&, std::string_view args) {
    static constexpr std::string_view keys = "22233344455566677778889999";
    std::string text;
    for (const char c : args) {
        if (is_digit(c)) text += c;
        if (lower(c) >= 'a' && lower(c) <= 'z')
            text += keys[static_cast<std::size_t>(lower(c) - 'a')];
    }
    return text;
}

// REGEX("pattern" text)
Value regex(Call&, std::string_view args) {
    args = trim(args);
    const auto close = args.starts_with('"') ? args.find('"', 1) : std::string_view::npos;
    if (close == std::string_view::npos) return fail("wants \"pattern\" and a text");
    const auto pattern = args.substr(0, close + 1);
    auto text = args.substr(close + 1);
    if (text.starts_with(' ')) text.remove_prefix(1);
    const auto found = search(pattern.substr(1, pattern.size() - 2), text);
    if (!found) return std::unexpected(found.error());
    return std::string(found->matched ? "1" : "0");
}

// REPLACE(varname,characters[,replacement])
Value replace(Call& call, std::string_view args) {
    const Args arg(args);
    if (arg.size() < 2) return fail("wants a variable's name and characters");
    const auto unwanted = character_set(arg[1]);
    const auto value = value_of(call, arg[0]);
    std::string text;
    for (const char c : value) {
        if (!unwanted.test(static_cast<unsigned char>(c)))
            text += c;
        else if (!arg[2].empty())
            text += arg[2].front();
    }
    return text;
}

// STRREPLACE(varname,find[,replacement[,most]])
Value string_replace(Call& call, std::string_view args) {
    const Args arg(args);
    if (arg[1].empty()) return fail("wants a variable's name and what to find");
    const auto value = value_of(call, arg[0]);
    auto most = parse_number<std::size_t>(arg[3]).value_or(value.size());
    std::string text;
    std::size_t at = 0;
    while (text.size() < max_substituted) {
        const auto hit = most > 0 ? value.find(arg[1], at) : std::string::npos;
        text.append(value, at, hit == std::string::npos ? hit : hit - at);
        if (hit == std::string::npos) break;
        text += arg[2];
        at = hit + arg[1].size();
        --most;
    }
    return text;
}

// One conversion of SPRINTF, with flags, width and precision checked before the C library sees
// them.
Value convert(std::string_view flags, char conversion, const std::string& argument) {
    static constexpr int widest = 1024;
    int numbers[2] = {0, 0};
    int which = 0;
    bool in_flags = true;
    for (const char c : flags) {
        if (in_flags && std::string_view("-+ #0").find(c) != std::string_view::npos) continue;
        in_flags = false;
        if (c == '.' && which == 0)
            which = 1;
        else if (!is_digit(c))
            return fail("'%{}{}' is not a conversion", flags, conversion);
        else
            numbers[which] = std::min(widest + 1, numbers[which] * 10 + (c - '0'));
        if (numbers[which] > widest)
            return fail("'%{}{}' is wider than {}", flags, conversion, widest);
    }
    char buffer[2 * widest + 512];
    const auto format = [&](std::string_view length) {
        return fmt::format("%{}{}{}", flags, length, conversion);
    };
    int written = 0;
    switch (conversion) {
        case 'd':
        case 'i':
            written = std::snprintf(buffer, sizeof buffer, format("ll").c_str(),
                                    std::strtoll(argument.c_str(), nullptr, 10));
            break;
        case 'u':
        case 'x':
        case 'X':
        case 'o':
            written = std::snprintf(buffer, sizeof buffer, format("ll").c_str(),
                                    std::strtoull(argument.c_str(), nullptr, 10));
            break;
        case 'c':
            written = std::snprintf(buffer, sizeof buffer, format("").c_str(),
                                    argument.empty() ? ' ' : argument.front());
            break;
        case 'e':
        case 'E':
        case 'f':
        case 'F':
        case 'g':
        case 'G':
        case 'a':
        case 'A':
            written = std::snprintf(buffer, sizeof buffer, format("").c_str(),
                                    std::strtod(argument.c_str(), nullptr));
            break;
        case 's': {
            const auto text = argument.substr(0, max_substituted);
            if (flags.empty()) return text;
            written = std::snprintf(buffer, sizeof buffer, format("").c_str(), text.c_str());
            if (static_cast<std::size_t>(written) >= sizeof buffer) return text;
            break;
        }
        default: return fail("'%{}{}' is not a conversion", flags, conversion);
    }
    const auto size =
        std::min<std::size_t>(static_cast<std::size_t>(std::max(0, written)), sizeof buffer - 1);
    return std::string(buffer, size);
}

Value sprintf_function(Call&, std::string_view args) {
    const Args arg(args);
    const auto& format = arg[0];
    std::string text;
    std::size_t next = 1;
    for (std::size_t at = 0; at < format.size() && text.size() < max_substituted; ++at) {
        if (format[at] != '%') {
            text += format[at];
            continue;
        }
        if (at + 1 < format.size() && format[at + 1] == '%') {
            text += '%';
            ++at;
            continue;
        }
        const auto end = format.find_first_not_of("-+ #0123456789.hlLqjzt", at + 1);
        if (end == std::string::npos) return fail("'{}' ends within a conversion", format);
        auto flags = std::string_view(format).substr(at + 1, end - at - 1);
        while (!flags.empty() &&
               std::string_view("hlLqjzt").find(flags.back()) != std::string_view::npos)
            flags.remove_suffix(1);
        auto converted = convert(flags, format[end], arg[next++]);
        if (!converted) return converted;
        text += *converted;
        at = end;
    }
    return text;
}

std::string trimmed(std::string_view text, bool left, bool right) {
    while (left && !text.empty() && is_space(text.front())) text.remove_prefix(1);
    while (right && !text.empty() && is_space(text.back())) text.remove_suffix(1);
    return std::string(text);
}

}  // namespace

void add_text_functions(Functions& f) {
    f.add("LEN", "length of a text",
          [](Call&, std::string_view s) -> Value { return std::to_string(s.size()); });
    f.add("TOUPPER", "text in capitals",
          [](Call&, std::string_view s) -> Value { return to_upper(s); });
    f.add("TOLOWER", "text in small letters",
          [](Call&, std::string_view s) -> Value { return to_lower(s); });
    f.add("QUOTE", "text in quotes, escaped", quote);
    f.add("CSV_QUOTE", "text in quotes for a CSV file", csv_quote);
    f.add("FILTER", "only the characters allowed", filter);
    f.add("CUT", "fields of a variable's text", cut);
    f.add("URIENCODE", "percent-encoded", uri_encode);
    f.add("URIDECODE", "percent-decoded", uri_decode);
    f.add("KEYPADHASH", "letters as keypad digits", keypad_hash);
    f.add("REGEX", "1 when a pattern matches", regex);
    f.add("REPLACE", "characters of a variable's text replaced", replace);
    f.add("STRREPLACE", "parts of a variable's text replaced", string_replace);
    f.add("SPRINTF", "formatted text", sprintf_function);
    f.add_waiting(
        "EVAL", "substitutes once more",
        [](Call& call, std::string s) -> Task<Value> {
            co_return co_await substitute_waiting(call, std::move(s));
        },
        [](Call& call, std::string_view s) -> Value { return substitute(call, s); });
    f.add("PASSTHRU", "the text itself",
          [](Call&, std::string_view s) -> Value { return std::string(s); });
    f.add("LTRIM", "without blanks before",
          [](Call&, std::string_view s) -> Value { return trimmed(s, true, false); });
    f.add("RTRIM", "without blanks after",
          [](Call&, std::string_view s) -> Value { return trimmed(s, false, true); });
    f.add("TRIM", "without blanks around",
          [](Call&, std::string_view s) -> Value { return trimmed(s, true, true); });
    f.add("BASENAME", "last part of a path", [](Call&, std::string_view s) -> Value {
        while (s.size() > 1 && s.ends_with('/')) s.remove_suffix(1);
        const auto slash = s.rfind('/');
        return std::string(slash == std::string_view::npos || s.size() == 1 ? s
                                                                            : s.substr(slash + 1));
    });
    f.add("DIRNAME", "a path without its last part", [](Call&, std::string_view s) -> Value {
        while (s.size() > 1 && s.ends_with('/')) s.remove_suffix(1);
        const auto slash = s.rfind('/');
        if (slash == std::string_view::npos) return std::string(".");
        return std::string(s.substr(0, std::max<std::size_t>(slash, 1)));
    });
}

}  // namespace strowger::dialplan
