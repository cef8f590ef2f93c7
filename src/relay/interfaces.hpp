#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.hpp"
#include "base/random.hpp"
#include "base/result.hpp"
#include "media/ports.hpp"

namespace strowger::relay {

/// One value of `interface`: `[NAME/]IP[!ADVERTISED]`, or `ALIAS=NAME`.
struct InterfaceSpec {
    std::string name;
    std::string address;  ///< an address, a device, a host name, or `any`
    std::string advertised;
    std::string alias_of;
    std::uint16_t port_min = 0, port_max = 0;  ///< 0: those of all
    /// Those that somebody else needs; more of them than this are a range of their own.
    static constexpr std::size_t max_excluded = 1024;
    std::vector<std::uint16_t> excluded;

    bool operator==(const InterfaceSpec&) const = default;
    static Result<InterfaceSpec> parse(std::string_view text);
};

/// A local address that media sockets are bound to, under the name that requests choose it by.
struct LocalInterface {
    std::string name;  ///< with the suffix of a round robin
    IpAddress bind, advertised;
    media::Ports ports;
};

/// Which addresses of a device or host name there are; empty when there is none of that name.
using FindAddresses = std::function<std::vector<IpAddress>(const std::string& name)>;

/// The interfaces of the relay, each with its ports.
class Interfaces {
public:
    static Result<Interfaces> make(const std::vector<InterfaceSpec>& specs, std::uint16_t port_min,
                                   std::uint16_t port_max, const FindAddresses& find,
                                   Random& random);

    /// The one of that name and family: the first address of the name, or of a round robin
    /// (`NAME:1`, `NAME:2`) the next that has ports left. A name that nobody gave, or none, means
    /// the default; a family that the name lacks, its other one.
    /// `preferred`: of several addresses of the name and family the one to take, if it has it.
    LocalInterface& pick(std::string_view name, bool v6,
                         const std::optional<IpAddress>& preferred = {});
    /// The first one at that local address; null: nobody gave the address.
    const LocalInterface* at(const IpAddress& bind) const;
    bool knows(std::string_view name) const;
    /// So many addresses of a name are candidates; each costs a section two sockets.
    static constexpr std::size_t max_candidate_addresses = 8;
    /// The other addresses of its name, of both families, which are there as further candidates of
    /// ICE only. Every local address once.
    std::vector<LocalInterface*> further(const LocalInterface& primary);

    std::deque<LocalInterface>& all() { return interfaces_; }
    const std::deque<LocalInterface>& all() const { return interfaces_; }

private:
    LocalInterface* find(std::string_view name, bool v6);

    std::deque<LocalInterface> interfaces_;  // streams hold on to their places
    std::vector<std::pair<std::string, std::string>> aliases_;
    std::size_t turn_ = 0;
};

}  // namespace strowger::relay
