#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/address.hpp"
#include "base/random.hpp"
#include "base/task.hpp"
#include "base/text.hpp"
#include "io/dns.hpp"
#include "io/loop.hpp"
#include "pbx/config/configuration.hpp"

namespace strowger::pbx {

/// The host names of the configuration (external addresses, whom trunks call from) as addresses.
///
/// Looked up at each load and again every few minutes, so that no call or request waits for DNS.
/// While a name does not resolve, what it last resolved to stays.
class HostNames {
public:
    static constexpr Duration refresh_interval = std::chrono::minutes{5};

    HostNames(io::Loop& loop, io::Resolver& resolver, Random& random)
        : loop_(loop), resolver_(resolver), random_(random) {}

    /// The names of that configuration from now on.
    void configure(std::shared_ptr<const config::Configuration> config);

    /// Itself when it is an address; else the first one of the name; nothing while that is unknown.
    std::optional<IpAddress> address(std::string_view host) const;
    /// Whether the name stands for that address, by any of its A, AAAA or SRV records.
    bool matches(std::string_view host, const IpAddress& address) const;

private:
    Task<> refresh(std::shared_ptr<bool> alive);
    Task<std::vector<IpAddress>> look_up(std::string name, bool srv);

    io::Loop& loop_;
    io::Resolver& resolver_;
    Random& random_;
    std::shared_ptr<const config::Configuration> config_;
    std::unordered_map<std::string, std::vector<IpAddress>, TextHash, std::equal_to<>> addresses_;
    std::shared_ptr<bool> round_;  ///< of the refresh in progress; a newer one makes it stop
    io::Timer timer_;
    TaskScope tasks_;
};

}  // namespace strowger::pbx
