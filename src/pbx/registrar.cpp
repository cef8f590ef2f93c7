#include "pbx/registrar.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "wire/sip/contact.hpp"
#include "wire/sip/date.hpp"
#include "wire/sip/uri.hpp"

namespace strowger::pbx {

namespace {

using sip::HeaderId;

std::uint32_t expiry_of(std::string_view text, std::uint32_t otherwise) {
    // Section 20.19: a malformed value counts as 3600; here, as no wish.
    return parse_number<std::uint32_t>(text).value_or(otherwise);
}

std::uint32_t seconds_left(const Contact& contact, std::uint32_t if_static, Time now) {
    if (contact.expires == Time::max()) return if_static;
    const auto left = std::chrono::ceil<std::chrono::seconds>(contact.expires - now).count();
    return static_cast<std::uint32_t>(std::max<std::int64_t>(left, 0));
}

// A value that goes into a header line of ours: folds become blanks.
std::string one_line(std::string_view value) {
    std::string line(value);
    std::replace_if(
        line.begin(), line.end(), [](char c) { return c == '\r' || c == '\n' || c == '\0'; }, ' ');
    return line;
}

// Section 19.1.4, with the frequent case of the same text first.
bool same_uri(const sip::Uri& uri, std::string_view text, std::string_view other) {
    if (text == other) return true;
    const auto parsed = sip::Uri::parse(other);
    return parsed && sip::equivalent(uri, *parsed);
}

// A contact that names its host is not judged: who owns the name may point it anywhere.
bool permitted(const sip::Uri& uri, const std::vector<const config::AccessRules*>& rules) {
    const auto ip = IpAddress::parse(uri.host);
    return !ip || std::all_of(rules.begin(), rules.end(),
                              [&](const auto* rule) { return rule->allows(*ip); });
}

}  // namespace

void Registrar::append_date(std::string& out, WallTime wall_now) {
    const auto second = std::chrono::floor<std::chrono::seconds>(wall_now);
    if (date_.empty() || dated_ != second) {
        dated_ = second;
        date_ = fmt::format("Date: {}\r\n", sip::date_text(second));
    }
    out += date_;
}

struct Registrar::Update {
    std::string uri;
    std::string instance;
    std::uint32_t reg_id;
    std::uint32_t expires;
    /// The bindings that it refreshes, replaces or removes: the one with that URI, and an older one
    /// of the same flow of the same phone (RFC 5626 section 6).
    std::vector<std::string> known;
};

std::string rewritten_contact(std::string_view text, const sip::Flow& flow) {
    const auto uri = sip::Uri::parse(text);
    if (!uri || uri->scheme == "tel") return std::string(text);
    std::string result(uri->scheme);
    result += ':';
    if (!uri->user.empty()) {
        result += uri->user;
        result += '@';
    }
    result += flow.remote.text();
    // Keep the parameters, but the transport is the one that was really used. A phone that wrote
    // transport=udp looks for it in the answer (section 19.1.4: with and without are different
    // URIs).
    bool names_transport = flow.transport != sip::Transport::udp;
    for (const auto parameter : split(uri->parameters, ';')) {
        if (parameter.empty()) continue;
        if (iequals(trim(split_once(parameter, '=').first), "transport")) {
            names_transport = true;
            continue;
        }
        (result += ';') += parameter;
    }
    if (names_transport) (result += ";transport=") += uri_name(flow.transport);
    return result;
}

Registrar::Reply Registrar::process(const sip::Message& request, const std::string& aor,
                                    const RegistrationPolicy& policy, const sip::Flow& flow,
                                    Time now, WallTime wall_now) {
    if (policy.max_contacts == 0) return refuse(403);
    const auto expires_header = request.header(HeaderId::expires);
    const auto common_wish = expires_header ? expiry_of(*expires_header, policy.default_expiration)
                                            : policy.default_expiration;
    const auto paths =
        policy.support_path ? request.values(HeaderId::path) : std::vector<std::string_view>{};
    if (paths.size() > max_path) return refuse(400);

    // Everything is checked before anything changes (section 10.3 step 7: all or nothing).
    const auto& current = location_.contacts(aor);
    std::vector<Update> updates;
    bool wildcard = false;
    for (const auto value : request.values(HeaderId::contact)) {
        if (updates.size() == max_contacts_in_request) return refuse(400);
        const auto contact = sip::Contact::parse(value);
        if (!contact) return refuse(400);
        if (contact->wildcard) {
            wildcard = true;
            continue;
        }
        const auto text = contact->address.uri;
        const auto uri = sip::Uri::parse(text);
        if (!uri || text.size() > max_contact_length || iequals(uri->scheme, "tel"))
            return refuse(400);
        if (!permitted(*uri, policy.contact_access)) return refuse(403);
        Update update;
        // Neither too short nor too long is refused: the phone reads in the answer what it got.
        update.expires = contact->expires.value_or(common_wish);
        if (update.expires != 0)
            update.expires =
                std::clamp(update.expires, policy.minimum_expiration, policy.maximum_expiration);
        update.uri = policy.rewrite_contact ? rewritten_contact(text, flow) : std::string(text);
        update.instance = contact->instance;
        update.reg_id = contact->reg_id.value_or(0);
        const auto stored = sip::Uri::parse(update.uri);
        if (!stored) return refuse(400);
        for (const auto& known : current) {
            const bool same_flow = update.reg_id != 0 && !update.instance.empty() &&
                                   known.reg_id == update.reg_id &&
                                   known.instance == update.instance;
            if (known.is_static || (!same_flow && !same_uri(*stored, update.uri, known.uri)))
                continue;
            // Step 7: out of order. The same number again is a copy of a request that was answered
            // before, and is answered alike.
            if (known.call_id == request.call_id() && request.cseq() < known.cseq)
                return refuse(500);
            update.known.push_back(known.uri);
        }
        updates.push_back(std::move(update));
    }
    if (wildcard) {
        if (!updates.empty() || !expires_header || trim(*expires_header) != "0") return refuse(400);
        return remove_all(request, aor, now, wall_now);
    }
    auto to_remove = room_for(current, updates, policy);
    if (!to_remove) return refuse(403);

    Reply reply;
    for (const auto& uri : *to_remove) reply.changed |= location_.unbind(aor, uri);
    for (auto& update : updates) {
        reply.changed = true;
        for (const auto& known : update.known)
            if (update.expires == 0 || known != update.uri) location_.unbind(aor, known);
        if (update.expires == 0) continue;
        Contact contact;
        contact.uri = std::move(update.uri);
        contact.instance = std::move(update.instance);
        contact.reg_id = update.reg_id;
        contact.call_id = request.call_id();
        contact.cseq = request.cseq();
        contact.user_agent =
            one_line(request.header(HeaderId::user_agent).value_or("").substr(0, max_user_agent));
        contact.flow = flow;
        contact.registered = now;
        contact.expires = now + std::chrono::seconds{update.expires};
        for (const auto path : paths) contact.path.push_back(one_line(path));
        if (policy.qualify_frequency > Duration::zero()) {
            contact.reach = Contact::Reach::unknown;
            contact.qualify_due = now;
        }
        location_.bind(aor, std::move(contact));
    }
    reply.headers = list_contacts(aor, now);
    if (!updates.empty())
        fmt::format_to(std::back_inserter(reply.headers), "Expires: {}\r\n",
                       updates.back().expires);
    for (const auto path : paths)  // RFC 3327 section 5.3
        fmt::format_to(std::back_inserter(reply.headers), "Path: {}\r\n", one_line(path));
    append_date(reply.headers, wall_now);
    return reply;
}

// Section 10.3 step 6.
Registrar::Reply Registrar::remove_all(const sip::Message& request, const std::string& aor,
                                       Time now, WallTime wall_now) {
    std::vector<std::string> uris;
    for (const auto& contact : location_.contacts(aor)) {
        if (contact.is_static) continue;
        if (contact.call_id == request.call_id() && request.cseq() < contact.cseq)
            return refuse(500);
        uris.push_back(contact.uri);
    }
    for (const auto& uri : uris) location_.unbind(aor, uri);
    Reply reply{200, list_contacts(aor, now), !uris.empty()};
    append_date(reply.headers, wall_now);
    return reply;
}

std::optional<std::vector<std::string>> Registrar::room_for(const Location::Contacts& current,
                                                            const std::vector<Update>& updates,
                                                            const RegistrationPolicy& policy) {
    const auto is_mentioned = [&](const std::string& uri) {
        return std::any_of(updates.begin(), updates.end(), [&](const Update& update) {
            return std::find(update.known.begin(), update.known.end(), uri) != update.known.end();
        });
    };
    std::vector<const Contact*> others;
    for (const auto& contact : current)
        if (!contact.is_static && !is_mentioned(contact.uri)) others.push_back(&contact);
    std::vector<std::string_view> staying;
    for (const auto& update : updates)
        if (update.expires != 0 &&
            std::find(staying.begin(), staying.end(), update.uri) == staying.end())
            staying.push_back(update.uri);

    std::vector<std::string> dropped;
    if (staying.empty() || others.size() + staying.size() <= policy.max_contacts) return dropped;
    if (staying.size() > policy.max_contacts) return std::nullopt;
    if (!policy.remove_existing && !policy.remove_unavailable) return std::nullopt;
    std::stable_sort(others.begin(), others.end(), [&](const Contact* a, const Contact* b) {
        if (policy.remove_unavailable && a->available() != b->available()) return !a->available();
        return a->expires < b->expires;
    });
    const auto excess = others.size() + staying.size() - policy.max_contacts;
    for (std::size_t i = 0; i < excess; ++i) {
        if (!policy.remove_existing && others[i]->available()) return std::nullopt;
        dropped.push_back(others[i]->uri);
    }
    return dropped;
}

std::string Registrar::list_contacts(const std::string& aor, Time now) const {
    std::string lines;
    for (const auto& contact : location_.contacts(aor))
        fmt::format_to(std::back_inserter(lines), "Contact: <{}>;expires={}\r\n", contact.uri,
                       seconds_left(contact, 3600, now));
    return lines;
}

}  // namespace strowger::pbx
