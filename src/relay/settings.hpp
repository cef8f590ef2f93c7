#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/address.hpp"
#include "base/log.hpp"
#include "base/time.hpp"
#include "media/comfort_noise.hpp"
#include "relay/interfaces.hpp"
#include "relay/load.hpp"
#include "relay/request.hpp"
#include "wire/dtls/certificate.hpp"
#include "wire/recording/pcap.hpp"

namespace strowger::relay {

/// How calls are recorded, when somebody asks for it.
struct Record {
    std::string directory;  ///< empty: nothing is recorded
    bool captures = true;   ///< pcap: captures, and a text about each
    bool feeds = false;     ///< proc: metadata and packets for the recorder
    recording::Link link = recording::Link::raw;
    bool ingress = true, egress = false;  ///< what parties send; what is sent to them
    bool operator==(const Record&) const = default;
};

/// What is said to a proxy whose call has ended here for want of media, so that it ends it too: an
/// XML-RPC request to the URL of `b2b-url`.
enum class TeardownFormat : std::uint8_t {
    sems,      ///< `di("sbc", "postControlCmd", TAG, "teardown")`, one for each tag
    call_id,   ///< `teardown(CALL-ID)`
    kamailio,  ///< `dlg.terminate_dlg(CALL-ID, FROM-TAG, TO-TAG)`, one for each dialogue
};

/// The relay as it is configured (docs/relay.md).
struct Settings {
    std::vector<InterfaceSpec> interfaces;
    std::vector<SocketAddress> listen_ng, listen_tcp_ng, listen_cli, listen_http, listen_https;
    std::string https_certificate, https_key;  ///< PEM files; the key may be in the certificate's
    std::vector<Cidr> control_allow;           ///< who may ask; empty: anybody
    std::uint16_t port_min = 30000, port_max = 39999;
    int tos = 0, control_tos = 0;
    unsigned threads = 0;                   ///< 0: one a core
    std::optional<unsigned> codec_threads;  ///< nothing: one a core; 0: none of their own
    Duration timeout = std::chrono::seconds{60};
    Duration silent_timeout = std::chrono::seconds{3600};
    Duration final_timeout{};  ///< zero: none
    Duration offer_timeout = std::chrono::seconds{3600};
    Duration delete_delay = std::chrono::seconds{30};
    long max_sessions = -1;  ///< below zero: no limit
    LoadLimits max_load;
    Learning learning = Learning::delayed;
    bool sip_source = false;
    bool mos_listening = false;  ///< LQ; else CQ
    /// Where `query` and `delete` tell how streams fared: under `SSRC`, and at each media section.
    bool quality_global = true, quality_inline = true;
    unsigned jitter_buffer = 0;                         ///< packets of 20 ms; 0: none is held back
    media::Pauses pauses;                               ///< of sound that is recoded
    Duration hold_duration = std::chrono::minutes{30};  ///< of music on hold, about
    unsigned hold_repeats = 999;
    bool measure_rtp = false;                          ///< where nobody reports
    Duration rtcp_interval = std::chrono::seconds{5};  ///< between reports of our own
    Record record;
    bool save_interface_ports = false;  ///< candidates of the first address of a name only
    bool dtls_passive = false;
    dtls::Certificate::Terms dtls_certificate;
    std::string dtls_ciphers;  ///< empty: the usual ones
    std::size_t dtls_mtu = 1200;
    std::map<std::string, std::string, std::less<>> templates;  ///< flags by name
    int log_level = 6;
    std::string pidfile;
    std::string b2b_url;  ///< who is told of calls that time out; empty: nobody
    TeardownFormat xmlrpc_format = TeardownFormat::sems;
};

/// What rtpengine's numbers for log levels (those of syslog) mean here.
constexpr log::Level level_of(int number) {
    if (number >= 7) return log::Level::debug;
    if (number >= 5) return log::Level::notice;
    return number == 4 ? log::Level::warning : log::Level::error;
}

}  // namespace strowger::relay
