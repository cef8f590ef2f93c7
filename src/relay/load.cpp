#include "relay/load.hpp"

#include <fmt/format.h>

#include <charconv>

#include "base/text.hpp"

namespace strowger::relay {
namespace {

struct Jiffies {
    std::uint64_t busy = 0, total = 0;
};

// "cpu  user nice system idle iowait irq softirq steal guest guest_nice"; guest is in user already.
std::optional<Jiffies> read_stat(std::string_view stat) {
    constexpr std::size_t idle = 3, iowait = 4, counted = 8;
    const auto line = stat.substr(0, stat.find('\n'));
    if (!line.starts_with("cpu ")) return std::nullopt;
    Jiffies sum;
    std::size_t place = 0;
    for (const auto word : split(line.substr(4), ' ')) {
        if (word.empty()) continue;
        const auto number = parse_number<std::uint64_t>(word);
        if (!number || place == counted) break;
        sum.total += *number;
        if (place != idle && place != iowait) sum.busy += *number;
        ++place;
    }
    return place > iowait ? std::optional(sum) : std::nullopt;
}

}  // namespace

void LoadMeter::sample(Time now, std::string_view loadavg, std::string_view stat,
                       std::uint64_t bytes) {
    double load = 0;
    if (std::from_chars(loadavg.data(), loadavg.data() + loadavg.size(), load).ec == std::errc{})
        load_ = load;
    if (const auto jiffies = read_stat(stat)) {
        // The counts of a machine may step back by a little when processors come and go.
        if (total_ > 0 && jiffies->total > total_ && jiffies->busy >= busy_)
            cpu_ = 100.0 * static_cast<double>(jiffies->busy - busy_) /
                   static_cast<double>(jiffies->total - total_);
        busy_ = jiffies->busy;
        total_ = jiffies->total;
    }
    // Calls that end take what they had not told yet with them: never less than none.
    if (sampled_ && now > *sampled_)
        bandwidth_ =
            bytes > bytes_ ? static_cast<double>(bytes - bytes_) / seconds(now - *sampled_) : 0;
    bytes_ = bytes;
    sampled_ = now;
}

std::optional<std::string> LoadMeter::over(const LoadLimits& limits) const {
    if (limits.load > 0 && load_ >= limits.load)
        return fmt::format("Load limit reached: {:.2f} of {:.2f}", load_, limits.load);
    if (limits.cpu > 0 && cpu_ >= limits.cpu)
        return fmt::format("CPU limit reached: {:.1f} % of {:.1f} %", cpu_, limits.cpu);
    if (limits.bandwidth > 0 && bandwidth_ >= static_cast<double>(limits.bandwidth))
        return fmt::format("Bandwidth limit reached: {:.0f} bytes a second of {}", bandwidth_,
                           limits.bandwidth);
    return std::nullopt;
}

}  // namespace strowger::relay
