#pragma once

#include <string>

#include "relay/relay.hpp"

namespace strowger::relay {

/// The relay's figures as Prometheus reads them, under the names that rtpengine gives them.
std::string metrics_page(const Relay& relay);

}  // namespace strowger::relay
