#include "relay/options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>

#include "base/key_file.hpp"
#include "base/text.hpp"
#include "relay/words.hpp"
#include "wire/dtls/identity.hpp"

namespace strowger::relay {
namespace {

using Text = std::string_view;

constexpr Text standard_file = "/etc/rtpengine/rtpengine.conf";
constexpr Text standard_section = "rtpengine";

// A value of a list on the command line or in the file: `;` stands between several.
template <typename Each>
Result<> each_of(Text value, Each each) {
    for (const auto part : split(value, ';')) {
        if (trim(part).empty()) continue;
        if (auto taken = each(trim(part)); !taken) return taken;
    }
    return {};
}

Result<> address_list(std::vector<SocketAddress>& list, Text value) {
    return each_of(value, [&](Text text) -> Result<> {
        // A port alone: every address of this host, of both families.
        if (const auto port = parse_number<std::uint16_t>(text); port && *port != 0) {
            list.push_back({IpAddress::any_v4(), *port});
            list.push_back({IpAddress::any_v6(), *port});
            return {};
        }
        const auto address = SocketAddress::parse(text);
        if (!address || address->port == 0) return fail("'{}' is not [ADDRESS:]PORT", text);
        list.push_back(*address);
        return {};
    });
}

template <auto List>
Result<> addresses(Settings& settings, Text value) {
    return address_list(settings.*List, value);
}

template <auto Member>
Result<> whole_number(Settings& settings, Text value) {
    using Number = std::remove_reference_t<decltype(settings.*Member)>;
    const auto parsed = parse_number<Number>(value);
    if (!parsed) return fail("'{}' is not a whole number that fits", value);
    settings.*Member = *parsed;
    return {};
}

template <auto Member>
Result<> in_seconds(Settings& settings, Text value) {
    constexpr long longest = 10L * 365 * 86'400;
    const auto parsed = parse_number<long>(value);
    if (!parsed || *parsed < 0 || *parsed > longest)
        return fail("'{}' is no number of seconds", value);
    settings.*Member = std::chrono::seconds(*parsed);
    return {};
}

template <auto Member>
Result<> load_limit(Settings& settings, Text value) {
    using Number = std::remove_reference_t<decltype(settings.max_load.*Member)>;
    Number parsed{};
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), parsed);
    if (error != std::errc{} || end != value.data() + value.size() || !(parsed >= 0))
        return fail("'{}' is no number from 0 on", value);
    settings.max_load.*Member = parsed;
    return {};
}

template <auto Member>
Result<> yes_or_no(Settings& settings, Text value) {
    settings.*Member = !means_off(plain_word(value));
    return {};
}

template <auto Member>
Result<> text(Settings& settings, Text value) {
    settings.*Member = value;
    return {};
}

Result<> followed_anyway(Settings&, Text) { return {}; }

Result<> codec_threads(Settings& settings, Text value) {
    settings.codec_threads = parse_number<unsigned>(value);
    if (!settings.codec_threads) return fail("'{}' is not a whole number that fits", value);
    return {};
}

Result<> interface(Settings& settings, Text value) {
    return each_of(value, [&](Text text) -> Result<> {
        auto spec = InterfaceSpec::parse(text);
        if (!spec) return std::unexpected(spec.error());
        settings.interfaces.push_back(std::move(*spec));
        return {};
    });
}

Result<> control_allow(Settings& settings, Text value) {
    return each_of(value, [&](Text text) -> Result<> {
        auto network = Cidr::parse(text);
        if (!network) return std::unexpected(network.error());
        settings.control_allow.push_back(*network);
        return {};
    });
}

Result<> xmlrpc_format(Settings& settings, Text value) {
    const auto number = parse_number<unsigned>(value);
    if (!number || *number > 2) return fail("expected 0, 1 or 2, got '{}'", value);
    settings.xmlrpc_format = static_cast<TeardownFormat>(*number);
    return {};
}

Result<> certificate_key(Settings& settings, Text value) {
    if (iequals(value, "prime256v1"))
        settings.dtls_certificate.key = dtls::Certificate::Key::ecdsa_p256;
    else if (iequals(value, "RSA"))
        settings.dtls_certificate.key = dtls::Certificate::Key::rsa;
    else
        return fail("expected prime256v1 or RSA, got '{}'", value);
    return {};
}

