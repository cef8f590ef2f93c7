#include "relay/request.hpp"

#include <algorithm>
#include <array>
#include <unordered_map>

#include "base/text.hpp"
#include "relay/rtpp_flags.hpp"
#include "relay/words.hpp"

namespace strowger::relay {
namespace {

using Text = std::string_view;

/// What to do with one value of a key: a scalar, or each item of a list.
using Item = void (*)(Request&, Text value, Text plain);

template <auto Member>
void text(Request& request, Text value, Text) {
    request.*Member = value;
}

template <auto Member>
void yes(Request& request, Text, Text) {
    request.*Member = true;
}

template <auto Member>
void number(Request& request, Text value, Text) {
    request.*Member = parse_number<long>(value).value_or(request.*Member);
}

template <auto Member>
void milliseconds(Request& request, Text value, Text) {
    const auto parsed = parse_number<unsigned>(value);
    if (parsed && *parsed > 0 && *parsed <= 1000) request.*Member = *parsed;
}

// Of what is held back: none is a value, too.
void delay_buffer(Request& request, Text value, Text plain) {
    const auto parsed = means_off(plain) ? 0 : parse_number<unsigned>(value);
    if (parsed) request.delay_buffer = std::min(*parsed, max_delay_buffer);
}

void key_delay(Request& request, Text value, Text plain) {
    constexpr unsigned longest = 5000;  // media::Recoder::Keys::longest_delay
    const auto parsed = means_off(plain) ? 0 : parse_number<unsigned>(value);
    if (parsed) request.key_delay = std::min(*parsed, longest);
}

template <typename List, typename Value>
void add(List& list, Value value) {
    if (list.size() < max_items) list.push_back(std::move(value));
}

template <auto Member>
void append(Request& request, Text value, Text) {
    add(request.*Member, value);
}

void unknown(Request& request, Text key, Text value) {
    std::string said(key);
    if (!value.empty()) said += "=" + std::string(value);
    add(request.unknown, std::move(said));
}

void key_security(Request& request, Text value, Text plain) {
    using enum KeySecurity;
    if (means_off(plain))
        request.key_security = off;
    else if (plain == "drop")
        request.key_security = drop;
    else if (plain == "silence")
        request.key_security = silence;
    else if (plain == "tone")
        request.key_security = tone;
    else if (plain == "random")
        request.key_security = random;
    else if (plain == "zero")
        request.key_security = zero;
    else if (plain == "dtmf")
        request.key_security = digit;
    else
        unknown(request, "dtmf-security", value);
}

void music_on_hold(Request& request, Text key, Text value) {
    const auto name = plain_word(key);
    const auto plain = plain_word(value);
    if (name == "file")
        request.hold_file = value;
    else if (name == "mode" && (plain == "sendonly" || plain == "sendrecv"))
        request.hold_mode_sendrecv = plain == "sendrecv";
    else
        unknown(request, "moh-" + name, value);
}

void label(Request& request, Text value, Text) { request.label = value; }

void set_family(Request& request, Text, Text plain) {
    if (plain == "ip4" || plain == "inet" || plain == "ipv4") request.wants_v6 = false;
    if (plain == "ip6" || plain == "inet6" || plain == "ipv6") request.wants_v6 = true;
}

void received_from(Request& request, Text value, Text) {
    if (const auto address = IpAddress::parse(value)) request.received_from = address;
}

void media_address(Request& request, Text value, Text) {
    request.media_address = IpAddress::parse(value);
}

void from_interface(Request& request, Text value, Text) {
    request.direction.resize(2);
    request.direction[0] = value;
}
void to_interface(Request& request, Text value, Text) {
    request.direction.resize(2);
    request.direction[1] = value;
}
void both_interfaces(Request& request, Text value, Text) { request.direction = {value, value}; }

Request::Peer peer_of(Text value, Text plain) {
    return {!means_off(plain), IpAddress::parse(value)};
}
void inbound_peer(Request& request, Text value, Text plain) {
    request.inbound_peer = peer_of(value, plain);
}
void outbound_peer(Request& request, Text value, Text plain) {
    request.outbound_peer = peer_of(value, plain);
}
void peer(Request& request, Text value, Text plain) {
    request.inbound_peer = request.outbound_peer = peer_of(value, plain);
}

void tos(Request& request, Text value, Text) {
    if (const auto parsed = parse_number<int>(value); parsed && *parsed >= 0)
        request.tos = *parsed < 256 ? *parsed : 0;
}

void learning(Request& request, Text, Text plain) {
    if (means_off(plain)) request.learning = Learning::off;
    if (plain == "immediate") request.learning = Learning::immediate;
    if (plain == "delayed") request.learning = Learning::delayed;
    if (plain == "heuristic") request.learning = Learning::heuristic;
}

constexpr std::array<Text, 6> protocols{"RTP/AVP",   "RTP/AVPF",         "RTP/SAVP",
                                        "RTP/SAVPF", "UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF"};

// Only those: the word goes into a description as it is.
void protocol(Request& request, Text value, Text plain) {
    if (plain == "accept") {
        request.accept_protocol = true;
        return;
    }
    const auto known =
        std::ranges::find_if(protocols, [&](Text name) { return iequals(name, value); });
    if (known != protocols.end())
        request.protocol = *known;
    else
        unknown(request, "transport-protocol", value);
}

void osrtp(Request& request, Text value, Text plain) {
    if (plain.starts_with("offer"))
        request.osrtp_offer = true;
    else if (plain.starts_with("accept"))
        request.osrtp_accept = true;
    else
        unknown(request, "osrtp", value);
}

void mux(Request& request, Text value, Text plain) {
    if (plain == "offer")
        request.mux_offer = true;
    else if (plain == "require")
        request.mux_offer = request.mux_require = true;
    else if (plain == "demux")
        request.mux_demux = true;
    else if (plain == "accept")
        request.mux_accept = true;
    else if (plain == "reject")
        request.mux_reject = true;
    else
        unknown(request, "rtcp-mux", value);
}

void ice_lite(Request& request, Text value, Text plain) {
    if (plain == "forward")
        request.ice_lite = {true, false};
    else if (plain == "backward")
        request.ice_lite = {false, true};
    else if (plain == "both")
        request.ice_lite = {true, true};
    else if (means_off(plain))
        request.ice_lite = {false, false};
    else
        unknown(request, "ice-lite", value);
}

void ice(Request& request, Text value, Text plain) {
    using enum Request::Ice;
    if (plain == "remove" || means_off(plain))
        request.ice = remove;
    else if (plain == "force" || plain == "force-relay")  // ours are the only candidates anyway
        request.ice = force;
    else if (plain == "default")
        request.ice = as_it_came;
    else if (plain == "optional")
        request.ice = optional;
    else if (plain.starts_with("lite-"))
        ice_lite(request, value, plain.substr(5));
    else if (plain == "trickle")
        request.trickle_ice = true;
    else if (plain != "ice2")
        unknown(request, "ice", value);
}

void dtls(Request& request, Text value, Text plain) {
    if (means_off(plain))
        request.dtls_off = true;
    else if (plain == "passive" || plain == "active")
        request.dtls_passive = plain == "passive";
    else
        unknown(request, "dtls", value);
}

void dtls_reverse(Request& request, Text value, Text plain) {
    if (plain == "passive" || plain == "active")
        request.dtls_passive_reverse = plain == "passive";
    else
        unknown(request, "dtls-reverse", value);
}

void dtls_fingerprint(Request& request, Text value, Text) {
    std::string name(value);
    std::ranges::replace(name, '_', '-');
    if (istarts_with(name, "sha") && !name.substr(3).starts_with("-")) name.insert(3, "-");
    request.dtls_hash = dtls::hash_named(name);
    if (!request.dtls_hash) unknown(request, "dtls-fingerprint", value);
}

void bundle(Request& request, Text value, Text plain) {
    if (plain == "offer" || plain == "require" || plain == "strict")
        request.bundle_offer = request.bundle_accept = true;
    else if (plain == "accept")
        request.bundle_accept = true;
    else if (plain == "reject")
        request.bundle_reject = true;
    else
        unknown(request, "bundle", value);
}

// What a browser needs of us, in one word.
void webrtc(Request& request) {
    request.protocol = "UDP/TLS/RTP/SAVPF";
    request.ice = Request::Ice::force;
    request.mux_offer = request.mux_require = true;
    request.no_rtcp_attribute = request.sdes_off = true;
    request.generate_mid = request.bundle_offer = request.bundle_accept = true;
    request.trickle_ice = true;
}

void media_echo(Request& request, Text value, Text plain) {
    using enum MediaEcho;
    if (means_off(plain))
        request.media_echo = off;
    else if (plain == "blackhole" || plain == "sinkhole")
        request.media_echo = blackhole;
    else if (plain == "forward" || plain == "fwd")
        request.media_echo = forward;
    else if (plain == "backward" || plain == "backwards")
        request.media_echo = backwards;
    else if (plain == "both")
        request.media_echo = both;
    else
        unknown(request, "media-echo", value);
}

void drop_traffic(Request& request, Text value, Text plain) {
    if (plain == "start")
        request.drop_traffic = true;
    else if (plain == "stop")
        request.drop_traffic = false;
    else
        unknown(request, "drop-traffic", value);
}

// Suites are compared as they are spelt; `plain` has lost the underscores.
void sdes(Request& request, Text value, Text plain) {
    const auto suite_after = [&](std::size_t prefix) {
        std::string name(value.substr(std::min(prefix, value.size())));
        std::ranges::replace(name, '-', '_');
        return srtp::suite_named(name);
    };
    if (means_off(plain)) {
        request.sdes_off = true;
    } else if (plain == "nonew") {
        request.sdes_nonew = true;
    } else if (plain == "pad") {
        request.sdes_pad = true;
    } else if (plain == "lifetime") {
        request.sdes_lifetime = true;
    } else if (plain == "prefer" || plain == "static") {
        request.sdes_prefer = true;
    } else if (plain == "unencrypted-srtp") {
        request.encrypt_rtp = false;
    } else if (plain == "unencrypted-srtcp") {
        request.encrypt_rtcp = false;
    } else if (plain == "unauthenticated-srtp") {
        request.authenticate_rtp = false;
    } else if (plain == "encrypted-srtp") {
        request.encrypt_rtp = true;
    } else if (plain == "encrypted-srtcp") {
        request.encrypt_rtcp = true;
    } else if (plain == "authenticated-srtp") {
        request.authenticate_rtp = true;
    } else if (plain.starts_with("no-") && suite_after(3)) {
        request.sdes_no.insert(*suite_after(3));
    } else if (plain.starts_with("only-") && suite_after(5)) {
        request.sdes_only.insert(*suite_after(5));
    } else if (plain.starts_with("order:") || plain.starts_with("offerer-pref:")) {
        for (const auto name : split(split_once(value, ':').second, ';'))
            if (const auto suite = srtp::suite_named(name)) add(request.sdes_order, *suite);
    } else {
        unknown(request, "sdes", value);
    }
}

void replace(Request& request, Text value, Text plain) {
    if (plain == "origin")
        request.replace_origin = true;
    else if (plain == "origin-full")
        request.replace_origin_full = true;
    else if (plain == "session-name")
        request.replace_session_name = true;
    else if (plain == "sdp-version")
        request.replace_version = true;
    else if (plain == "username")
        request.replace_username = true;
    else if (plain == "zero-address")
        request.replace_zero = true;
    else if (plain == "force-increment-sdp-ver")
        request.force_version = true;
    else if (plain != "session-connection")  // every connection address is ours anyway
        unknown(request, "replace", value);
}

void extmap(Request& request, Text value, Text plain) {
    if (plain == "all")
        request.strip_all_extmap = true;
    else
        add(request.strip_extmap, value);
}

void limit(Request& request, Text value, Text) {
    constexpr std::size_t max_listed = 10'000;  // a reply must fit a datagram
    if (const auto parsed = parse_number<std::size_t>(value))
        request.limit = std::min(*parsed, max_listed);
}

void supports(Request& request, Text, Text plain) { request.load_limit |= plain == "load-limit"; }

void delete_delay(Request& request, Text value, Text) {
    constexpr long longest = 86'400;
    if (const auto parsed = parse_number<long>(value); parsed && *parsed >= 0)
        request.delete_delay = std::min(*parsed, longest);
}

// Values other than these mean everything.
void all(Request& request, Text, Text plain) {
    using enum Request::Flows;
    if (plain == "offer-answer")
        request.flows = offer_answer;
    else if (plain == "except-offer-answer")
        request.flows = others;
    else if (plain == "flows")
        request.flows = every;
    else
        request.all = !means_off(plain);
}

void record_call(Request& request, Text, Text plain) { request.record_call = !means_off(plain); }
void record_flag(Request& request, Text, Text) { request.record_call = true; }

void generate_rtcp(Request& request, Text, Text plain) {
    request.generate_rtcp = !means_off(plain);
}

void nothing(Request&, Text, Text) {}

void codec_item(Request& request, Text list, Text value) {
    auto& rules = request.codec;
    const auto name = plain_word(list);
    if (name == "strip" || name == "ignore")
        add(rules.strip, value);
    else if (name == "except")
        add(rules.except, value);
    else if (name == "offer")
        add(rules.offer, value);
    else if (name == "mask")
        add(rules.mask, value);
    else if (name == "consume")
        add(rules.consume, value);
    else if (name == "accept")
        add(rules.accept, value);
    else if (name == "set")
        add(rules.set, value);
    else if (name == "transcode")
        add(rules.transcode, value);
    else
        unknown(request, "codec-" + name, value);
}

const std::unordered_map<std::string_view, Item>& keys() {
    static const std::unordered_map<std::string_view, Item> table{
        {"command", text<&Request::command>},
        {"call-id", text<&Request::call_id>},
        {"callid", text<&Request::call_id>},
        {"from-tag", text<&Request::from_tag>},
        {"to-tag", text<&Request::to_tag>},
        {"via-branch", text<&Request::via_branch>},
        {"label", label},
        {"from-label", label},
        {"to-label", text<&Request::to_label>},
        {"set-label", text<&Request::set_label>},
        {"to-call-id", text<&Request::to_call_id>},
        {"address", text<&Request::address>},
        {"from-tags", append<&Request::from_tags>},
        {"all", all},
        {"sdp", text<&Request::sdp>},
        {"received-from", received_from},
        {"media-address", media_address},
        {"address-family", set_family},
        {"direction", append<&Request::direction>},
        {"media-echo", media_echo},
        {"drop-traffic", drop_traffic},
        {"from-interface", from_interface},
        {"to-interface", to_interface},
        {"interface", both_interfaces},
        {"inbound-peer", inbound_peer},
        {"outbound-peer", outbound_peer},
        {"peer", peer},
        {"tos", tos},
        {"endpoint-learning", learning},
        {"transport-protocol", protocol},
        {"osrtp", osrtp},
        {"rtcp-mux", mux},
        {"generate-rtcp", generate_rtcp},
        {"sdes", sdes},
        {"ice", ice},
        {"ice-lite", ice_lite},
        {"dtls", dtls},
        {"dtls-reverse", dtls_reverse},
        {"dtls-fingerprint", dtls_fingerprint},
        {"bundle", bundle},
        {"ptime", milliseconds<&Request::ptime>},
        {"delay-buffer", delay_buffer},
        {"ptime-reverse", milliseconds<&Request::ptime_reverse>},
        {"replace", replace},
        {"sdp-media-remove", append<&Request::remove_media>},
        {"extmap", extmap},
        {"delete-delay", delete_delay},
        {"supports", supports},
        {"limit", limit},
        {"file", text<&Request::file>},
        {"blob", text<&Request::blob>},
        {"body", text<&Request::body>},
        {"metadata", text<&Request::metadata>},
        {"record-call", record_call},
        {"recording-file", text<&Request::recording_file>},
        {"output-destination", text<&Request::recording_file>},
        {"recording-dir", text<&Request::recording_path>},
        {"recording-path", text<&Request::recording_path>},
        {"recording-pattern", text<&Request::recording_pattern>},
        {"code", text<&Request::code>},
        {"digit", text<&Request::code>},
        {"dtmf-security", key_security},
        {"dtmf-delay", key_delay},
        {"frequency", number<&Request::frequency>},
        {"duration", number<&Request::duration>},
        {"volume", number<&Request::volume>},
        {"pause", number<&Request::pause>},
        {"repeat-times", number<&Request::repeat_times>},
        {"repeat-duration", number<&Request::repeat_duration>},
        {"start-pos", number<&Request::start_position>},
        {"sip-message-type", nothing},
        {"sip-code", nothing},
        {"template", nothing},
        {"xmlrpc-callback", text<&Request::xmlrpc_callback>},
    };
    return table;
}

const std::unordered_map<std::string_view, Item>& flags() {
    static const std::unordered_map<std::string_view, Item> table{
        {"all", yes<&Request::all>},
        {"directional", yes<&Request::directional>},
        {"bidirectional", yes<&Request::bidirectional>},
        {"new-branch", yes<&Request::new_branch>},
        {"sip-source-address", yes<&Request::sip_source>},
        {"trust-address", yes<&Request::trust_address>},
        {"port-latching", yes<&Request::port_latching>},
        {"inbound-peer", inbound_peer},
        {"outbound-peer", outbound_peer},
        {"peer", peer},
        {"asymmetric", yes<&Request::asymmetric>},
        {"symmetric", yes<&Request::symmetric>},
        {"strict-source", yes<&Request::strict_source>},
        {"media-handover", yes<&Request::media_handover>},
        {"reset", yes<&Request::reset>},
        {"unidirectional", yes<&Request::unidirectional>},
        {"no-rtcp-attribute", yes<&Request::no_rtcp_attribute>},
        {"full-rtcp-attribute", yes<&Request::full_rtcp_attribute>},
        {"generate-rtcp", generate_rtcp},
        {"rtcp-mirror", yes<&Request::rtcp_mirror>},
        {"recrypt", yes<&Request::recrypt>},
        {"allow-no-codec-media", yes<&Request::allow_no_codec>},
        {"always-transcode", yes<&Request::always_transcode>},
        {"no-jitter-buffer", yes<&Request::no_jitter_buffer>},
        {"allow-transcoding", yes<&Request::allow_transcoding>},
        {"single-codec", yes<&Request::single_codec>},
        {"original-sendrecv", yes<&Request::original_sendrecv>},
        {"loop-protect", yes<&Request::loop_protect>},
        {"strip-extmap", yes<&Request::strip_all_extmap>},
        {"block-dtmf", yes<&Request::block_dtmf>},
        {"fatal", yes<&Request::fatal>},
        {"fast", yes<&Request::fast>},
        {"to-tag", yes<&Request::to_tag_flag>},
        {"inject-dtmf", yes<&Request::inject_dtmf>},
        {"block-egress", yes<&Request::block_egress>},
        {"early-media", yes<&Request::early_media>},
        {"force-increment-sdp-ver", yes<&Request::force_version>},
        {"record-call", record_flag},
        {"pause", yes<&Request::pause_recording>},
        {"skip-recording-db", yes<&Request::skip_recording_db>},
        {"discard-recording", yes<&Request::discard_recording>},
        {"exclude-recording", yes<&Request::exclude_recording>},
        {"generate-mid", yes<&Request::generate_mid>},
        {"fragment", yes<&Request::fragment>},
        {"reject-ice", yes<&Request::reject_ice>},
        {"webrtc", [](Request& request, Text, Text) { webrtc(request); }},
        {"no-tls-id", yes<&Request::no_tls_id>},
        {"no-port-latching", [](Request& request, Text, Text) { request.port_latching = false; }},
        {"nat-wait", yes<&Request::nat_wait>},
        {"pierce-nat", yes<&Request::pierce_nat>},
        {"trickle-ice", yes<&Request::trickle_ice>},
        {"debug", yes<&Request::debug>},
        // Names of what we do anyway.
        {"block-short", nothing},
        {"no-redis-update", nothing},
        {"provisional", nothing},
    };
    return table;
}

class Reader {
public:
    explicit Reader(Request& request) : request_(request) {}

