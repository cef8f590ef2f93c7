#pragma once

#include <string>
#include <vector>

#include "base/address.hpp"

namespace strowger::io {

/// The addresses of this host's network interfaces that are up, IPv4 first, loopback last. Without
/// link-local ones of IPv6, which mean nothing outside of their link.
std::vector<IpAddress> interface_addresses();

/// The addresses of a network device of this host without its link-local ones; of `any`, those of
/// all devices but the loopback; or else what a host name stands for, looked up while we wait: for
/// start-up.
std::vector<IpAddress> addresses_of(const std::string& device_or_host);

}  // namespace strowger::io
