#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/task.hpp"
#include "pbx/core.hpp"

namespace strowger::pbx {

/// The flows towards a SIP URI in the order in which to try them (RFC 3263), each over a transport
/// and address family that we have. `transport_name` is the `transport=` of the configuration
/// object, or empty: it decides the protocol of a URI that names none, and the socket.
///
/// A URI with a literal address is answered without suspending.
Task<Result<std::vector<sip::Flow>>> next_hops(Core& core, std::string uri,
                                               std::string transport_name = {});

/// The first of them.
Task<Result<sip::Flow>> next_hop(Core& core, std::string uri, std::string transport_name = {});

/// How a request reaches somebody: Request-URI, first hop, and the Route headers ("<sip:...;lr>").
struct ContactTarget {
    std::string uri;
    sip::Flow flow;
    std::vector<std::string> route = {};
    std::vector<sip::Flow> others = {};  ///< to be tried next, in that order (RFC 3263 section 4.3)
};

/// How a request reaches a registered or static contact: over the connection that it registered on
/// while that lasts, by its Path (RFC 3327), by `outbound_proxy` if that is not empty, or else
/// where its URI leads. A contact over UDP is sent to from the socket that it registered at, since
/// a NAT on the way lets nothing else in.
Task<Result<ContactTarget>> contact_target(Core& core, Contact contact,
                                           std::string outbound_proxy = {},
                                           std::string transport_name = {});

/// "sip:proxy.example.net" as a Route value: "<sip:proxy.example.net;lr>". What is bracketed or has
/// its lr stays.
std::string route_value(std::string_view uri);

}  // namespace strowger::pbx
