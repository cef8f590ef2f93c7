#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "pbx/bridge.hpp"
#include "pbx/sip_channel.hpp"
#include "wire/sip/uri.hpp"

/// Who calls, who answers, and who sent the call here, in both directions: From,
/// P-Asserted-Identity (RFC 3325), Remote-Party-ID, Privacy (RFC 3323) and Diversion (RFC 5806).
namespace strowger::pbx {

namespace {

using sip::HeaderId;
using sip::Method;

constexpr std::string_view anonymous = "\"Anonymous\" <sip:anonymous@anonymous.invalid>";

// Quoted, with what would end the quotes escaped; empty stays empty.
std::string quoted_name(std::string_view name) {
    if (name.empty()) return {};
    std::string text = "\"";
    for (const char c : name) {
        if (c == '"' || c == '\\') text += '\\';
        if (static_cast<unsigned char>(c) >= 0x20) text += c;
    }
    return text + "\" ";
}

PartyId party_of(std::string_view name_address) {
    PartyId id;
    const auto address = sip::NameAddress::parse(name_address);
    if (!address) return id;
    id.name = address->display_text();
    if (const auto uri = sip::Uri::parse(address->uri)) id.number = sip::unescape(uri->user);
    return id;
}

// "prohib..." and "unavailable" of callerid_privacy.
bool hides(std::string_view presentation) {
    return istarts_with(presentation, "prohib") || iequals(presentation, "unavailable");
}

// A number as a telephone has it, for user=phone (RFC 3261 section 19.1.1).
bool is_telephone_number(std::string_view user) {
    const auto digits = user.starts_with('+') ? user.substr(1) : user;
    return !digits.empty() && digits.find_first_not_of("0123456789*#") == std::string_view::npos;
}

// What REDIRECTING(reason) and Diversion (RFC 5806 section 4) call the same thing.
constexpr std::array<std::pair<std::string_view, std::string_view>, 11> reasons{{
    {"cfb", "user-busy"},
    {"cfnr", "no-answer"},
    {"unavailable", "unavailable"},
    {"cfu", "unconditional"},
    {"time_of_day", "time-of-day"},
    {"dnd", "do-not-disturb"},
    {"deflection", "deflection"},
    {"follow_me", "follow-me"},
    {"out_of_order", "out-of-service"},
    {"away", "away"},
    {"unknown", "unknown"},
}};

std::string_view without_quotes(std::string_view text) {
    text = trim(text);
    if (text.size() >= 2 && text.front() == '"' && text.back() == '"')
        text = text.substr(1, text.size() - 2);
    return text;
}

// More than a call can have been through; a peer's counter beyond it is noise.
constexpr unsigned max_diversions = 99;

}  // namespace

void SipChannel::learn_caller(const sip::Message& invite) {
    caller = party_of(invite.from());
    (void)learn_party(invite);
    const auto& configured = endpoint_->callerid;
    if (!configured.number.empty()) caller.number = configured.number;
    if (!configured.name.empty()) caller.name = configured.name;
    if (const auto privacy = invite.header(HeaderId::privacy)) {
        for (const auto word : split(*privacy, ';')) {
            const auto value = trim(word);
            caller.restricted |=
                iequals(value, "id") || iequals(value, "user") || iequals(value, "header");
        }
    }
    caller.restricted |= hides(endpoint_->callerid_privacy);
}

// The identity that a trusted peer asserts in a request or response; true when there is one.
bool SipChannel::learn_party(const sip::Message& message) {
    if (!endpoint_->trust_id_inbound) return false;
    for (const auto id : {HeaderId::p_asserted_identity, HeaderId::remote_party_id}) {
        const auto value = message.header(id);
        if (!value) continue;
        auto told = party_of(*value);
        if (told.number.empty() && told.name.empty()) continue;
        if (id == HeaderId::remote_party_id) {
            const auto address = sip::NameAddress::parse(*value);
            const auto privacy = address ? address->parameter("privacy") : std::nullopt;
            told.restricted = privacy && !iequals(*privacy, "off");
        } else if (const auto privacy = message.header(HeaderId::privacy)) {
            told.restricted = privacy->find("id") != std::string_view::npos;
        }
        caller = std::move(told);
        return true;
    }
    return false;
}

void SipChannel::learn_redirecting(const sip::Message& message) {
    // The topmost is the newest, the last one who was called first.
    std::optional<std::string_view> first, last;
    unsigned lines = 0;
    for (const auto& header : message.headers()) {
        if (!iequals(header.name, "Diversion")) continue;
        if (!first) first = header.value;
        last = header.value;
        ++lines;
    }
    if (!first) {
        redirecting.reason = message.is_request() ? "unknown" : "cfu";
        return;
    }
    redirecting.from = party_of(*first);
    redirecting.original = party_of(*last);
    redirecting.count = lines;
    const auto address = sip::NameAddress::parse(*first);
    if (!address) return;
    const auto reason = without_quotes(address->parameter("reason").value_or("unknown"));
    redirecting.reason = "unknown";
    for (const auto& [ours, theirs] : reasons)
        if (iequals(theirs, reason)) redirecting.reason = ours;
    if (const auto counter = parse_number<unsigned>(address->parameter("counter").value_or("")))
        redirecting.count = std::clamp(*counter, 1U, max_diversions);
    const auto privacy = address->parameter("privacy");
    redirecting.from.restricted = privacy && !iequals(without_quotes(*privacy), "off");
}

// `"Name" <sip:number@host>`.
std::string SipChannel::address_of(const PartyId& id, std::string_view host) const {
    const bool phone = endpoint_->user_eq_phone && is_telephone_number(id.number);
    return fmt::format("{}<sip:{}@{}{}>", quoted_name(id.name), sip::escape_user(id.number), host,
                       phone ? ";user=phone" : "");
}

std::string SipChannel::from_header(std::string_view host) const {
    const bool asserted = endpoint_->send_pai || endpoint_->send_rpid;
    if (connected.restricted && (!endpoint_->trust_id_outbound || asserted))
        return std::string(anonymous);
    PartyId id = connected;
    if (!endpoint_->from_user.empty()) id.number = endpoint_->from_user;
    if (id.number.empty()) id.number = core().config->global.default_from_user;
    return address_of(id, host);
}

// What a trusted peer is told; one that is not trusted learns nothing that is to be hidden.
sip::HeaderLines SipChannel::identity(const PartyId& id, std::string_view host,
                                      std::string_view party) const {
    sip::HeaderLines lines;
    if (id.restricted && party == "calling") lines.push_back({"Privacy", "id"});
    if (id.number.empty() || (id.restricted && !endpoint_->trust_id_outbound)) return lines;
    if (endpoint_->send_pai) lines.push_back({"P-Asserted-Identity", address_of(id, host)});
    if (endpoint_->send_rpid)
        lines.push_back({"Remote-Party-ID",
                         fmt::format("{};party={};privacy={};screen=no", address_of(id, host),
                                     party, id.restricted ? "full" : "off")});
    return lines;
}

sip::HeaderLines SipChannel::diversion(std::string_view host) const {
    const auto& from = redirecting.from;
    if (!endpoint_->send_diversion || from.number.empty()) return {};
    if (from.restricted && !endpoint_->trust_id_outbound) return {};
    std::string_view reason = "unknown";
    for (const auto& [ours, theirs] : reasons)
        if (iequals(ours, redirecting.reason)) reason = theirs;
    return {{"Diversion", fmt::format("{};reason={};counter={};privacy={}", address_of(from, host),
                                      reason, std::clamp(redirecting.count, 1U, max_diversions),
                                      from.restricted ? "full" : "off")}};
}

// Of a provisional response: whatever the dialplan added, and with rpid_immediate who is called.
sip::HeaderLines SipChannel::response_headers() const {
    auto lines = extra_headers;
    if (!endpoint_->rpid_immediate || state() == ChannelState::up) return lines;
    for (auto& line : identity(connected, session_->flow().local.ip.host_text(), "called"))
        lines.push_back(std::move(line));
    return lines;
}

void SipChannel::call_forwarded() {
    if (hung_up() || !is_caller_ || state() == ChannelState::up || !endpoint_->send_diversion)
        return;
    auto lines = diversion(session_->flow().local.ip.host_text());
    if (lines.empty()) return;
    (void)session_->ring(181, {}, core().now(), lines);
    drain();
}

// An UPDATE or re-INVITE says that somebody else is there now.
void SipChannel::party_changed(const sip::Message& message) {
    if (!endpoint_->trust_connected_line) return;
    const auto before = caller;
    if (!learn_party(message)) return;
    if (caller.number == before.number && caller.name == before.name) return;
    caller_changed();
    if (const auto peer = bridge ? bridge->peer_of(*this) : nullptr) {
        peer->connected = caller;
        peer->connected_line_changed();
    }
}

void SipChannel::connected_line_changed() {
    if (!endpoint_->send_connected_line || hung_up() || !session_ || connected.number.empty())
        return;
    const bool asserts = endpoint_->send_pai || endpoint_->send_rpid;
    if (!asserts || (connected.restricted && !endpoint_->trust_id_outbound)) return;
    const auto now = core().now();
    const auto lines = identity(connected, session_->flow().local.ip.host_text(), "called");
    // Before the answer a caller hears of it in the next response.
    if (is_caller_ && !is_up()) {
        if (endpoint_->rpid_immediate && rang_) (void)session_->ring(180, {}, now, lines);
    } else if (session_->peer_allows(Method::update) ||
               iequals(endpoint_->connected_line_method, "update")) {
        (void)session_->update({}, now, lines);
    } else if (is_up() && !local_sdp_.empty()) {
        (void)session_->reinvite(local_sdp_, now, lines);
    }
    drain();
}

}  // namespace strowger::pbx
