#pragma once

#include <array>
#include <bitset>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/time.hpp"

namespace strowger::dialplan {

/// `times,weekdays,mdays,months[,tz]`: "9:00-17:00,mon-fri,*,*". `*` or nothing is always; ranges
/// may wrap ("22:00-6:00", "sat-sun"); `&` joins alternatives.
class TimeSpec {
public:
    static Result<TimeSpec> parse(std::string_view text);

    /// In the spec's zone, or `zone` when it names none ("" is the machine's local time).
    bool contains(WallTime time, std::string_view zone = {}) const;
    const std::string& text() const { return text_; }

private:
    std::string text_;
    std::string zone_;
    std::bitset<24 * 60> minutes_;
    std::bitset<7> weekdays_;  ///< Sunday is 0
    std::bitset<32> days_;     ///< 1..31
    std::bitset<12> months_;
};

/// Calendar parts of a time in a named zone ("Europe/Stockholm"; "" is local time; unknown: UTC).
std::tm in_zone(WallTime time, std::string_view zone);

/// The reverse: seconds since 1970 of calendar parts in a zone.
std::int64_t from_zone(std::tm parts, std::string_view zone);

}  // namespace strowger::dialplan
