#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/time.hpp"

namespace strowger::pbx {

/// The option letters of Dial (and Queue, Page) with what stands in their parentheses.
class DialOptions {
public:
    /// "tTm(default)L(60000:10000)": letters in any order; unknown ones are kept and ignored.
    static DialOptions parse(std::string_view text);

    bool has(char letter) const { return values_.contains(letter); }
    /// The text in parentheses; empty when there is none.
    std::string_view value(char letter) const;

    /// L(ms[:warning[:repeat]]) or S(seconds): how long they may talk.
    std::optional<Duration> talk_limit() const;

private:
    std::unordered_map<char, std::string> values_;
};

}  // namespace strowger::pbx
