#pragma once

#include <cstdint>

#include "base/random.hpp"
#include "base/time.hpp"

namespace strowger::rtcp {

/// When to send RTCP (RFC 3550 sections 6.2, 6.3 and A.7): randomised, scaled by membership and
/// bandwidth, with timer reconsideration. The owner reports what comes and goes, and sends a
/// compound when `tick` says so.
class Schedule {
public:
    struct Config {
        double session_bandwidth = 8000;  ///< octets a second; G.711 with headers is 10000
        double rtcp_share = 0.05;         ///< section 6.2
        Duration minimum = std::chrono::seconds{5};
        bool reduced_minimum = false;  ///< 360 / (kbit/s) seconds instead (section 6.2)
    };
    static constexpr std::uint32_t max_members = 1 << 20;  ///< counted; more change nothing

    Schedule(Config config, Time now, Random& random);

    void sent(std::size_t bytes);      ///< a compound of ours went out, with UDP and IP headers
    void received(std::size_t bytes);  ///< one came
    void set_members(std::uint32_t members, std::uint32_t senders,
                     Time now);  ///< ourselves included
    void set_we_sent(bool we_sent) { we_sent_ = we_sent; }

    /// Whether a compound is to be sent at `now`. Schedules the next by itself.
    bool tick(Time now);
    Time deadline() const { return next_; }

    /// The interval before it is randomised.
    Duration deterministic_interval() const;

private:
    Duration randomised();

    Config config_;
    Random& random_;
    Time previous_, next_;
    std::uint32_t members_ = 1, senders_ = 0, last_members_ = 1;
    bool we_sent_ = false, initial_ = true;
    double average_size_ = 128;  // of a first compound with IP, UDP, SR and CNAME
};

}  // namespace strowger::rtcp
