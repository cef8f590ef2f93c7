#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.hpp"

namespace strowger::sip {

/// Event (RFC 6665 section 8.2.1): "message-summary", "refer;id=93809824".
struct Event {
    static Result<Event> parse(std::string_view value);

    std::string_view package;  ///< with its templates: "presence.winfo"
    std::string_view id;       ///< empty when absent

    /// Whether both name the same subscription within a dialog (section 4.5.2).
    bool matches(const Event& other) const;
};

/// Subscription-State (RFC 6665 section 8.2.3): "active;expires=600".
struct SubscriptionState {
    enum class State : std::uint8_t { active, pending, terminated, other };

    static Result<SubscriptionState> parse(std::string_view value);

    State state = State::other;
    std::optional<std::uint32_t> expires;  ///< seconds
    std::string_view reason;               ///< "noresource", "deactivated", ...; empty when absent
    std::optional<std::uint32_t> retry_after;  ///< seconds
};

}  // namespace strowger::sip
