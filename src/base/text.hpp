#pragma once

#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace strowger {

/// ASCII text as protocols and configuration use it: no locale, no copies.

constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

bool iequals(std::string_view a, std::string_view b);
bool istarts_with(std::string_view text, std::string_view prefix);
std::string to_lower(std::string_view text);
std::string to_upper(std::string_view text);
std::string_view trim(std::string_view text);

/// The parts between separators, empty ones kept; "" gives one empty part.
std::vector<std::string_view> split(std::string_view text, char separator);

/// Before and after the first separator; all of it and nothing when there is none.
std::pair<std::string_view, std::string_view> split_once(std::string_view text, char separator);

/// The whole text as a decimal number, or nothing (also on overflow, sign for unsigned, blanks).
template <typename Number>
std::optional<Number> parse_number(std::string_view text) {
    Number value{};
    const auto end = text.data() + text.size();
    const auto [last, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc{} || last != end || text.empty()) return std::nullopt;
    return value;
}

/// Asterisk's idea of a boolean: yes, true, y, t, 1 and on are true, anything else is false.
bool is_true(std::string_view text);

/// Lower-case hexadecimal.
std::string to_hex(std::string_view bytes);

/// The candidate nearest to `word` by edit distance, if near enough to suggest to a person.
std::optional<std::string_view> nearest(std::string_view word,
                                        const std::vector<std::string_view>& candidates);

/// Lets string-keyed maps be searched with a string_view.
struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
        return std::hash<std::string_view>{}(text);
    }
};

}  // namespace strowger