Result<> rsa_size(Settings& settings, Text value) {
    using dtls::Certificate;
    const auto bits = parse_number<unsigned>(value);
    if (!bits || *bits < Certificate::min_rsa_bits || *bits > Certificate::max_rsa_bits)
        return fail("expected {} to {}, got '{}'", Certificate::min_rsa_bits,
                    Certificate::max_rsa_bits, value);
    settings.dtls_certificate.rsa_bits = *bits;
    return {};
}

Result<> dtls_signature(Settings& settings, Text value) {
    const auto hash = dtls::hash_named(value);
    if (!hash) return fail("expected SHA-1, SHA-224, SHA-256, SHA-384 or SHA-512, got '{}'", value);
    settings.dtls_certificate.signature = *hash;
    return {};
}

Result<> dtls_ciphers(Settings& settings, Text value) {
    settings.dtls_ciphers = value;
    return dtls::Identity::check_ciphers(settings.dtls_ciphers);
}

Result<> dtls_mtu(Settings& settings, Text value) {
    const auto bytes = parse_number<std::size_t>(value);
    if (!bytes || *bytes < 576 || *bytes > 1500)
        return fail("expected 576 to 1500, got '{}'", value);
    settings.dtls_mtu = *bytes;
    return {};
}

Result<> mos(Settings& settings, Text value) {
    // G.107 is the only model there is, and may be named beside.
    bool known = false;
    for (const auto word : split(value, ',')) {
        const auto one = trim(word);
        if (iequals(one, "G.107")) continue;
        if (!iequals(one, "CQ") && !iequals(one, "LQ"))
            return fail("expected CQ or LQ, and G.107 at most beside it, not '{}'", one);
        if (known) return fail("expected one of CQ and LQ, not '{}'", value);
        settings.mos_listening = iequals(one, "LQ");
        known = true;
    }
    return {};
}

Result<> rtcp_interval(Settings& settings, Text value) {
    constexpr long shortest = 100, longest = 3'600'000;
    const auto parsed = parse_number<long>(value);
    if (!parsed || *parsed < shortest || *parsed > longest)
        return fail("expected {} to {} milliseconds, not '{}'", shortest, longest, value);
    settings.rtcp_interval = std::chrono::milliseconds(*parsed);
    return {};
}

Result<> jitter_buffer(Settings& settings, Text value) {
    constexpr unsigned most = 50;  // a second
    const auto parsed = parse_number<unsigned>(value);
    if (!parsed || *parsed > most) return fail("expected 0 to {} packets, not '{}'", most, value);
    settings.jitter_buffer = *parsed;
    return {};
}

// The bytes of a payload of CN (RFC 3389): a level, and coefficients of the spectrum.
Result<> noise_bytes(std::vector<std::uint8_t>& bytes, Text value) {
    constexpr unsigned last_coefficient = 254;
    return each_of(value, [&](Text text) -> Result<> {
        const unsigned most = bytes.empty() ? media::ComfortNoise::most_silent : last_coefficient;
        const auto parsed = parse_number<unsigned>(text);
        if (!parsed || *parsed > most) return fail("expected 0 to {}, not '{}'", most, text);
        if (bytes.size() == media::ComfortNoise::max_payload)
            return fail("expected at most {} numbers", media::ComfortNoise::max_payload);
        bytes.push_back(static_cast<std::uint8_t>(*parsed));
        return {};
    });
}

Result<> cn_payload(Settings& settings, Text value) {
    return noise_bytes(settings.pauses.noise, value);
}

Result<> dtx_cn_params(Settings& settings, Text value) {
    return noise_bytes(settings.pauses.fill, value);
}

Result<> silence_detect(Settings& settings, Text value) {
    double percent = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), percent);
    if (error != std::errc{} || end != value.data() + value.size() ||
        !(percent >= 0 && percent <= 100))
        return fail("expected 0 to 100 percent, not '{}'", value);
    constexpr double full_scale = 32768;
    settings.pauses.silent_below = static_cast<unsigned>(std::ceil(percent / 100 * full_scale));
    return {};
}

Result<> dtx_delay(Settings& settings, Text value) {
    constexpr long longest = 1000;
    const auto parsed = parse_number<long>(value);
    if (!parsed || *parsed < 0 || *parsed > longest)
        return fail("expected 0 to {} milliseconds, not '{}'", longest, value);
    settings.pauses.delay = std::chrono::milliseconds(*parsed);
    return {};
}

