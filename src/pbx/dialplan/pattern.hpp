#pragma once

#include <bitset>
#include <compare>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace strowger::dialplan {

/// The name of an extension: literal text, or a pattern when it begins with `_`.
///
/// X is 0-9, Z 1-9, N 2-9 (either case), `[1-3a*]` a set, `.` one or more of anything, `!` nothing
/// or more; `-` outside a set is decoration; anything else stands for itself.
class Pattern {
public:
    enum class Match {
        no,       ///< and no further digit would help
        partial,  ///< further digits could complete it
        full
    };

    static Result<Pattern> compile(std::string_view text);

    const std::string& text() const { return text_; }  ///< as written, with the `_`
    bool is_literal() const { return literal_; }
    Match match(std::string_view digits) const;
    /// Matches `digits`, and some longer string as well (or only longer ones): collecting may go
    /// on.
    bool could_match_longer(std::string_view digits) const;

    /// Before: the better choice. Literals first; then position by position the smaller set, then
    /// the lower first character; `.` after every set, `!` after `.`.
    std::strong_ordering operator<=>(const Pattern& other) const;
    bool operator==(const Pattern& other) const { return (*this <=> other) == 0; }

private:
    struct Element {
        enum class Kind { set, some, any };  ///< `.` is some, `!` is any
        Kind kind = Kind::set;
        std::bitset<256> characters;
        unsigned size = 0;
        unsigned first = 0;
    };

    std::string text_;
    bool literal_ = true;
    std::vector<Element> elements_;
};

inline constexpr std::size_t max_pattern = 256;  ///< bytes; numbers and names are far shorter

}  // namespace strowger::dialplan
