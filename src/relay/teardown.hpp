#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "relay/call.hpp"
#include "relay/settings.hpp"

namespace strowger::relay {

/// Bodies of the requests, each a whole `methodCall`.
std::vector<std::string> teardown_requests(const Call& call, TeardownFormat format);

/// A method call of strings (xmlrpc.com/spec), whatever is in them.
std::string xmlrpc_call(std::string_view method, const std::vector<std::string_view>& parameters);

/// The URL for a call: `%%` in it is the address of the proxy that asked for it.
std::string teardown_url(std::string_view pattern, const Call& call);

}  // namespace strowger::relay