Result<> max_dtx(Settings& settings, Text value) {
    constexpr long longest = 3600;
    const auto parsed = parse_number<long>(value);
    if (!parsed || *parsed > longest)
        return fail("expected at most {} seconds, not '{}'", longest, value);
    settings.pauses.longest = std::chrono::seconds(*parsed > 0 ? *parsed : longest);
    return {};
}

Result<> hold_duration(Settings& settings, Text value) {
    constexpr long longest = 86'400'000;
    const auto parsed = parse_number<long>(value);
    if (!parsed || *parsed < 1 || *parsed > longest)
        return fail("expected 1 to {} milliseconds, not '{}'", longest, value);
    settings.hold_duration = std::chrono::milliseconds(*parsed);
    return {};
}

Result<> hold_repeats(Settings& settings, Text value) {
    constexpr unsigned most = 1000;
    const auto parsed = parse_number<unsigned>(value);
    if (!parsed || *parsed < 1 || *parsed > most)
        return fail("expected 1 to {}, not '{}'", most, value);
    settings.hold_repeats = *parsed;
    return {};
}

Result<> ssrc_reporting(Settings& settings, Text value) {
    if (value != "full" && value != "global" && value != "inline" && value != "none")
        return fail("expected full, global, inline or none, not '{}'", value);
    settings.quality_global = value == "full" || value == "global";
    settings.quality_inline = value == "full" || value == "inline";
    return {};
}

Result<> learning(Settings& settings, Text value) {
    const auto plain = plain_word(value);
    if (means_off(plain))
        settings.learning = Learning::off;
    else if (plain == "immediate")
        settings.learning = Learning::immediate;
    else if (plain == "delayed")
        settings.learning = Learning::delayed;
    else if (plain == "heuristic")
        settings.learning = Learning::heuristic;
    else
        return fail("'{}' is none of off, immediate, delayed, heuristic", value);
    return {};
}

Result<> recording_directory(Settings& settings, Text value) {
    settings.record.directory = value;
    return {};
}

Result<> recording_method(Settings& settings, Text value) {
    const auto plain = plain_word(value);
    if (plain != "pcap" && plain != "proc" && plain != "all")
        return fail("'{}' is none of pcap, proc, all", value);
    settings.record.captures = plain != "proc";
    settings.record.feeds = plain != "pcap";
    return {};
}

Result<> recording_format(Settings& settings, Text value) {
    const auto plain = plain_word(value);
    if (plain != "raw" && plain != "eth") return fail("'{}' is neither raw nor eth", value);
    settings.record.link = plain == "raw" ? recording::Link::raw : recording::Link::ethernet;
    return {};
}

Result<> record_egress(Settings& settings, Text value) {
    settings.record.egress |= !means_off(plain_word(value));
    settings.record.ingress = !settings.record.egress;
    return {};
}

Result<> record_both(Settings& settings, Text value) {
    if (!means_off(plain_word(value))) settings.record.ingress = settings.record.egress = true;
    return {};
}

