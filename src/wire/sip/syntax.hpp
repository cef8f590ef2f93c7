#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace strowger::sip::syntax {

/// The character classes and small scanners of RFC 3261 section 25 that the header parsers share.
/// White space means LWS after the message was taken apart: SP, HT and the CRLF of a fold.

inline constexpr std::size_t npos = std::string_view::npos;

consteval std::array<bool, 256> characters(std::string_view more) {
    std::array<bool, 256> set{};
    for (int c = 'a'; c <= 'z'; ++c) set[c] = set[c - 32] = true;
    for (int c = '0'; c <= '9'; ++c) set[c] = true;
    for (const char c : more) set[static_cast<unsigned char>(c)] = true;
    return set;
}

inline constexpr auto token_characters = characters("-.!%*_+`'~");
inline constexpr auto host_characters = characters("-._");
inline constexpr auto ipv6_characters = [] {
    std::array<bool, 256> set{};
    for (const char c : std::string_view{"0123456789abcdefABCDEF:."})
        set[static_cast<unsigned char>(c)] = true;
    return set;
}();

constexpr bool is_lws(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
constexpr bool is_token(char c) { return token_characters[static_cast<unsigned char>(c)]; }
constexpr bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }
bool is_token(std::string_view text);  ///< not empty, and tokens only

/// So much of a bad text as stands in an error message.
constexpr std::string_view excerpt(std::string_view text) { return text.substr(0, 60); }

constexpr std::size_t skip_lws(std::string_view text, std::size_t at) {
    while (at < text.size() && is_lws(text[at])) ++at;
    return at;
}
std::string_view trim_lws(std::string_view text);

/// `at` is an opening quote; the index after the closing one, or npos when there is none.
std::size_t skip_quoted(std::string_view text, std::size_t at);

/// Where the first value of a comma-separated list ends: at a comma that is neither quoted nor in
/// <>, or at the end of the text.
std::size_t value_end(std::string_view list, std::size_t at = 0);

/// Takes the next value (trimmed) off a comma-separated list; nothing when it is used up.
std::optional<std::string_view> take_value(std::string_view& list);

struct Parameter {
    std::string_view name;
    std::string_view value;  ///< quotes removed, escapes kept; empty when there is none
    bool quoted = false;
};

/// Takes ";name=value" off the front; nothing at the end, or where the text is no parameter: then
/// something other than white space is left.
std::optional<Parameter> take_parameter(std::string_view& parameters);

/// Takes "name=value" off the front of a comma-separated list, as auth headers have it; ends as
/// `take_parameter` does.
std::optional<Parameter> take_auth_parameter(std::string_view& list);

/// Seconds, 0 to 2^32-1 (section 25.1 delta-seconds). More digits than that count as the largest;
/// nothing when the text is no number.
std::optional<std::uint32_t> delta_seconds(std::string_view text);

/// Whether the text is nothing but parameters.
bool are_parameters(std::string_view text);

/// A host name, IPv4 address or bracketed IPv6 reference at the start of the text: its length, 0
/// when there is none. Names are not looked at more closely than their characters.
std::size_t host_length(std::string_view text);

}  // namespace strowger::sip::syntax
