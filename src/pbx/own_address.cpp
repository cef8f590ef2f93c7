#include "pbx/own_address.hpp"

#include "wire/sip/uri.hpp"

namespace strowger::pbx {

std::string own_address(const Core& core, const sip::Flow& flow) {
    SocketAddress own = flow.local;
    const auto* transport = core.signalling.transport_of(flow);
    if (transport && !transport->external_signaling_address.empty() &&
        transport->is_outside(flow.remote.ip)) {
        if (const auto ip = core.names.address(transport->external_signaling_address)) {
            own.ip = *ip;
            if (transport->external_signaling_port != 0)
                own.port = transport->external_signaling_port;
        }
    }
    // A connection that we open without listening on that transport has no port to be called back
    // at.
    return own.port == 0 ? own.ip.host_text() : own.text();
}

std::string own_contact(const Core& core, const sip::Flow& flow, std::string_view user) {
    std::string contact = "<sip:";
    if (!user.empty()) contact += sip::escape_user(user) + "@";
    contact += own_address(core, flow);
    if (flow.transport != sip::Transport::udp)
        (contact += ";transport=") += uri_name(flow.transport);
    return contact + ">";
}

}  // namespace strowger::pbx