constexpr Option table[] = {
    {"interface", 'i', false, interface,
     "[NAME/]ADDRESS[!ADVERTISED]: where media is relayed; needed"},
    {"listen-ng", 'n', false, addresses<&Settings::listen_ng>,
     "[ADDRESS:]PORT of the NG protocol over UDP"},
    {"listen-tcp-ng", 'N', false, addresses<&Settings::listen_tcp_ng>, "the same over TCP"},
    {"listen-cli", 'c', false, addresses<&Settings::listen_cli>,
     "[ADDRESS:]PORT of the command line"},
    {"listen-http", 0, false, addresses<&Settings::listen_http>,
     "[ADDRESS:]PORT of HTTP and WebSocket: /ng, /cli, /metrics"},
    {"listen-https", 0, false, addresses<&Settings::listen_https>, "the same over TLS"},
    {"https-cert", 0, false, text<&Settings::https_certificate>,
     "PEM file with the certificate for that, then its chain"},
    {"https-key", 0, false, text<&Settings::https_key>,
     "PEM file with its key (the certificate's file)"},
    {"control-allow", 0, false, control_allow,
     "networks that may ask on any of these; others are refused"},
    {"port-min", 'm', false, whole_number<&Settings::port_min>, "first port for media (30000)"},
    {"port-max", 'M', false, whole_number<&Settings::port_max>, "last port for media (39999)"},
    {"timeout", 'o', false, in_seconds<&Settings::timeout>,
     "seconds without media that end a call (60)"},
    {"silent-timeout", 's', false, in_seconds<&Settings::silent_timeout>,
     "the same while on hold (3600)"},
    {"final-timeout", 'a', false, in_seconds<&Settings::final_timeout>,
     "seconds after which any call ends; 0: never (0)"},
    {"offer-timeout", 0, false, in_seconds<&Settings::offer_timeout>,
     "seconds that an offer waits for its answer (3600)"},
    {"delete-delay", 'd', false, in_seconds<&Settings::delete_delay>,
     "seconds that media goes on after delete (30)"},
    {"num-threads", 0, false, whole_number<&Settings::threads>,
     "threads that move packets; 0: one a core (0)"},
    {"codec-num-threads", 0, false, codec_threads,
     "threads that transcode; 0: those that move packets do (one a core)"},
    {"max-sessions", 0, false, whole_number<&Settings::max_sessions>,
     "calls at once; -1: no limit (-1)"},
    {"max-load", 0, false, load_limit<&LoadLimits::load>,
     "load average of the machine from which no new call is taken; 0: no limit (0)"},
    {"max-cpu", 0, false, load_limit<&LoadLimits::cpu>,
     "the same for the use of its processors, in percent (0)"},
    {"max-bandwidth", 0, false, load_limit<&LoadLimits::bandwidth>,
     "the same for what comes in, in bytes a second (0)"},
    {"mos", 0, false, mos, "CQ: with the delay of talking; LQ: as it sounds (CQ)"},
    {"ssrc-reporting", 0, false, ssrc_reporting,
     "where query and delete tell how streams fared: full, global, inline or none (full)"},
    {"jitter-buffer", 0, false, jitter_buffer,
     "packets of a party that wait at most, so that they go on in order and evenly; 0: none (0)"},
    {"moh-max-duration", 0, false, hold_duration,
     "milliseconds of music on hold: it is not begun again after so long (1800000)"},
    {"moh-max-repeats", 0, false, hold_repeats, "how often its file is played at most (999)"},
    {"jb-clock-drift", 0, true, followed_anyway,
     "follows a party's clock that drifts, as the jitter buffer always does"},
    {"silence-detect", 0, false, silence_detect,
     "percent of full scale below which recoded sound is silence, told as CN; 0: none is (0)"},
    {"cn-payload", 0, false, cn_payload,
     "what that CN says: a level in -dBov, then coefficients of a spectrum (32)"},
    {"dtx-delay", 0, false, dtx_delay,
     "milliseconds of nothing after which a pause in recoded sound is filled; 0: never (0)"},
    {"dtx-cn-params", 0, false, dtx_cn_params,
     "the noise that fills it, as cn-payload (none: silence)"},
    {"max-dtx", 0, false, max_dtx, "seconds that a pause is filled at most (30)"},
    {"measure-rtp", 0, true, yes_or_no<&Settings::measure_rtp>,
     "tells how streams fare of which nobody reports, from their packets"},
    {"rtcp-interval", 0, false, rtcp_interval,
     "milliseconds between reports of our own, and up to a second more (5000)"},
    {"endpoint-learning", 0, false, learning, "off, immediate, delayed or heuristic (delayed)"},
    {"tos", 'T', false, whole_number<&Settings::tos>, "type of service of media, 0 to 255 (0)"},
    {"control-tos", 0, false, whole_number<&Settings::control_tos>,
     "type of service of replies (0)"},
    {"sip-source", 0, true, yes_or_no<&Settings::sip_source>,
     "media addresses are those that signalling came from"},
    {"recording-dir", 0, false, recording_directory,
     "where calls are recorded to; without it none is"},
    {"recording-method", 0, false, recording_method,
     "pcap: captures; proc: for the recorder; or all (pcap)"},
    {"recording-format", 0, false, recording_format, "of captures: raw, or eth (raw)"},
    {"record-both", 0, true, record_both, "records what parties send and what is sent to them"},
    {"record-egress", 0, true, record_egress,
     "records what is sent to parties, not what they send"},
    {"save-interface-ports", 0, true, yes_or_no<&Settings::save_interface_ports>,
     "candidates of the first address of an interface only"},
    {"dtls-passive", 0, true, yes_or_no<&Settings::dtls_passive>,
     "others begin DTLS, where it is ours to choose"},
    {"dtls-cert-cipher", 0, false, certificate_key, "prime256v1 or RSA (prime256v1)"},
    {"dtls-rsa-key-size", 0, false, rsa_size, "bits of an RSA key, 2048 to 4096 (2048)"},
    {"dtls-signature", 0, false, dtls_signature,
     "hash that the certificate is signed with (SHA-256)"},
    {"dtls-ciphers", 0, false, dtls_ciphers, "ciphers of DTLS, as OpenSSL names them"},
    {"dtls-mtu", 0, false, dtls_mtu, "longest datagram of DTLS, 576 to 1500 (1200)"},
    {"log-level", 'L', false, whole_number<&Settings::log_level>, "0 (least) to 7 (debug) (6)"},
    {"pidfile", 'p', false, text<&Settings::pidfile>, "file to write the process id to"},
    {"b2b-url", 'b', false, text<&Settings::b2b_url>,
     "who is told by XML-RPC of calls that time out; %% is the proxy's address"},
    {"xmlrpc-format", 'x', false, xmlrpc_format,
     "how: 0: SEMS, 1: the Call-ID alone, 2: Kamailio (0)"},
    // Where they are read, there is more to do than to set a value.
    {"config-file", 0, false, nullptr,
     "file of options (/etc/rtpengine/rtpengine.conf; none: no file)"},
    {"config-section", 0, false, nullptr, "section of that file (rtpengine)"},
    {"templates", 0, false, nullptr, "section of that file with flags by name"},
    {"interfaces-config", 0, false, nullptr,
     "prefix of sections of that file with one interface each"},
    {"version", 'v', true, nullptr, "tells the version and exits"},
    {"codecs", 0, true, nullptr, "lists codecs and exits"},
    {"help", 'h', true, nullptr, "tells the options and exits"},
};
constexpr std::size_t meaningful = std::size(table);

