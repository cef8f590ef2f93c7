#pragma once

#include <vector>

#include "base/address.hpp"

namespace strowger::io {

/// The addresses of this host's network interfaces that are up, IPv4 first, loopback last. Without
/// link-local ones of IPv6, which mean nothing outside of their link.
std::vector<IpAddress> interface_addresses();

}  // namespace strowger::io