    Result<> read(const ng::Value& dictionary) {
        Result<> result;
        dictionary.each_pair([&](Text key, const ng::Value& value) {
            if (!result) return;
            const std::string plain = plain_word(key);
            if (plain == "rtpp-flags")
                result = read_flags(value.text().value_or(""));
            else
                set(plain, value);
        });
        return result;
    }

    Result<> read_flags(Text text) {
        if (text.empty()) return {};
        auto converted = flags_document(text);
        if (!converted) return std::unexpected(converted.error());
        request_.kept.push_back(std::move(*converted));
        const auto document = ng::Document::parse(request_.kept.back());
        if (!document) return std::unexpected(document.error().within("rtpp_flags"));
        return read(document->root());
    }

private:
    void set(const std::string& key, const ng::Value& value) {
        if (key == "flags") return each(value, [&](Text word) { flag(word); });
        if (key == "codec" || key == "codecs") return codec(value);
        if (key == "sdp-attr") return attributes(value);
        if (key == "extmap" && value.kind() == ng::Kind::dictionary) {
            return value.each_pair([&](Text, const ng::Value& list) {
                each(list, [&](Text item) { extmap(request_, item, plain_word(item)); });
            });
        }
        if (key == "received-from") return source(value);
        if (key == "moh")
            return value.each_pair([&](Text name, const ng::Value& one) {
                music_on_hold(request_, name, one.text().value_or(""));
            });
        const auto known = keys().find(key);
        if (known != keys().end()) {
            // A new pair; but it may also come as two keys of that name.
            const bool list = value.kind() == ng::Kind::list;
            if (key == "direction" && (list || request_.direction.size() >= 2))
                request_.direction.clear();
            return each(value, [&](Text item) { known->second(request_, item, plain_word(item)); });
        }
        // A flag that came as a key of its own.
        const auto named = flags().find(key);
        if (named == flags().end()) return unknown(request_, key, value.text().value_or(""));
        if (!means_off(plain_word(value.text().value_or("on")))) named->second(request_, "", "");
    }

