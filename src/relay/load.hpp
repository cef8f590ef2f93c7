#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.hpp"

namespace strowger::relay {

/// Above which no new call is taken, as rtpengine's options of these names; zero: no limit.
struct LoadLimits {
    double load = 0;              ///< `max-load`: the machine's load average of one minute
    double cpu = 0;               ///< `max-cpu`: the machine's use of its processors, in percent
    std::uint64_t bandwidth = 0;  ///< `max-bandwidth`: bytes that come in, a second

    bool any() const { return load > 0 || cpu > 0 || bandwidth > 0; }
    bool operator==(const LoadLimits&) const = default;
};

/// How much the machine and the relay have to do, from samples a second apart.
class LoadMeter {
public:
    /// `loadavg` and `stat` are the texts of /proc/loadavg and /proc/stat (proc(5)); one that
    /// cannot be read leaves its figure as it was. `bytes` have come in since the start.
    void sample(Time now, std::string_view loadavg, std::string_view stat, std::uint64_t bytes);

    /// The first limit that is reached, as a sentence; nothing while there is room.
    std::optional<std::string> over(const LoadLimits& limits) const;

    double load() const { return load_; }
    double cpu() const { return cpu_; }              ///< percent
    double bandwidth() const { return bandwidth_; }  ///< bytes a second

private:
    double load_ = 0, cpu_ = 0, bandwidth_ = 0;
    std::uint64_t busy_ = 0, total_ = 0, bytes_ = 0;
    std::optional<Time> sampled_;
};

}  // namespace strowger::relay
