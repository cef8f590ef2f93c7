#include "pbx/config/endpoint.hpp"

#include <fmt/ranges.h>

#include <algorithm>

#include "pbx/config/codecs.hpp"
#include "pbx/config/schemas.hpp"

namespace strowger::pbx::config {

CallerId CallerId::parse(std::string_view text) {
    text = trim(text);
    CallerId id;
    const auto open = text.rfind('<');
    if (open == std::string_view::npos) {
        // A bare number, or a bare name.
        const bool number = !text.empty() && text.find_first_not_of("0123456789+*#") == text.npos;
        (number ? id.number : id.name) = text;
    } else {
        const auto close = text.find('>', open);
        id.number = trim(text.substr(open + 1, close == text.npos ? close : close - open - 1));
        id.name = trim(text.substr(0, open));
    }
    if (id.name.size() >= 2 && id.name.front() == '"' && id.name.back() == '"')
        id.name = id.name.substr(1, id.name.size() - 2);
    return id;
}

namespace {

// "1,3-5" as numbers; Asterisk has the groups 0 to 63.
Result<> take_groups(std::vector<unsigned>& groups, std::string_view value) {
    static constexpr unsigned highest = 63;
    groups.clear();
    for (const auto part : split(value, ',')) {
        if (trim(part).empty()) continue;
        const auto [low_text, high_text] = split_once(part, '-');
        const auto low = parse_number<unsigned>(trim(low_text));
        const auto high = trim(high_text).empty() ? low : parse_number<unsigned>(trim(high_text));
        if (!low || !high || *low > *high || *high > highest)
            return fail("expected groups from 0 to {}, got '{}'", highest, trim(part));
        for (auto group = *low; group <= *high; ++group) groups.push_back(group);
    }
    return {};
}

Result<> take_variable(Endpoint& endpoint, std::string_view value) {
    const auto [name, text] = split_once(value, '=');
    if (trim(name).empty() || value.find('=') == std::string_view::npos)
        return fail("expected NAME=value, got '{}'", value);
    for (auto& [known, old] : endpoint.set_var)
        if (known == trim(name)) {
            old = text;
            return {};
        }
    endpoint.set_var.emplace_back(trim(name), text);
    return {};
}

Result<> take_identify_by(Endpoint& endpoint, std::string_view value) {
    static constexpr std::pair<std::string_view, IdentifyBy> words[] = {
        {"username", IdentifyBy::username},
        {"auth_username", IdentifyBy::auth_username},
        {"ip", IdentifyBy::ip},
        {"header", IdentifyBy::header},
        {"request_uri", IdentifyBy::request_uri}};
    endpoint.identify_by.clear();
    for (const auto part : split(value, ',')) {
        const auto found = std::find_if(std::begin(words), std::end(words), [&](const auto& word) {
            return iequals(word.first, trim(part));
        });
        if (found == std::end(words))
            return fail("expected username, auth_username, ip, header or request_uri, got '{}'",
                        trim(part));
        endpoint.identify_by.push_back(found->second);
    }
    return {};
}

Schema<Endpoint>& routing(Schema<Endpoint>& schema) {
    using E = Endpoint;
    using R = Redirect;
    return schema.text("context", &E::context)
        .text("message_context", &E::message_context)
        .text("subscribe_context", &E::subscribe_context)
        .list("aors", &E::aors)
        .list("auth", &E::auth)
        .list("outbound_auth", &E::outbound_auth)
        .text("outbound_proxy", &E::outbound_proxy)
        .text("transport", &E::transport)
        .on("identify_by", take_identify_by)
        .on("callerid",
            [](E& e, std::string_view value) -> Result<> {
                e.callerid = CallerId::parse(value);
                return {};
            })
        .text("callerid_privacy", &E::callerid_privacy)
        .text("callerid_tag", &E::callerid_tag)
        .text("from_user", &E::from_user)
        .text("from_domain", &E::from_domain)
        .text("contact_user", &E::contact_user)
        .boolean("trust_id_inbound", &E::trust_id_inbound)
        .boolean("trust_id_outbound", &E::trust_id_outbound)
        .boolean("send_pai", &E::send_pai)
        .boolean("send_rpid", &E::send_rpid)
        .boolean("rpid_immediate", &E::rpid_immediate)
        .boolean("send_diversion", &E::send_diversion)
        .boolean("send_connected_line", &E::send_connected_line)
        .boolean("trust_connected_line", &E::trust_connected_line)
        .text("connected_line_method", &E::connected_line_method)
        .text("accountcode", &E::accountcode)
        .on("set_var", take_variable)
        .text("language", &E::language)
        .text("tone_zone", &E::tone_zone)
        .boolean("user_eq_phone", &E::user_eq_phone)
        .boolean("allow_overlap", &E::allow_overlap)
        .choice<R>("redirect_method", &E::redirect_method,
                   {{"user", R::user}, {"uri_core", R::uri_core}, {"uri_pjsip", R::uri_pjsip}});
}

Schema<Endpoint>& media(Schema<Endpoint>& schema) {
    using E = Endpoint;
    using D = DtmfMode;
    static constexpr int day = 86400;
    return schema
        .on("allow",
            [](E& e, std::string_view value) { return apply_codecs(e.codecs, value, true); })
        .on("disallow",
            [](E& e, std::string_view value) { return apply_codecs(e.codecs, value, false); })
        .boolean("direct_media", &E::direct_media)
        .text("direct_media_method", &E::direct_media_method)
        .text("direct_media_glare_mitigation", &E::direct_media_glare_mitigation)
        .boolean("disable_direct_media_on_nat", &E::disable_direct_media_on_nat)
        .boolean("rtp_symmetric", &E::rtp_symmetric)
        .boolean("bind_rtp_to_media_address", &E::bind_rtp_to_media_address)
        .text("media_address", &E::media_address)
        .boolean("rtp_ipv6", &E::rtp_ipv6)
        .number("rtp_timeout", &E::rtp_timeout, 0, day)
        .number("rtp_timeout_hold", &E::rtp_timeout_hold, 0, day)
        .number("rtp_keepalive", &E::rtp_keepalive, 0, day)
        .boolean("use_ptime", &E::use_ptime)
        .choice<D>("dtmf_mode", &E::dtmf_mode,
                   {{"rfc4733", D::rfc4733},
                    {"rfc2833", D::rfc4733},
                    {"inband", D::inband},
                    {"info", D::info},
                    {"auto", D::automatic},
                    {"auto_info", D::auto_info},
                    {"none", D::none}})
        .boolean("inband_progress", &E::inband_progress)
        .tos("tos_audio", &E::tos_audio)
        .number("cos_audio", &E::cos_audio, 0, 7)
        .tos("tos_video", &E::tos_video)
        .number("cos_video", &E::cos_video, 0, 7)
        .text("moh_suggest", &E::moh_suggest)
        .boolean("moh_passthrough", &E::moh_passthrough)
        .number("max_audio_streams", &E::max_audio_streams, 0, 64)
        .number("max_video_streams", &E::max_video_streams, 0, 64)
        .boolean("t38_udptl", &E::t38_udptl)
        .text("t38_udptl_ec", &E::t38_udptl_ec)
        .number("t38_udptl_maxdatagram", &E::t38_udptl_maxdatagram, 0, 65535)
        .boolean("t38_udptl_nat", &E::t38_udptl_nat)
        .boolean("fax_detect", &E::fax_detect)
        .number("fax_detect_timeout", &E::fax_detect_timeout, 0, day)
        .boolean("preferred_codec_only", &E::preferred_codec_only)
        .text("sdp_owner", &E::sdp_owner)
        .text("sdp_session", &E::sdp_session)
        .boolean("g726_non_standard", &E::g726_non_standard)
        .boolean("asymmetric_rtp_codec", &E::asymmetric_rtp_codec)
        .text("rtp_engine", &E::rtp_engine)
        .ignore({"codec_prefs_incoming_offer", "codec_prefs_outgoing_offer",
                 "codec_prefs_incoming_answer", "codec_prefs_outgoing_answer",
                 "incoming_call_offer_pref", "outgoing_call_offer_pref",
                 "t38_bind_udptl_to_media_address", "geoloc_incoming_call_profile",
                 "geoloc_outgoing_call_profile", "stir_shaken", "stir_shaken_profile",
                 "overlap_context", "security_negotiation", "security_mechanisms", "tenantid"});
}

Schema<Endpoint>& security(Schema<Endpoint>& schema) {
    using E = Endpoint;
    using M = MediaEncryption;
    using V = DtlsVerify;
    using S = DtlsSetup;
    return schema
        .choice<M>("media_encryption", &E::media_encryption,
                   {{"no", M::none}, {"none", M::none}, {"sdes", M::sdes}, {"dtls", M::dtls}})
        .boolean("media_encryption_optimistic", &E::media_encryption_optimistic)
        .boolean("srtp_tag_32", &E::srtp_tag_32)
        .text("dtls_cert_file", &E::dtls_cert_file)
        .text("dtls_private_key", &E::dtls_private_key)
        .text("dtls_ca_file", &E::dtls_ca_file)
        .text("dtls_ca_path", &E::dtls_ca_path)
        .text("dtls_cipher", &E::dtls_cipher)
        .choice<V>("dtls_verify", &E::dtls_verify,
                   {{"no", V::none},
                    {"yes", V::both},
                    {"fingerprint", V::fingerprint},
                    {"certificate", V::certificate}})
        .choice<S>("dtls_setup", &E::dtls_setup,
                   {{"active", S::active}, {"passive", S::passive}, {"actpass", S::actpass}})
        .text("dtls_fingerprint", &E::dtls_fingerprint)
        .number("dtls_rekey", &E::dtls_rekey, 0, 86400)
        .boolean("dtls_auto_generate_cert", &E::dtls_auto_generate_cert)
        .boolean("ice_support", &E::ice_support)
        .boolean("use_avpf", &E::use_avpf)
        .boolean("force_avp", &E::force_avp)
        .boolean("rtcp_mux", &E::rtcp_mux)
        .boolean("bundle", &E::bundle)
        .boolean("media_use_received_transport", &E::media_use_received_transport)
        .boolean("webrtc", &E::webrtc)
        .boolean("force_rport", &E::force_rport)
        .boolean("rewrite_contact", &E::rewrite_contact)
        .rule("permit", &E::access, true)
        .rule("deny", &E::access, false)
        .growing_list("acl", &E::acl)
        .rule("contact_permit", &E::contact_access, true)
        .rule("contact_deny", &E::contact_access, false)
        .growing_list("contact_acl", &E::contact_acl)
        .boolean("allow_unauthenticated_options", &E::allow_unauthenticated_options);
}

Schema<Endpoint>& session(Schema<Endpoint>& schema) {
    using E = Endpoint;
    using T = SessionTimers;
    using R = Reliable;
    return schema
        .choice<T>("timers", &E::timers,
                   {{"no", T::no},
                    {"yes", T::yes},
                    {"required", T::required},
                    {"always", T::always},
                    {"forced", T::always}})
        .number("timers_min_se", &E::timers_min_se, 90,
                86400)  // RFC 4028 section 5: never below 90
        .number("timers_sess_expires", &E::timers_sess_expires, 90, 604800)
        .choice<R>("100rel", &E::rel100,
                   {{"no", R::no},
                    {"yes", R::yes},
                    {"required", R::required},
                    {"peer_supported", R::peer_supported}})
        .boolean("allow_transfer", &E::allow_transfer)
        .boolean("refer_blind_progress", &E::refer_blind_progress)
        .boolean("notify_early_inuse_ringing", &E::notify_early_inuse_ringing)
        .boolean("one_touch_recording", &E::one_touch_recording)
        .text("record_on_feature", &E::record_on_feature)
        .text("record_off_feature", &E::record_off_feature)
        .boolean("follow_early_media_fork", &E::follow_early_media_fork)
        .boolean("accept_multiple_sdp_answers", &E::accept_multiple_sdp_answers)
        .boolean("ignore_183_without_sdp", &E::ignore_183_without_sdp)
        .boolean("suppress_q850_reason_headers", &E::suppress_q850_reason_headers)
        .boolean("allow_subscribe", &E::allow_subscribe)
        .number("sub_min_expiry", &E::sub_min_expiry, 0, 86400)
        .list("mailboxes", &E::mailboxes)
        .boolean("aggregate_mwi", &E::aggregate_mwi)
        .boolean("mwi_subscribe_replaces_unsolicited", &E::mwi_subscribe_replaces_unsolicited)
        .text("mwi_from_user", &E::mwi_from_user)
        .text("voicemail_extension", &E::voicemail_extension)
        .on("call_group", [](E& e, std::string_view v) { return take_groups(e.call_group, v); })
        .on("pickup_group", [](E& e, std::string_view v) { return take_groups(e.pickup_group, v); })
        .list("named_call_group", &E::named_call_group)
        .list("named_pickup_group", &E::named_pickup_group)
        .number("device_state_busy_at", &E::device_state_busy_at, 0, 100'000);
}

// What PJSIP_ENDPOINT gives for an option that nobody wrote.
std::optional<std::string> default_text(std::string_view name) {
    static const std::pair<std::string_view, std::string_view> texts[] = {
        {"context", "default"},
        {"identify_by", "username,ip"},
        {"send_diversion", "yes"},
        {"send_connected_line", "yes"},
        {"trust_connected_line", "yes"},
        {"connected_line_method", "invite"},
        {"allow_overlap", "yes"},
        {"redirect_method", "user"},
        {"direct_media", "yes"},
        {"direct_media_method", "invite"},
        {"dtmf_mode", "rfc4733"},
        {"moh_suggest", "default"},
        {"max_audio_streams", "1"},
        {"max_video_streams", "1"},
        {"t38_udptl_ec", "none"},
        {"sdp_owner", "-"},
        {"sdp_session", "Asterisk"},
        {"rtp_engine", "asterisk"},
        {"media_encryption", "no"},
        {"dtls_verify", "no"},
        {"dtls_setup", "active"},
        {"dtls_fingerprint", "SHA-256"},
        {"force_rport", "yes"},
        {"timers", "yes"},
        {"timers_min_se", "90"},
        {"timers_sess_expires", "1800"},
        {"100rel", "yes"},
        {"allow_transfer", "yes"},
        {"refer_blind_progress", "yes"},
        {"follow_early_media_fork", "yes"},
        {"allow_subscribe", "yes"},
        {"sub_min_expiry", "60"},
        {"aggregate_mwi", "yes"},
        {"device_state_busy_at", "0"},
        {"rtp_timeout", "0"},
        {"rtp_timeout_hold", "0"},
        {"rtp_keepalive", "0"},
        {"dtls_rekey", "0"},
        {"tos_audio", "0"},
        {"cos_audio", "0"},
        {"tos_video", "0"},
        {"cos_video", "0"},
        {"record_on_feature", "automixmon"},
        {"record_off_feature", "automixmon"},
        {"callerid_privacy", "allowed_not_screened"}};
    for (const auto& [key, text] : texts)
        if (iequals(key, name)) return std::string(text);
    static const std::vector<std::string_view> switches{"trust_id_inbound",
                                                        "trust_id_outbound",
                                                        "send_pai",
                                                        "send_rpid",
                                                        "rpid_immediate",
                                                        "user_eq_phone",
                                                        "rtp_symmetric",
                                                        "bind_rtp_to_media_address",
                                                        "rtp_ipv6",
                                                        "use_ptime",
                                                        "inband_progress",
                                                        "moh_passthrough",
                                                        "t38_udptl",
                                                        "t38_udptl_nat",
                                                        "fax_detect",
                                                        "preferred_codec_only",
                                                        "g726_non_standard",
                                                        "asymmetric_rtp_codec",
                                                        "media_encryption_optimistic",
                                                        "srtp_tag_32",
                                                        "dtls_auto_generate_cert",
                                                        "ice_support",
                                                        "use_avpf",
                                                        "force_avp",
                                                        "rtcp_mux",
                                                        "bundle",
                                                        "media_use_received_transport",
                                                        "webrtc",
                                                        "rewrite_contact",
                                                        "one_touch_recording",
                                                        "accept_multiple_sdp_answers",
                                                        "ignore_183_without_sdp",
                                                        "suppress_q850_reason_headers",
                                                        "notify_early_inuse_ringing",
                                                        "allow_unauthenticated_options"};
    for (const auto key : switches)
        if (iequals(key, name)) return std::string("no");
    if (endpoint_schema().knows(name)) return std::string{};
    return std::nullopt;
}

}  // namespace

const Schema<Endpoint>& endpoint_schema() {
    static const auto schema = [] {
        Schema<Endpoint> made;
        session(security(media(routing(made))));
        return made;
    }();
    return schema;
}

void complete(Endpoint& endpoint) {
    if (!endpoint.webrtc) return;
    endpoint.bundle = true;
    endpoint.rtcp_mux = true;
    endpoint.use_avpf = true;
    endpoint.ice_support = true;
    endpoint.media_use_received_transport = true;
    endpoint.media_encryption = MediaEncryption::dtls;
    endpoint.dtls_setup = DtlsSetup::actpass;
    endpoint.dtls_verify = DtlsVerify::fingerprint;
    if (endpoint.dtls_cert_file.empty()) endpoint.dtls_auto_generate_cert = true;
}

std::optional<std::string> Endpoint::field(std::string_view name) const {
    for (auto option = raw.rbegin(); option != raw.rend(); ++option)
        if (iequals(option->key, name) && !iequals(name, "set_var"))
            return std::string(option->value);
    for (const auto& [variable, value] : set_var)
        if (variable == name) return value;
    if (iequals(name, "aors") || iequals(name, "auth") || iequals(name, "outbound_auth")) {
        const auto& words = iequals(name, "aors")   ? aors
                            : iequals(name, "auth") ? auth
                                                    : outbound_auth;
        return fmt::format("{}", fmt::join(words, ","));
    }
    return default_text(name);
}

}  // namespace strowger::pbx::config
