#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ini.hpp"
#include "pbx/config/acl.hpp"

namespace strowger::pbx::config {

struct Aor;
struct Auth;

/// An option as it was written, for PJSIP_ENDPOINT() and listings. Borrows from the Configuration.
struct RawOption {
    std::string_view key;
    std::string_view value;
};

/// `"Name" <number>` taken apart.
struct CallerId {
    std::string name;
    std::string number;
    static CallerId parse(std::string_view text);
};

enum class DtmfMode { rfc4733, inband, info, automatic, auto_info, none };
enum class MediaEncryption { none, sdes, dtls };
enum class DtlsVerify { none, fingerprint, certificate, both };
enum class DtlsSetup { active, passive, actpass };
enum class SessionTimers { no, yes, required, always };
enum class Reliable { no, yes, required, peer_supported };  ///< 100rel
enum class Redirect { user, uri_core, uri_pjsip };
enum class IdentifyBy { username, ip, auth_username, header, request_uri };

/// `type=endpoint`: what a phone or trunk is allowed and how it is spoken to. Names and defaults
/// are Asterisk's; the comment gives what the name does not.
struct Endpoint {
    std::string name;
    ini::Place place;
    bool from_wizard = false;

    // Routing and identity.
    std::string context = "default";
    std::string message_context;  ///< empty: `context`
    std::string subscribe_context;
    std::vector<std::string> aors;
    std::vector<std::string> auth;           ///< empty: accepted unchallenged
    std::vector<const Aor*> known_aors;      ///< those of `aors` that exist, once all is read
    std::vector<const Auth*> known_auths;    ///< those of `auth`, likewise
    std::vector<std::string> outbound_auth;  ///< credentials for when the peer challenges us
    std::string outbound_proxy;
    std::string transport;
    std::vector<IdentifyBy> identify_by{IdentifyBy::username, IdentifyBy::ip};
    CallerId callerid;
    std::string callerid_privacy = "allowed_not_screened";
    std::string callerid_tag;
    std::string from_user;
    std::string from_domain;
    std::string contact_user;
    bool trust_id_inbound = false;
    bool trust_id_outbound = false;
    bool send_pai = false;
    bool send_rpid = false;
    bool rpid_immediate = false;
    bool send_diversion = true;
    bool send_connected_line = true;
    bool trust_connected_line = true;
    std::string connected_line_method = "invite";
    std::string accountcode;
    std::vector<std::pair<std::string, std::string>> set_var;  ///< a later same name has replaced
    std::string language;
    std::string tone_zone;
    bool user_eq_phone = false;
    bool allow_overlap = true;
    Redirect redirect_method = Redirect::user;

    // Media.
    std::vector<std::string> codecs;  ///< what `allow` and `disallow` came to, in order
    bool direct_media = true;
    std::string direct_media_method = "invite";
    std::string direct_media_glare_mitigation = "none";
    bool disable_direct_media_on_nat = false;
    bool rtp_symmetric = false;
    bool bind_rtp_to_media_address = false;
    std::string media_address;
    bool rtp_ipv6 = false;
    int rtp_timeout = 0;       ///< seconds of silence after which the call ends; 0 never
    int rtp_timeout_hold = 0;  ///< the same while on hold
    int rtp_keepalive = 0;
    bool use_ptime = false;
    DtmfMode dtmf_mode = DtmfMode::rfc4733;
    bool inband_progress = false;
    int tos_audio = 0;
    int cos_audio = 0;
    int tos_video = 0;
    int cos_video = 0;
    std::string moh_suggest = "default";
    bool moh_passthrough = false;
    int max_audio_streams = 1;
    int max_video_streams = 1;
    bool t38_udptl = false;
    std::string t38_udptl_ec = "none";
    int t38_udptl_maxdatagram = 0;
    bool t38_udptl_nat = false;
    bool fax_detect = false;
    int fax_detect_timeout = 0;
    bool preferred_codec_only = false;
    std::string sdp_owner = "-";
    std::string sdp_session = "Asterisk";
    bool g726_non_standard = false;
    bool asymmetric_rtp_codec = false;
    std::string rtp_engine = "asterisk";

    // Security of media.
    MediaEncryption media_encryption = MediaEncryption::none;
    bool media_encryption_optimistic = false;
    bool srtp_tag_32 = false;
    std::string dtls_cert_file;
    std::string dtls_private_key;
    std::string dtls_ca_file;
    std::string dtls_ca_path;
    std::string dtls_cipher;
    DtlsVerify dtls_verify = DtlsVerify::none;
    DtlsSetup dtls_setup = DtlsSetup::active;
    std::string dtls_fingerprint = "SHA-256";
    int dtls_rekey = 0;
    bool dtls_auto_generate_cert = false;
    bool ice_support = false;
    bool use_avpf = false;
    bool force_avp = false;
    bool rtcp_mux = false;
    bool bundle = false;
    bool media_use_received_transport = false;
    bool webrtc = false;  ///< its consequences are already in the fields above

    // NAT.
    bool force_rport = true;
    bool rewrite_contact = false;

    // Session.
    SessionTimers timers = SessionTimers::yes;
    int timers_min_se = 90;
    int timers_sess_expires = 1800;
    Reliable rel100 = Reliable::yes;
    bool allow_transfer = true;
    bool refer_blind_progress = true;
    bool notify_early_inuse_ringing = false;
    bool one_touch_recording = false;
    std::string record_on_feature = "automixmon";
    std::string record_off_feature = "automixmon";
    bool follow_early_media_fork = true;
    bool accept_multiple_sdp_answers = false;
    bool ignore_183_without_sdp = false;
    bool suppress_q850_reason_headers = false;
    bool allow_unauthenticated_options = false;

    // Presence and groups.
    bool allow_subscribe = true;
    int sub_min_expiry = 60;
    std::vector<std::string> mailboxes;
    bool aggregate_mwi = true;
    bool mwi_subscribe_replaces_unsolicited = false;
    std::string mwi_from_user;
    std::string voicemail_extension;
    std::vector<unsigned> call_group;  ///< numbers 0..63, ranges spread out
    std::vector<unsigned> pickup_group;
    std::vector<std::string> named_call_group;
    std::vector<std::string> named_pickup_group;
    int device_state_busy_at = 0;  ///< 0: never busy by count

    // Access.
    AccessRules access;            ///< permit/deny
    std::vector<std::string> acl;  ///< names of acl objects that must allow as well
    AccessRules contact_access;    ///< contact_permit/contact_deny
    std::vector<std::string> contact_acl;

    /// Every option of the section as written, last wins on look-up.
    std::vector<RawOption> raw;
    /// `raw` by name: what PJSIP_ENDPOINT(ep,field) gives. A set_var's name works too, as do the
    /// wizard's `@hint_exten`. Options that were not written give their default's text.
    std::optional<std::string> field(std::string_view name) const;
};

}  // namespace strowger::pbx::config
