#include "wire/rtcp/schedule.hpp"

#include <algorithm>

namespace strowger::rtcp {

namespace {

constexpr double sender_share = 0.25;     // section 6.2
constexpr double compensation = 1.21828;  // e - 3/2, section 6.3.1
constexpr double size_gain = 1.0 / 16;    // section 6.3.3

}  // namespace

Schedule::Schedule(Config config, Time now, Random& random)
    : config_(config), random_(random), previous_(now), next_(now) {
    next_ = now + randomised();
}

void Schedule::sent(std::size_t bytes) { received(bytes); }

void Schedule::received(std::size_t bytes) {
    average_size_ += size_gain * (static_cast<double>(bytes) - average_size_);
}

// Section 6.3.4: when members leave, what is left of the interval shrinks with them.
void Schedule::set_members(std::uint32_t members, std::uint32_t senders, Time now) {
    members_ = std::clamp(members, 1U, max_members);
    senders_ = std::min(senders, members_);
    if (members_ >= last_members_) return;
    const double ratio = static_cast<double>(members_) / last_members_;
    next_ = now + scale(std::max(Duration{}, next_ - now), ratio);
    previous_ = now - scale(std::max(Duration{}, now - previous_), ratio);
    last_members_ = members_;
}

// Section 6.3.6: reconsider at expiry, as members may have joined since the timer was set.
bool Schedule::tick(Time now) {
    if (now < next_) return false;
    const auto interval = randomised();
    if (previous_ + interval > now) {
        next_ = previous_ + interval;
        last_members_ = members_;
        return false;
    }
    previous_ = now;
    initial_ = false;
    next_ = now + randomised();
    last_members_ = members_;
    return true;
}

// Section 6.3.1.
Duration Schedule::deterministic_interval() const {
    double bandwidth = config_.session_bandwidth * config_.rtcp_share;
    double members = members_;
    if (senders_ <= sender_share * members_) {
        if (we_sent_) {
            bandwidth *= sender_share;
            members = senders_;
        } else {
            bandwidth *= 1 - sender_share;
            members -= senders_;
        }
    }
    double minimum = seconds(config_.minimum);
    if (config_.reduced_minimum) {
        minimum = 360.0 / std::max(1.0, config_.session_bandwidth * 8 / 1000);
    }
    if (initial_) minimum /= 2;
    const double wanted = bandwidth > 0 ? members * average_size_ / bandwidth : minimum;
    constexpr double longest = 3600;  // a bound for absurd configurations only
    const double interval = std::clamp(wanted, minimum, std::max(minimum, longest));
    return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(interval));
}

Duration Schedule::randomised() {
    return scale(deterministic_interval(), random_.between(0.5, 1.5) / compensation);
}

}  // namespace strowger::rtcp
