#pragma once

#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>
#include <vector>

namespace strowger::pbx {

/// Names of sounds, in the order of speaking.
using Spoken = std::vector<std::string>;

/// How a language puts numbers, letters and times together from sounds ("digits/20", "digits/1").
/// Where a language has no rules of its own, English ones speak with its voice.
class Speech {
public:
    virtual ~Speech() = default;

    /// Digit by digit; `#`, `*` and `-` are spoken, other characters are not.
    virtual Spoken digits(std::string_view text) const;
    virtual Spoken letters(std::string_view text) const;
    virtual Spoken phonetic(std::string_view text) const;
    virtual Spoken number(std::int64_t value) const = 0;
    virtual Spoken ordinal(std::int64_t value) const = 0;
    virtual Spoken money(std::int64_t cents) const = 0;
    /// SayUnixTime's format: A weekday, B month, m its number, d e day, Y year, I l and H k hours,
    /// M minutes, S seconds, P p am or pm, Q q today or the day, R T clock; 'name' is a sound.
    virtual Spoken time(const std::tm& when, const std::tm& now, std::string_view format) const = 0;
    virtual std::string_view default_time_format() const = 0;

    static const Speech& of(std::string_view language);
};

inline constexpr std::size_t max_spoken =
    256;  ///< sounds of one utterance; what exceeds stays unsaid

}  // namespace strowger::pbx
