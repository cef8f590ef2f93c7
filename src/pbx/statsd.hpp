#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/address.hpp"
#include "base/result.hpp"
#include "io/udp.hpp"
#include "pbx/config/configuration.hpp"

namespace strowger::pbx {

/// One number as StatsD servers take it, "calls:1|c|@0.1". An Error for what they would not
/// understand, or would take for something else.
///
/// Types are g (gauge), c (counter), ms (timer) and s (set); gauges may have a sign, which changes
/// the value that they had.
Result<std::string> statsd_line(std::string_view type, std::string_view name,
                                std::string_view value, double sample_rate = 1);

/// Sends what StatsD() says to the server of statsd.conf, which is read again after each load of
/// the configuration. Belongs to one thread.
class Statsd {
public:
    static constexpr std::uint16_t default_port = 8125;
    /// A datagram that goes through every network in one piece; the customary bound of its clients.
    static constexpr std::size_t max_line = 512;

    /// Not sent without a server, which is told once a load.
    void send(io::Loop& loop, const std::shared_ptr<const config::Configuration>& config,
              std::string_view line);

private:
    void load(io::Loop& loop, const config::StatsdSettings& settings);

    std::shared_ptr<const config::Configuration> loaded_for_;
    std::optional<SocketAddress> server_;
    std::unique_ptr<io::UdpSocket> socket_;
};

}  // namespace strowger::pbx
