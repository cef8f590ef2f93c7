#include "broker/host_names.hpp"

#include "base/address.hpp"
#include "base/text.hpp"

namespace strowger::broker {

std::string_view host_of(std::string_view authority) {
    if (const auto scheme = authority.find("://"); scheme != std::string_view::npos)
        authority.remove_prefix(scheme + 3);
    if (authority.starts_with('[')) return authority.substr(0, authority.find(']') + 1);
    return authority.substr(0, authority.rfind(':'));
}

bool is_own_machine(std::string_view host) {
    if (iequals(host, "localhost")) return true;
    const auto ip = IpAddress::parse(host);
    return ip && ip->is_loopback();
}

}  // namespace strowger::broker
