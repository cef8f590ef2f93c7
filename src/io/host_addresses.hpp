#pragma once

#include <string>
#include <vector>

#include "base/address.hpp"

namespace strowger::io {

/// The addresses of a network device of this host without its link-local ones; of `any`, those of
/// all devices but the loopback; or else what a host name stands for, looked up while we wait: for
/// start-up.
std::vector<IpAddress> addresses_of(const std::string& device_or_host);

/// Lets this process open as many files as it may; returns how many that are.
std::size_t raise_open_files();

}  // namespace strowger::io