// Options of rtpengine that need nothing here: the kernel module, daemons, other front doors,
// exports that are not built yet (docs/roadmap.md). A letter or flag has to be known to be skipped.
constexpr Option accepted[] = {
    {"table", 't'},
    {"listen-udp", 'u'},
    {"listen-tcp", 'l'},
    {"foreground", 'f', true},
    {"log-stderr", 'E', true},
    {"no-fallback", 'F', true},
    {"media-num-threads"},
    {"http-threads"},
    {"control-pmtu"},
    {"log-facility"},
    {"log-facility-cdr"},
    {"log-facility-rtcp"},
    {"log-facility-dtmf"},
    {"log-format"},
    {"split-logs", 0, true},
    {"max-log-line-length"},
    {"redis", 'r'},
    {"redis-write", 'w'},
    {"redis-subscribe"},
    {"redis-expires"},
    {"redis-num-threads"},
    {"redis-allowed-errors"},
    {"redis-disable-time"},
    {"redis-cmd-timeout"},
    {"redis-connect-timeout"},
    {"subscribe-keyspace", 'k'},
    {"redis-format"},
    {"no-redis-required", 'q', true},
    {"active-switchover", 0, true},
    {"iptables-chain"},
    {"reject-invalid-sdp", 0, true},
    {"software-id"},
    {"graphite", 'g'},
    {"graphite-interval", 'G'},
    {"graphite-prefix"},
    {"graphite-timeout"},
    {"homer"},
    {"homer-id"},
    {"homer-protocol"},
    {"mqtt-host"},
    {"mqtt-port"},
    {"mqtt-id"},
    {"mqtt-user"},
    {"mqtt-pass"},
    {"mqtt-tls-alpn"},
    {"mqtt-cafile"},
    {"mqtt-capath"},
    {"mqtt-certfile"},
    {"mqtt-keyfile"},
    {"mqtt-keepalive"},
    {"mqtt-publish-topic"},
    {"mqtt-publish-qos"},
    {"mqtt-publish-interval"},
    {"mqtt-publish-scope"},
    {"socket-cpu-affinity"},
    {"scheduling"},
    {"priority"},
    {"idle-scheduling"},
    {"idle-priority"},
    {"thread-stack"},
    {"poller-per-thread", 0, true},
    {"poller-size"},
    {"max-recv-iters"},
    {"io-uring", 0, true},
    {"io-uring-buffers"},
    {"timer-accuracy"},
    {"kernel-player"},
    {"kernel-player-media"},
    {"nftables-chain"},
    {"nftables-base-chain"},
    {"nftables-family"},
    {"nftables-append", 0, true},
    {"nftables-start", 0, true},
    {"nftables-stop", 0, true},
    {"mysql-host"},
    {"mysql-port"},
    {"mysql-user"},
    {"mysql-pass"},
    {"mysql-query"},
    {"dtmf-digit-delay"},
    {"dtmf-log-dest"},
    {"dtmf-log-ng-tcp", 0, true},
    {"dtmf-no-suppress", 0, true},
    {"dtmf-no-log-injects", 0, true},
    {"ng-client-timeout"},
    {"ng-client-retries"},
    {"transcode-config"},
    {"player-cache", 0, true},
    {"audio-buffer-length"},
    {"audio-buffer-delay"},
    {"audio-player"},
    {"dtx-buffer"},
    {"dtx-lag"},
    {"dtx-shift"},
    {"amr-dtx"},
    {"evs-dtx"},
    {"evs-lib-path"},
    {"codec-plugin-path"},
    {"vsc-start-rec"},
    {"vsc-stop-rec"},
    {"vsc-pause-rec"},
    {"vsc-start-stop-rec"},
    {"vsc-pause-resume-rec"},
    {"vsc-start-pause-resume-rec"},
    {"moh-attr-name"},
    {"moh-prevent-double-hold", 0, true},
    {"rtcp-mux"},
    {"janus-secret"},
    {"rci"},
    {"log-mark-prefix"},
    {"log-mark-suffix"},
    {"log-srtp-keys", 0, true},
    {"debug-srtp", 0, true},
    {"xmlrpc-timeout"},
    {"dtls-timeout"},
    {"templates-apply"},
    {"t38-max-bitrate"},
    {"crypto-tags"},
    {"recording-dir-user"},
};

