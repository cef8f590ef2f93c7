#pragma once

#include <string>
#include <vector>

namespace strowger::sip {

/// A header that a caller adds to a message which somebody else writes.
struct HeaderLine {
    std::string name;
    std::string value;
};

using HeaderLines = std::vector<HeaderLine>;

}  // namespace strowger::sip
