#include "pbx/registrar.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <vector>

#include "wire/sip/uri.hpp"

namespace strowger::pbx {

namespace {

using sip::HeaderId;

std::uint32_t expiry_of(std::string_view text, std::uint32_t otherwise) {
    // Section 20.19: a malformed value counts as 3600; here, as no wish.
    return parse_number<std::uint32_t>(text).value_or(otherwise);
}

void append_date(std::string& out, WallTime wall_now) {
    static constexpr std::array days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr std::array months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const auto whole = static_cast<std::time_t>(
        std::chrono::duration_cast<std::chrono::seconds>(wall_now.time_since_epoch()).count());
    std::tm t{};
    gmtime_r(&whole, &t);
    fmt::format_to(std::back_inserter(out), "Date: {}, {:02} {} {} {:02}:{:02}:{:02} GMT\r\n", days[t.tm_wday],
                   t.tm_mday, months[t.tm_mon], t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
}

std::uint32_t seconds_left(const Contact& contact, std::uint32_t if_static, Time now) {
    if (contact.expires == Time::max()) return if_static;
    const auto left = std::chrono::ceil<std::chrono::seconds>(contact.expires - now).count();
    return static_cast<std::uint32_t>(std::max<std::int64_t>(left, 0));
}

}  // namespace

struct Registrar::Update {
    std::string uri;
    std::string instance;
    std::uint32_t expires;
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
    // Keep the parameters, but the transport is the one that was really used.
    for (const auto parameter : split(uri->parameters, ';')) {
        if (parameter.empty()) continue;
        if (iequals(trim(split_once(parameter, '=').first), "transport")) continue;
        (result += ';') += parameter;
    }
    if (flow.transport != sip::Transport::udp) (result += ";transport=") += uri_name(flow.transport);
    return result;
}

Registrar::Reply Registrar::process(const sip::Message& request, const std::string& aor,
                                    const RegistrationPolicy& policy, const sip::Flow& flow, Time now,
                                    WallTime wall_now) {
    if (policy.max_contacts == 0) return refuse(403);
    const auto expires_header = request.header(HeaderId::expires);
    const auto common_wish =
        expires_header ? expiry_of(*expires_header, policy.default_expiration) : policy.default_expiration;

    // Everything is checked before anything changes (section 10.3 step 7: all or nothing).
    std::vector<Update> updates;
    bool remove_all = false;
    for (const auto value : request.values(HeaderId::contact)) {
        if (updates.size() == max_contacts_in_request) return refuse(400);
        if (trim(value) == "*") {
            remove_all = true;
            continue;
        }
        const auto address = sip::NameAddress::parse(value);
        if (!address || address->uri.size() > max_contact_length || !sip::Uri::parse(address->uri))
            return refuse(400);
        const auto wish = address->parameter("expires");
        std::uint32_t expires = wish ? expiry_of(*wish, common_wish) : common_wish;
        if (expires != 0) expires = std::clamp(expires, policy.minimum_expiration, policy.maximum_expiration);
        updates.push_back({policy.rewrite_contact ? rewritten_contact(address->uri, flow) : std::string(address->uri),
                           std::string(address->parameter("+sip.instance").value_or("")), expires});
    }
    if (remove_all && (!updates.empty() || !expires_header || trim(*expires_header) != "0")) return refuse(400);

    const auto& current = location_.contacts(aor);
    const auto is_stale = [&](const Contact& c) {  // step 6: an older request of the same registration
        return c.call_id == request.call_id() && request.cseq() < c.cseq;
    };

    if (remove_all) {
        std::vector<std::string> uris;
        for (const auto& contact : current)
            if (!contact.is_static) uris.push_back(contact.uri);
        for (const auto& uri : uris) location_.unbind(aor, uri);
        Reply reply{200, {}, !uris.empty()};
        reply.headers = list_contacts(aor, now);
        append_date(reply.headers, wall_now);
        return reply;
    }

    std::vector<std::string> to_remove;
    std::size_t dynamic = 0;
    for (const auto& contact : current) dynamic += !contact.is_static;
    std::size_t kept = dynamic;
    std::size_t added = 0;
    for (const auto& update : updates) {
        const auto known = std::find_if(current.begin(), current.end(),
                                        [&](const Contact& c) { return c.uri == update.uri && !c.is_static; });
        if (known != current.end() && is_stale(*known)) return refuse(500);
        if (update.expires == 0)
            kept -= known != current.end();
        else
            added += known == current.end();
    }
    if (kept + added > policy.max_contacts) {
        if (!policy.remove_existing || added > policy.max_contacts) return refuse(403);
        // Make room by dropping those that would expire soonest anyway.
        std::vector<const Contact*> candidates;
        for (const auto& contact : current) {
            const bool mentioned = std::any_of(updates.begin(), updates.end(),
                                               [&](const Update& u) { return u.uri == contact.uri; });
            if (!contact.is_static && !mentioned) candidates.push_back(&contact);
        }
        std::sort(candidates.begin(), candidates.end(),
                  [](const Contact* a, const Contact* b) { return a->expires < b->expires; });
        std::size_t excess = kept + added - policy.max_contacts;
        if (excess > candidates.size()) return refuse(403);
        for (std::size_t i = 0; i < excess; ++i) to_remove.push_back(candidates[i]->uri);
    }

    Reply reply;
    for (const auto& uri : to_remove) reply.changed |= location_.unbind(aor, uri);
    std::uint32_t granted = common_wish;
    for (auto& update : updates) {
        granted = update.expires;
        reply.changed = true;
        if (update.expires == 0) {
            location_.unbind(aor, update.uri);
            continue;
        }
        Contact contact;
        contact.uri = std::move(update.uri);
        contact.instance = std::move(update.instance);
        contact.call_id = request.call_id();
        contact.cseq = request.cseq();
        contact.user_agent = request.header(HeaderId::user_agent).value_or("");
        contact.flow = flow;
        contact.registered = now;
        contact.expires = now + std::chrono::seconds{update.expires};
        if (policy.support_path)
            for (const auto path : request.values(HeaderId::path)) contact.path.emplace_back(path);
        if (policy.qualify_frequency > Duration::zero()) {
            contact.reach = Contact::Reach::unknown;
            contact.qualify_due = now;
        }
        location_.bind(aor, std::move(contact));
    }
    reply.headers = list_contacts(aor, now);
    if (!updates.empty()) fmt::format_to(std::back_inserter(reply.headers), "Expires: {}\r\n", granted);
    if (policy.support_path)
        for (const auto path : request.values(HeaderId::path))
            fmt::format_to(std::back_inserter(reply.headers), "Path: {}\r\n", path);
    append_date(reply.headers, wall_now);
    return reply;
}

std::string Registrar::list_contacts(const std::string& aor, Time now) const {
    std::string lines;
    for (const auto& contact : location_.contacts(aor))
        fmt::format_to(std::back_inserter(lines), "Contact: <{}>;expires={}\r\n", contact.uri,
                       seconds_left(contact, 3600, now));
    return lines;
}

}  // namespace strowger::pbx