    void flag(Text word) {
        const auto [name, value] = split_once(word, '=');
        if (name.size() < word.size()) return assign(plain_word(name), value);
        const std::string plain = plain_word(word);
        if (const auto known = flags().find(plain); known != flags().end())
            return known->second(request_, "", "");
        // An item of a list, with the list's key in front: `rtcp-mux-offer`, `codec-strip-PCMA`.
        for (const Text list :
             {"rtcp-mux", "sdes", "replace", "from-tags", "direction", "osrtp", "sdp-media-remove",
              "endpoint-learning", "supports", "ice-lite", "ice", "dtls-reverse",
              "dtls-fingerprint", "dtls", "bundle", "media-echo", "drop-traffic",
              "transport-protocol", "address-family"}) {
            if (plain.starts_with(list) && plain.size() > list.size() + 1 &&
                plain[list.size()] == '-')
                return item(list, word.substr(list.size() + 1));
        }
        if (plain.starts_with("codec-")) {
            const auto end = std::min(plain.find('-', 6), word.size());
            const auto codec = word.substr(std::min(end + 1, word.size()));
            return codec_item(request_, word.substr(6, end - 6), codec);
        }
        for (const Text known_protocol : protocols)
            if (iequals(known_protocol, word)) return item("transport-protocol", word);
        unknown(request_, plain, "");
    }

