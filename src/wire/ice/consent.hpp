#pragma once

#include <cstdint>
#include <optional>

#include "base/random.hpp"
#include "base/time.hpp"

namespace strowger::ice {

/// Consent freshness (RFC 7675): may we still send to this peer?
///
/// The owner sends a STUN check when told to, reports each valid answer, and stops sending when
/// consent is lost. Once lost it stays lost; only an ICE restart (a new Consent) regains it.
class Consent {
public:
    struct Config {
        Duration interval = std::chrono::seconds{5};  ///< mean time between checks
        Duration timeout =
            std::chrono::seconds{30};  ///< lost this long after the last valid answer
    };

    enum class Event : std::uint8_t { check_due, lost };

    /// Consent starts granted: the nominated pair has just answered a connectivity check.
    Consent(const Config& config, Time now, Random& random);

    /// A response to one of our checks arrived, with valid integrity, from the selected pair.
    void answered(Time now);
    /// The peer refused with 403 (section 5.2); `tick` says so.
    void revoke(Time now);

    /// When `tick` next has something to say. `Time::max()` once consent is lost.
    Time deadline() const;

    /// What is due at `now`, one event a call; call again until empty.
    std::optional<Event> tick(Time now, Random& random);

    bool granted() const { return granted_; }

private:
    void schedule_check(Time now, Random& random);

    Config config_;
    Time expires_;
    Time next_check_;
    bool granted_ = true;
};

}  // namespace strowger::ice