const Option* find(Text name) {
    for (const auto& option : table)
        if (option.name == name) return &option;
    for (const auto& option : accepted)
        if (option.name == name) return &option;
    return nullptr;
}

const Option* find(char letter) {
    for (const auto& option : table)
        if (option.letter == letter) return &option;
    for (const auto& option : accepted)
        if (option.letter == letter) return &option;
    return nullptr;
}

/// Values by option, from one place.
using Values = std::map<std::string, std::vector<std::string>, std::less<>>;

Result<Values> read_arguments(std::span<const std::string> arguments) {
    Values values;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const Text argument = arguments[i];
        const Option* option = nullptr;
        std::optional<Text> value;
        if (argument.starts_with("--")) {
            const auto [name, text] = split_once(argument.substr(2), '=');
            if (name.size() + 2 < argument.size()) value = text;
            option = find(name);
            if (!option && name.starts_with("log-level-")) continue;
        } else if (argument.size() >= 2 && argument[0] == '-') {
            option = find(argument[1]);
            if (argument.size() > 2) value = argument.substr(2);
        }
        if (!option) return fail("Unknown option {}", argument);
        if (!option->flag && !value) {
            if (i + 1 == arguments.size()) return fail("Missing argument for {}", argument);
            value = arguments[++i];
        }
        values[std::string(option->name)].emplace_back(value.value_or("true"));
    }
    return values;
}

std::string variable_of(Text option) {
    std::string name = "RTPENGINE_" + to_upper(option);
    std::ranges::replace(name, '-', '_');
    return name;
}

Text one(const Values& values, Text name, Text otherwise) {
    const auto found = values.find(name);
    return found == values.end() ? otherwise : Text(found->second.back());
}

Result<> read_interfaces(const ini::Document& file, Text prefix, Settings& settings) {
    for (const auto* section : file.sections()) {
        if (!section->name.starts_with(std::string(prefix) + "-")) continue;
        const auto value = [&](Text key) { return section->get(key).value_or(""); };
        InterfaceSpec spec{.name = std::string(value("name")),
                           .address = std::string(value("address")),
                           .advertised = std::string(value("advertised")),
                           .alias_of = std::string(value("alias"))};
        if (spec.name.empty()) spec.name = section->name.substr(prefix.size() + 1);
        spec.port_min = parse_number<std::uint16_t>(value("port-min")).value_or(0);
        spec.port_max = parse_number<std::uint16_t>(value("port-max")).value_or(0);
        const auto excluded = each_of(value("exclude-ports"), [&](Text text) -> Result<> {
            const auto port = parse_number<std::uint16_t>(text);
            if (!port) return fail("exclude-ports: '{}' is no port", text);
            if (spec.excluded.size() == InterfaceSpec::max_excluded)
                return fail("exclude-ports: at most {} are taken", InterfaceSpec::max_excluded);
            spec.excluded.push_back(*port);
            return {};
        });
        if (!excluded) return std::unexpected(excluded.error().within(file.where(section->place)));
        if (spec.address.empty() && spec.alias_of.empty())
            return fail("{}: [{}] has neither address nor alias", file.where(section->place),
                        section->name);
        settings.interfaces.push_back(std::move(spec));
    }
    return {};
}

}  // namespace

