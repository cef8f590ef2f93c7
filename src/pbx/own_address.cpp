#include "pbx/own_address.hpp"

#include "wire/sip/uri.hpp"

namespace strowger::pbx {

std::string own_address(const Core& core, const sip::Flow& flow) {
    const auto* transport = core.signalling.transport_of(flow);
    if (transport && !transport->external_signaling_address.empty() &&
        transport->is_outside(flow.remote.ip)) {
        if (const auto ip = core.address_of(transport->external_signaling_address)) {
            const auto port = transport->external_signaling_port
                                  ? transport->external_signaling_port
                                  : flow.local.port;
            return SocketAddress{*ip, port}.text();
        }
    }
    return flow.local.text();
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
