#include <array>
#include <cstddef>
#include <utility>

#include "base/text.hpp"
#include "wire/sip/message.hpp"

namespace strowger::sip {

namespace {

struct Name {
    HeaderId id;
    std::string_view spelling;
};

/// Canonical spellings, in the order of HeaderId.
constexpr std::array names{
    Name{HeaderId::via, "Via"},
    Name{HeaderId::from, "From"},
    Name{HeaderId::to, "To"},
    Name{HeaderId::call_id, "Call-ID"},
    Name{HeaderId::cseq, "CSeq"},
    Name{HeaderId::contact, "Contact"},
    Name{HeaderId::max_forwards, "Max-Forwards"},
    Name{HeaderId::route, "Route"},
    Name{HeaderId::record_route, "Record-Route"},
    Name{HeaderId::path, "Path"},
    Name{HeaderId::service_route, "Service-Route"},
    Name{HeaderId::content_length, "Content-Length"},
    Name{HeaderId::content_type, "Content-Type"},
    Name{HeaderId::authorization, "Authorization"},
    Name{HeaderId::www_authenticate, "WWW-Authenticate"},
    Name{HeaderId::proxy_authorization, "Proxy-Authorization"},
    Name{HeaderId::proxy_authenticate, "Proxy-Authenticate"},
    Name{HeaderId::authentication_info, "Authentication-Info"},
    Name{HeaderId::expires, "Expires"},
    Name{HeaderId::min_expires, "Min-Expires"},
    Name{HeaderId::allow, "Allow"},
    Name{HeaderId::supported, "Supported"},
    Name{HeaderId::require, "Require"},
    Name{HeaderId::proxy_require, "Proxy-Require"},
    Name{HeaderId::unsupported, "Unsupported"},
    Name{HeaderId::accept, "Accept"},
    Name{HeaderId::user_agent, "User-Agent"},
    Name{HeaderId::server, "Server"},
    Name{HeaderId::date, "Date"},
    Name{HeaderId::reason, "Reason"},
    Name{HeaderId::retry_after, "Retry-After"},
    Name{HeaderId::rseq, "RSeq"},
    Name{HeaderId::rack, "RAck"},
    Name{HeaderId::session_expires, "Session-Expires"},
    Name{HeaderId::min_se, "Min-SE"},
    Name{HeaderId::refer_to, "Refer-To"},
    Name{HeaderId::referred_by, "Referred-By"},
    Name{HeaderId::replaces, "Replaces"},
    Name{HeaderId::event, "Event"},
    Name{HeaderId::subscription_state, "Subscription-State"},
    Name{HeaderId::allow_events, "Allow-Events"},
    Name{HeaderId::p_asserted_identity, "P-Asserted-Identity"},
    Name{HeaderId::p_preferred_identity, "P-Preferred-Identity"},
    Name{HeaderId::remote_party_id, "Remote-Party-ID"},
    Name{HeaderId::privacy, "Privacy"},
    Name{HeaderId::diversion, "Diversion"},
    Name{HeaderId::history_info, "History-Info"},
    Name{HeaderId::warning, "Warning"},
    Name{HeaderId::timestamp, "Timestamp"},
    Name{HeaderId::subject, "Subject"},
    Name{HeaderId::organization, "Organization"},
    Name{HeaderId::in_reply_to, "In-Reply-To"},
    Name{HeaderId::alert_info, "Alert-Info"},
    Name{HeaderId::call_info, "Call-Info"},
    Name{HeaderId::error_info, "Error-Info"},
    Name{HeaderId::content_encoding, "Content-Encoding"},
    Name{HeaderId::content_disposition, "Content-Disposition"},
    Name{HeaderId::content_language, "Content-Language"},
    Name{HeaderId::mime_version, "MIME-Version"},
    Name{HeaderId::join, "Join"},
    Name{HeaderId::refer_sub, "Refer-Sub"},
    Name{HeaderId::sip_etag, "SIP-ETag"},
    Name{HeaderId::sip_if_match, "SIP-If-Match"},
    Name{HeaderId::x_asterisk_hangup_cause, "X-Asterisk-HangupCause"},
};

consteval bool in_order() {
    for (std::size_t i = 0; i < names.size(); ++i)
        if (static_cast<std::size_t>(names[i].id) != i + 1) return false;
    return static_cast<std::size_t>(HeaderId::x_asterisk_hangup_cause) == names.size();
}
static_assert(in_order());

/// The compact forms of the IANA registry, for the headers that we know.
constexpr HeaderId compact_form(char letter) {
    switch (lower(letter)) {
        case 'a': return HeaderId::other;  // Accept-Contact
        case 'b': return HeaderId::referred_by;
        case 'c': return HeaderId::content_type;
        case 'e': return HeaderId::content_encoding;
        case 'f': return HeaderId::from;
        case 'i': return HeaderId::call_id;
        case 'k': return HeaderId::supported;
        case 'l': return HeaderId::content_length;
        case 'm': return HeaderId::contact;
        case 'o': return HeaderId::event;
        case 'r': return HeaderId::refer_to;
        case 's': return HeaderId::subject;
        case 't': return HeaderId::to;
        case 'u': return HeaderId::allow_events;
        case 'v': return HeaderId::via;
        case 'x': return HeaderId::session_expires;
        default: return HeaderId::other;
    }
}

/// An open-addressed table made by the compiler: a look-up is one hash of three characters and,
/// for nearly every name, one comparison.
constexpr std::size_t slots = 256;

constexpr std::size_t slot_of(std::string_view name) {
    const auto at = [&](std::size_t i) { return static_cast<std::size_t>(lower(name[i])); };
    return (name.size() * 7 + at(0) * 5 + at(name.size() - 1) * 31 + at(name.size() / 2) * 13) %
           slots;
}

consteval std::array<std::uint8_t, slots> make_table() {
    std::array<std::uint8_t, slots> table{};
    for (std::size_t i = 0; i < names.size(); ++i) {
        auto slot = slot_of(names[i].spelling);
        while (table[slot] != 0) slot = (slot + 1) % slots;
        table[slot] = static_cast<std::uint8_t>(i + 1);
    }
    return table;
}

constexpr auto table = make_table();

}  // namespace

HeaderId header_by_name(std::string_view name) {
    if (name.size() <= 1) return name.empty() ? HeaderId::other : compact_form(name[0]);
    for (auto slot = slot_of(name); table[slot] != 0; slot = (slot + 1) % slots) {
        const auto& candidate = names[table[slot] - 1];
        if (iequals(candidate.spelling, name)) return candidate.id;
    }
    return HeaderId::other;
}

std::string_view name_of(HeaderId id) {
    return id == HeaderId::other ? std::string_view{}
                                 : names[static_cast<std::size_t>(id) - 1].spelling;
}

}  // namespace strowger::sip
