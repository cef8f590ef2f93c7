#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/address.hpp"
#include "base/result.hpp"
#include "wire/dtls/fingerprint.hpp"
#include "wire/ng/document.hpp"
#include "wire/srtp/suite.hpp"

namespace strowger::relay {

/// Items of one list-valued key: codecs to strip, sections to remove. Codecs by the hundred are no
/// telephone's.
constexpr std::size_t max_items = 256;

/// Milliseconds of speech that wait on the way through at most (`delay-buffer`).
constexpr unsigned max_delay_buffer = 1000;

enum class Learning : std::uint8_t { off, immediate, delayed, heuristic };

/// What becomes of media other than that it goes to the other party (`media echo`).
enum class MediaEcho : std::uint8_t {
    off,
    blackhole,  ///< of neither it goes anywhere
    forward,    ///< the sender of the message hears itself, nobody the other
    backwards,  ///< the receiver does
    both,
};

/// What is heard in place of a key that is blocked (`DTMF-security`).
enum class KeySecurity : std::uint8_t { off, drop, silence, tone, random, zero, digit };

/// How codecs of an offer are filtered and recoded (relay/codecs.hpp); names as `PCMA`,
/// `opus/48000`, `all`.
struct CodecRules {
    std::vector<std::string_view> strip, except, offer, mask, consume, accept, set, transcode;
    bool empty() const {
        return strip.empty() && except.empty() && offer.empty() && mask.empty() &&
               consume.empty() && transcode.empty();  // `accept` and `set` leave the list as it is
    }
};

/// Changes to our own SDP, as text of whole attributes, in one place of it.
struct AttributeRules {
    std::vector<std::string_view> add, remove;
    std::vector<std::pair<std::string_view, std::string_view>> substitute;
    bool empty() const { return add.empty() && remove.empty() && substitute.empty(); }
};

/// A command of the NG protocol with all its keys and flags, in whichever spelling they came
/// (docs/relay.md names them). Borrows from the document, and from texts that it keeps itself.
struct Request {
    // Who.
    std::string_view command, call_id, from_tag, to_tag, via_branch, label, to_label, set_label;
    std::string_view to_call_id, address;
    std::vector<std::string_view> from_tags;
    /// Which of what goes from one party to another, where not one is named: that of offer and
    /// answer, that of `subscribe`, or both.
    enum class Flows : std::uint8_t { none, offer_answer, others, every };
    Flows flows = Flows::none;
    bool all = false, directional = false, bidirectional = false, new_branch = false;

    std::string_view sdp;

    // Addresses.
    std::optional<IpAddress> received_from;
    std::optional<IpAddress> media_address;
    std::optional<bool> wants_v6;
    std::vector<std::string_view> direction;  ///< names of interfaces: towards sender, receiver
    std::optional<int> tos;
    bool sip_source = false, trust_address = false, port_latching = false;
    /// Interfaces that a look-up of routes chooses: towards the sender, the receiver.
    struct Peer {
        bool asked = false;
        std::optional<IpAddress> address;  ///< none: that of the party's media
    };
    Peer inbound_peer, outbound_peer;

    // Endpoints.
    std::optional<Learning> learning;
    bool asymmetric = false, symmetric = false, strict_source = false, media_handover = false,
         reset = false, unidirectional = false, nat_wait = false, pierce_nat = false;
    std::optional<MediaEcho> media_echo;
    std::optional<bool> drop_traffic;

    // Transport.
    std::string_view protocol;
    bool accept_protocol = false;
    bool osrtp_offer = false, osrtp_accept = false;
    bool mux_offer = false, mux_require = false, mux_demux = false, mux_accept = false,
         mux_reject = false;
    std::optional<bool> generate_rtcp;
    bool no_rtcp_attribute = false, full_rtcp_attribute = false;
    bool rtcp_mirror = false;  ///< a listener's RTCP goes to whom it listens to

    // ICE, DTLS, bundles.
    enum class Ice : std::uint8_t { as_it_came, remove, force, optional };
    std::optional<Ice> ice;
    std::optional<std::pair<bool, bool>> ice_lite;  ///< towards the receiver, towards the sender
    bool generate_mid = false, fragment = false, reject_ice = false, trickle_ice = false,
         no_tls_id = false;
    std::optional<bool> dtls_passive, dtls_passive_reverse;  ///< the role that we prefer
    bool dtls_off = false, dtls_reverse_off = false;
    std::optional<dtls::Hash> dtls_hash;
    bool bundle_offer = false, bundle_accept = false, bundle_reject = false;

    // SDES.
    bool sdes_off = false, sdes_nonew = false, sdes_pad = false, sdes_lifetime = false,
         sdes_prefer = false, recrypt = false;
    std::set<srtp::Suite> sdes_no, sdes_only;
    std::vector<srtp::Suite> sdes_order;
    std::optional<bool> encrypt_rtp, encrypt_rtcp, authenticate_rtp;

    CodecRules codec;
    std::optional<unsigned> ptime, ptime_reverse;
    std::optional<unsigned> delay_buffer;  ///< milliseconds
    bool no_jitter_buffer = false;
    bool allow_transcoding = false;  ///< a listener may take codecs that it was not offered
    bool allow_no_codec = false, single_codec = false, always_transcode = false;

    // Text.
    bool replace_origin = false, replace_origin_full = false, replace_session_name = false,
         replace_version = false, replace_username = false, replace_zero = false,
         force_version = false;
    AttributeRules attributes_global, attributes_audio, attributes_video;
    std::vector<std::string_view> remove_media;
    std::vector<std::string_view> strip_extmap;
    bool strip_all_extmap = false;
    bool original_sendrecv = false, loop_protect = false;

    // The rest.
    bool block_dtmf = false, fatal = false, fast = false, to_tag_flag = false, load_limit = false,
         inject_dtmf = false, block_egress = false, early_media = false, debug = false;
    std::string_view xmlrpc_callback;  ///< who is told when the call times out
    std::optional<long> delete_delay;
    std::size_t limit = 32;
    std::string_view file, blob, body, metadata;
    std::optional<bool> record_call;
    bool pause_recording = false, skip_recording_db = false, discard_recording = false,
         exclude_recording = false;
    std::string_view recording_file, recording_path, recording_pattern;
    std::string_view hold_file;              ///< `moh`: what is heard while the sender holds
    std::optional<bool> hold_mode_sendrecv;  ///< what a description then says; else sendonly
    std::optional<KeySecurity> key_security;
    std::optional<unsigned> key_delay;  ///< milliseconds
    std::string_view code;
    long frequency = 0, duration = 0, volume = 0, pause = 0, repeat_times = 1, start_position = 0,
         repeat_duration = 0;

    /// What was said that nobody here understands, or that has no effect: for the log.
    std::vector<std::string> unknown;

    /// Strings that were not in the document: flags that came as one text.
    std::list<std::string> kept;
};

/// Flag strings by name, from the configuration; those named as a command, or `default`, count
/// without being named.
using Templates = std::function<std::optional<std::string_view>(std::string_view name)>;

/// Reads a request. Fails only when the flags in one string cannot be taken apart.
Result<Request> read_request(const ng::Document& document, const Templates& templates);

}  // namespace strowger::relay
