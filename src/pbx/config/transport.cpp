#include "pbx/config/transport.hpp"

#include <algorithm>

#include "pbx/config/schemas.hpp"

namespace strowger::pbx::config {

bool Transport::is_outside(const IpAddress& peer) const {
    return std::none_of(local_net.begin(), local_net.end(),
                        [&](const Cidr& network) { return network.contains(peer); });
}

const Schema<Transport>& transport_schema() {
    using T = Transport;
    using P = Transport::Protocol;
    static const auto schema =
        Schema<T>()
            .choice<P>("protocol", &T::protocol,
                       {{"udp", P::udp},
                        {"tcp", P::tcp},
                        {"tls", P::tls},
                        {"ws", P::ws},
                        {"wss", P::wss},
                        {"flow", P::flow}})
            .on("bind",
                [](T& transport, std::string_view value) -> Result<> {
                    const auto address = SocketAddress::parse(value);
                    if (!address) return fail("expected address[:port], got '{}'", value);
                    transport.bind = *address;
                    return {};
                })
            .on("local_net",
                [](T& transport, std::string_view value) -> Result<> {
                    for (const auto part : split(value, ',')) {
                        auto network = Cidr::parse(trim(part));
                        if (!network) return std::unexpected(network.error());
                        transport.local_net.push_back(*network);
                    }
                    return {};
                })
            .text("domain", &T::domain)
            .text("external_signaling_address", &T::external_signaling_address)
            .number<std::uint16_t>("external_signaling_port", &T::external_signaling_port, 0, 65535)
            .text("external_media_address", &T::external_media_address)
            .text("cert_file", &T::cert_file)
            .text("priv_key_file", &T::priv_key_file)
            .text("password", &T::password)
            .text("ca_list_file", &T::ca_list_file)
            .text("ca_list_path", &T::ca_list_path)
            .text("method", &T::method)
            .text("cipher", &T::cipher)
            .boolean("verify_client", &T::verify_client)
            .boolean("verify_server", &T::verify_server)
            .boolean("require_client_cert", &T::require_client_cert)
            .boolean("allow_wildcard_certs", &T::allow_wildcard_certs)
            .tos("tos", &T::tos)
            .number("cos", &T::cos, 0, 7)
            .boolean("tcp_keepalive_enable", &T::tcp_keepalive_enable)
            .number("tcp_keepalive_idle_time", &T::tcp_keepalive_idle_time, 1, 32767)
            .number("tcp_keepalive_interval_time", &T::tcp_keepalive_interval_time, 1, 32767)
            .number("tcp_keepalive_probe_count", &T::tcp_keepalive_probe_count, 1, 127)
            .number("websocket_write_timeout", &T::websocket_write_timeout, 1, 60000)
            .boolean("allow_reload", &T::allow_reload)
            .boolean("symmetric_transport", &T::symmetric_transport)
            .ignore({"async_operations"});
    return schema;
}

}  // namespace strowger::pbx::config
