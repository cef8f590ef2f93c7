#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <numeric>

namespace strowger {

bool iequals(std::string_view a, std::string_view b) {
    return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) {
               return x == y || lower(x) == lower(y);
           });
}

bool istarts_with(std::string_view text, std::string_view prefix) {
    return text.size() >= prefix.size() && iequals(text.substr(0, prefix.size()), prefix);
}

std::string to_lower(std::string_view text) {
    std::string result(text);
    for (auto& c : result) c = lower(c);
    return result;
}

std::string to_upper(std::string_view text) {
    std::string result(text);
    for (auto& c : result) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    return result;
}

std::string_view trim(std::string_view text) {
    while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    return text;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> parts;
    for (;;) {
        const auto at = text.find(separator);
        parts.push_back(text.substr(0, at));
        if (at == std::string_view::npos) return parts;
        text.remove_prefix(at + 1);
    }
}

std::pair<std::string_view, std::string_view> split_once(std::string_view text, char separator) {
    const auto at = text.find(separator);
    if (at == std::string_view::npos) return {text, {}};
    return {text.substr(0, at), text.substr(at + 1)};
}

bool is_true(std::string_view text) {
    static constexpr std::array<std::string_view, 6> words{"yes", "true", "y", "t", "1", "on"};
    return std::any_of(words.begin(), words.end(), [&](auto word) { return iequals(text, word); });
}

std::string to_hex(std::string_view bytes) {
    static constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    text.reserve(bytes.size() * 2);
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        text += digits[byte >> 4];
        text += digits[byte & 15];
    }
    return text;
}

namespace {

constexpr std::size_t longest_word = 128;  // beyond it nobody mistyped a key

// Levenshtein, one row at a time; `limit` for any that is not below it. Only cells nearer than that
// to the diagonal can matter, which for words is a handful.
std::size_t edit_distance(std::string_view a, std::string_view b, std::size_t limit) {
    if (a.size() >= b.size() + limit || b.size() >= a.size() + limit) return limit;
    std::array<std::size_t, 2 * longest_word> row;  // b is shorter than a and the limit together
    std::iota(row.begin(), row.begin() + b.size() + 1, std::size_t{0});
    for (std::size_t i = 0; i < a.size(); ++i) {
        const std::size_t first = i + 1 > limit ? i + 1 - limit : 0;
        const std::size_t last = std::min(b.size(), i + limit);
        std::size_t diagonal = row[first];
        std::size_t least = row[first] = first == 0 ? i + 1 : limit;
        for (std::size_t j = first; j < last; ++j) {
            const std::size_t substitute = diagonal + (lower(a[i]) != lower(b[j]));
            diagonal = row[j + 1];
            row[j + 1] = std::min({row[j + 1] + 1, row[j] + 1, substitute});
            least = std::min(least, row[j + 1]);
        }
        if (least >= limit) return limit;
    }
    return std::min(limit, row[b.size()]);
}

}  // namespace

std::optional<std::string_view> nearest(std::string_view word,
                                        const std::vector<std::string_view>& candidates) {
    if (word.size() > longest_word) return std::nullopt;
    std::optional<std::string_view> best;
    std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
    for (const auto candidate : candidates) {
        const auto distance = edit_distance(word, candidate, best_distance);
        if (distance < best_distance) {
            best = candidate;
            best_distance = distance;
        }
    }
    return best;
}

}  // namespace strowger