    void assign(const std::string& key, Text value) {
        if (keys().contains(key)) return item(key, value);
        if (key.starts_with("codec-")) return codec_item(request_, Text(key).substr(6), value);
        if (!means_off(plain_word(value))) return flag_by_name(key);
    }

    void flag_by_name(const std::string& key) {
        if (const auto known = flags().find(key); known != flags().end())
            known->second(request_, "", "");
        else
            unknown(request_, key, "");
    }

    void item(Text key, Text value) { keys().at(key)(request_, value, plain_word(value)); }

    template <typename Visit>
    void each(const ng::Value& value, Visit visit) {
        if (value.kind() == ng::Kind::list) {
            value.each([&](const ng::Value& one) {
                if (const auto text = one.text()) visit(*text);
            });
        } else if (const auto text = value.text()) {
            visit(*text);
        }
    }

    // [family, address]
    void source(const ng::Value& value) {
        each(value, [&](Text item) { received_from(request_, item, ""); });
    }

    void codec(const ng::Value& value) {
        value.each_pair([&](Text list, const ng::Value& names) {
            each(names, [&](Text name) { codec_item(request_, list, name); });
        });
    }

    void attributes(const ng::Value& value) {
        value.each_pair([&](Text where, const ng::Value& rules) {
            const auto place = plain_word(where);
            AttributeRules* target = place == "audio"   ? &request_.attributes_audio
                                     : place == "video" ? &request_.attributes_video
                                     : place == "global" || place == "session" || means_off(place)
                                         ? &request_.attributes_global
                                         : nullptr;
            if (!target) return unknown(request_, "sdp-attr", where);
            rules.each_pair([&](Text action, const ng::Value& list) {
                const auto what = plain_word(action);
                if (what == "add") each(list, [&](Text line) { add(target->add, line); });
                if (what == "remove") each(list, [&](Text line) { add(target->remove, line); });
                if (what == "substitute") substitutions(list, *target);
            });
        });
    }

    // A list of pairs, or one pair.
    void substitutions(const ng::Value& list, AttributeRules& target) {
        std::vector<Text> pair;
        list.each([&](const ng::Value& one) {
            if (one.kind() == ng::Kind::list) return substitutions(one, target);
            if (const auto text = one.text()) pair.push_back(*text);
        });
        if (pair.size() == 2) add(target.substitute, std::pair(pair[0], pair[1]));
    }

    Request& request_;
};

}  // namespace

Result<Request> read_request(const ng::Document& document, const Templates& templates) {
    Request request;
    Reader reader(request);
    const auto apply = [&](std::string_view name) -> Result<> {
        const auto text = templates ? templates(name) : std::nullopt;
        return text ? reader.read_flags(*text) : Result<>{};
    };
    const auto command = document.text_of("command");
    const auto named = document.text_of("template");
    for (const auto name : {std::string_view("default"), command, named}) {
        if (name.empty()) continue;
        if (auto applied = apply(name); !applied) return std::unexpected(applied.error());
    }
    if (auto read = reader.read(document.root()); !read) return std::unexpected(read.error());
    return request;
}

}  // namespace strowger::relay
