#pragma once

#include <string>

#include "pbx/core.hpp"

namespace strowger::pbx {

/// "host:port" by which the peer of that flow reaches us: the external address where the transport
/// has one and the peer is outside of its networks, else the flow's own. For Via and Contact.
std::string own_address(const Core& core, const sip::Flow& flow);

/// "<sip:user@host:port;transport=tcp>" for that flow; no user when it is empty.
std::string own_contact(const Core& core, const sip::Flow& flow, std::string_view user);

}  // namespace strowger::pbx