std::span<const Option> options() { return table; }

Result<Configured> configure(std::span<const std::string> arguments, const Surroundings& around) {
    auto given = read_arguments(arguments);
    if (!given) return std::unexpected(given.error());
    Configured result;
    result.wants_help = given->contains("help");
    result.wants_version = given->contains("version");
    result.wants_codecs = given->contains("codecs");
    if (result.wants_help || result.wants_version || result.wants_codecs) return result;

    for (const auto list : {std::span<const Option>(table), std::span<const Option>(accepted)})
        for (const auto& option : list)
            if (!given->contains(option.name))
                if (const char* value = around.environment(variable_of(option.name).c_str()))
                    (*given)[std::string(option.name)].emplace_back(value);

    const std::string path(one(*given, "config-file", standard_file));
    const auto section_name = one(*given, "config-section", standard_section);
    const bool wanted = given->contains("config-file");
    ini::Document file;
    if (path != "none" && (wanted || around.files.exists(path))) {
        ini::Diagnostics diagnostics;
        ini::KeyFiles keys(around.files);
        file = ini::read(keys, path, {}, diagnostics);
        if (!diagnostics.ok()) return fail("{}", diagnostics.text());
        const auto* section = file.find(section_name);
        if (!section && wanted) return fail("{}: no section [{}]", path, section_name);
        Values from_file;
        if (section)
            for (const auto& entry : section->entries) {
                if (!find(entry.key) && !entry.key.starts_with("log-level-")) {
                    result.ignored.push_back(
                        fmt::format("{} ({})", entry.key, file.where(entry.place)));
                    continue;
                }
                from_file[std::string(entry.key)].emplace_back(entry.value);
            }
        for (auto& [name, values] : from_file)
            if (!given->contains(name)) (*given)[name] = std::move(values);
    }

    Settings& settings = result.settings;
    if (const auto prefix = one(*given, "interfaces-config", ""); !prefix.empty())
        if (auto read = read_interfaces(file, prefix, settings); !read)
            return std::unexpected(read.error());
    if (const auto* templates = file.find(one(*given, "templates", ""))) {
        for (const auto& entry : templates->entries)
            settings.templates[plain_word(entry.key)] = entry.value;
    }
    for (const auto& [name, values] : *given) {
        const Option* option = find(name);
        if (option && option->set) {
            for (const auto& value : values)
                if (auto set = option->set(settings, value); !set)
                    return std::unexpected(set.error().within(name));
        } else if (!option || option < table || option >= table + meaningful) {
            result.ignored.push_back(name);
        }
    }
    if (settings.interfaces.empty()) return fail("Missing option: interface");
    if (settings.listen_ng.empty() && settings.listen_tcp_ng.empty() &&
        settings.listen_http.empty() && settings.listen_https.empty())
        return fail("Missing option: one of listen-ng, listen-tcp-ng, listen-http, listen-https");
    if (!settings.listen_https.empty() && settings.https_certificate.empty())
        return fail("Missing option: https-cert, which listen-https needs");
    if (settings.port_min > settings.port_max)
        return fail("port-min {} is above port-max {}", settings.port_min, settings.port_max);
    return result;
}

std::string help_text() {
    std::string text =
        "The media relay: carries media of calls for SIP proxies that speak the NG protocol.\n"
        "Usage: strowger relay [OPTIONS]\n       strowger relay ctl [--address ADDRESS:PORT] "
        "COMMAND...\n\nOptions:\n";
    for (const auto& option : table) {
        std::string names = option.letter ? fmt::format("  -{},--{}", option.letter, option.name)
                                          : fmt::format("  --{}", option.name);
        if (!option.flag) names += " VALUE";
        text += fmt::format("{:<30} {}\n", names, option.help);
    }
    return text;
}

}  // namespace strowger::relay
