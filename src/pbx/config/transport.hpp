#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/address.hpp"
#include "base/ini.hpp"

namespace strowger::pbx::config {

/// `type=transport`: a socket to listen on, and what peers outside are told about it.
struct Transport {
    enum class Protocol { udp, tcp, tls, ws, wss, flow };

    std::string name;
    ini::Place place;

    Protocol protocol = Protocol::udp;
    SocketAddress bind;  ///< a port of 0 in the file means 5060, or 5061 for tls
    std::string domain;
    std::vector<Cidr> local_net;             ///< empty: every peer counts as outside
    std::string external_signaling_address;  ///< a name or address; empty: the real local one
    std::uint16_t external_signaling_port = 0;
    std::string external_media_address;

    std::string cert_file;
    std::string priv_key_file;
    std::string password;
    std::string ca_list_file;
    std::string ca_list_path;
    std::string method;  ///< as written: tlsv1_2, sslv23, ...
    std::string cipher;
    bool verify_client = false;
    bool verify_server = false;
    bool require_client_cert = false;
    bool allow_wildcard_certs = false;

    int tos = 0;  ///< the DS byte, names resolved (cs3 is 0x60)
    int cos = 0;
    bool tcp_keepalive_enable = true;
    int tcp_keepalive_idle_time = 30;      ///< seconds
    int tcp_keepalive_interval_time = 10;  ///< seconds
    int tcp_keepalive_probe_count = 5;
    int websocket_write_timeout = 100;  ///< milliseconds
    bool allow_reload = false;
    bool symmetric_transport = false;

    /// Whether `peer` is behind an address that needs the external ones in Via, Contact and SDP.
    bool is_outside(const IpAddress& peer) const;
};

}  // namespace strowger::pbx::config
