#include "relay/interfaces.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace strowger::relay {
namespace {

// Addresses of one machine; a range of ports is kept for each.
constexpr std::size_t max_interfaces = 256;

std::string_view base_of(std::string_view name) { return split_once(name, ':').first; }

}  // namespace

Result<InterfaceSpec> InterfaceSpec::parse(std::string_view text) {
    const auto whole = trim(text);
    InterfaceSpec spec{.name = "default"};
    if (const auto [alias, name] = split_once(whole, '='); alias.size() < whole.size()) {
        spec.name = trim(alias);
        spec.alias_of = trim(name);
        if (spec.name.empty() || spec.alias_of.empty())
            return fail("interface '{}': expected ALIAS=NAME", whole);
        return spec;
    }
    auto rest = whole;
    if (const auto slash = rest.find('/'); slash != std::string_view::npos) {
        spec.name = trim(rest.substr(0, slash));
        rest = rest.substr(slash + 1);
    }
    const auto [address, advertised] = split_once(rest, '!');
    spec.address = trim(address);
    spec.advertised = trim(advertised);
    if (spec.address.empty() || spec.name.empty())
        return fail("interface '{}': expected [NAME/]ADDRESS[!ADVERTISED]", whole);
    if (!spec.advertised.empty() && !IpAddress::parse(spec.advertised))
        return fail("interface '{}': '{}' is no address to advertise", whole, spec.advertised);
    return spec;
}

Result<Interfaces> Interfaces::make(const std::vector<InterfaceSpec>& specs, std::uint16_t port_min,
                                    std::uint16_t port_max, const FindAddresses& find,
                                    Random& random) {
    Interfaces made;
    for (const auto& spec : specs) {
        if (!spec.alias_of.empty()) {
            made.aliases_.emplace_back(spec.name, spec.alias_of);
            continue;
        }
        std::vector<IpAddress> addresses;
        if (const auto address = IpAddress::parse(spec.address))
            addresses.push_back(*address);
        else
            addresses = find(spec.address);
        if (addresses.empty())
            return fail("interface '{}': no address, device or host of that name", spec.address);
        for (const auto& address : addresses) {
            if (made.interfaces_.size() == max_interfaces)
                return fail("interface: at most {} addresses are taken", max_interfaces);
            const auto first = spec.port_min ? spec.port_min : port_min;
            const auto last = spec.port_max ? spec.port_max : port_max;
            const auto advertised = IpAddress::parse(spec.advertised).value_or(address);
            if (first > last)
                return fail("interface '{}': port-min {} is above port-max {}", spec.name, first,
                            last);
            made.interfaces_.push_back(
                {spec.name, address, advertised, media::Ports(first, last, spec.excluded)});
            auto& ports = made.interfaces_.back().ports;
            ports.shuffle(random);
            for (auto& other : made.interfaces_) {
                if (&other.ports == &ports || other.bind != address) continue;
                if (other.ports.last() < first || last < other.ports.first()) continue;
                other.ports.add_rival(ports);
                ports.add_rival(other.ports);
            }
        }
    }
    if (made.interfaces_.empty()) return fail("interface: none is given, and one is needed");
    for (const auto& [alias, name] : made.aliases_)
        if (!made.knows(name)) return fail("interface '{}={}': no '{}'", alias, name, name);
    return made;
}

bool Interfaces::knows(std::string_view name) const {
    const auto named = [&](const auto& entry) { return entry.name == name; };
    return std::ranges::any_of(interfaces_, named) ||
           std::ranges::any_of(interfaces_,
                               [&](const auto& entry) { return base_of(entry.name) == name; }) ||
           std::ranges::any_of(aliases_, [&](const auto& alias) { return alias.first == name; });
}

LocalInterface* Interfaces::find(std::string_view name, bool v6) {
    for (const auto& [alias, target] : aliases_)
        if (alias == name) name = target;
    for (auto& entry : interfaces_)
        if (entry.name == name && entry.bind.is_v6() == v6) return &entry;
    // A round robin: all whose name is this before the colon, in turn.
    std::vector<LocalInterface*> group;
    for (auto& entry : interfaces_)
        if (base_of(entry.name) == name && entry.bind.is_v6() == v6) group.push_back(&entry);
    for (std::size_t i = 0; i < group.size(); ++i) {
        LocalInterface* next = group[turn_++ % group.size()];
        if (next->ports.available() > 0) return next;
    }
    return group.empty() ? nullptr : group.front();
}

const LocalInterface* Interfaces::at(const IpAddress& bind) const {
    const auto found = std::ranges::find(interfaces_, bind, &LocalInterface::bind);
    return found == interfaces_.end() ? nullptr : &*found;
}

LocalInterface& Interfaces::pick(std::string_view name, bool v6,
                                 const std::optional<IpAddress>& preferred) {
    if (preferred && preferred->is_v6() == v6)
        for (auto& entry : interfaces_)
            if (entry.bind == *preferred && entry.name == name) return entry;
    if (!name.empty())
        for (const bool family : {v6, !v6})
            if (auto* found = find(name, family)) return *found;
    const std::string standard(base_of(interfaces_.front().name));
    for (const bool family : {v6, !v6})
        if (auto* found = find(standard, family)) return *found;
    return interfaces_.front();
}

std::vector<LocalInterface*> Interfaces::further(const LocalInterface& primary) {
    std::vector<LocalInterface*> found;
    for (auto& entry : interfaces_) {
        if (entry.name != primary.name || entry.bind == primary.bind) continue;
        if (found.size() + 1 == max_candidate_addresses) break;
        const auto same = [&](const LocalInterface* one) { return one->bind == entry.bind; };
        if (std::ranges::none_of(found, same)) found.push_back(&entry);
    }
    return found;
}

}  // namespace strowger::relay
