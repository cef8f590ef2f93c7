#pragma once

#include <string>

namespace strowger::dialplan {

/// Where a call stands: `context,exten,priority`.
struct Position {
    std::string context;
    std::string exten;
    int priority = 1;

    bool operator==(const Position&) const = default;
    std::string text() const { return context + ',' + exten + ',' + std::to_string(priority); }
};

}  // namespace strowger::dialplan
