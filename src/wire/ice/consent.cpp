#include "wire/ice/consent.hpp"

#include <algorithm>

namespace strowger::ice {

Consent::Consent(const Config& config, Time now, Random& random)
    : config_(config), expires_(now + config.timeout) {
    schedule_check(now, random);
}

void Consent::answered(Time now) {
    if (granted_) expires_ = std::max(expires_, now + config_.timeout);
}

void Consent::revoke(Time now) {
    if (granted_) expires_ = now;
}

Time Consent::deadline() const { return granted_ ? std::min(next_check_, expires_) : Time::max(); }

std::optional<Consent::Event> Consent::tick(Time now, Random& random) {
    if (!granted_) return std::nullopt;
    if (now >= expires_) {
        granted_ = false;
        return Event::lost;
    }
    if (now >= next_check_) {
        schedule_check(now, random);
        return Event::check_due;
    }
    return std::nullopt;
}

// Section 5.1: spread over 0.8 to 1.2 of the interval, so that many peers never check in step.
void Consent::schedule_check(Time now, Random& random) {
    next_check_ = now + scale(config_.interval, random.between(0.8, 1.2));
}

}  // namespace strowger::ice
