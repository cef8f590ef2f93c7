#include "pbx/location.hpp"

#include <algorithm>

namespace strowger::pbx {

const Location::Contacts& Location::contacts(std::string_view aor) const {
    static const Contacts none;
    const auto found = bindings_.find(aor);
    return found == bindings_.end() ? none : found->second;
}

Location::Contacts* Location::find(std::string_view aor) {
    const auto found = bindings_.find(aor);
    return found == bindings_.end() ? nullptr : &found->second;
}

Contact& Location::bind(const std::string& aor, Contact contact) {
    auto& contacts = bindings_[aor];
    next_expiry_ = std::min(next_expiry_, contact.expires);
    const auto same = std::find_if(contacts.begin(), contacts.end(),
                                   [&](const Contact& c) { return c.uri == contact.uri; });
    if (same != contacts.end()) {
        contact.reach = same->reach;
        contact.round_trip = same->round_trip;
        contact.qualify_due = same->qualify_due;
        *same = std::move(contact);
        tell(aor, *same, Change::refreshed);
        return *same;
    }
    ++count_;
    contacts.push_back(std::move(contact));
    tell(aor, contacts.back(), Change::added);
    return contacts.back();
}

bool Location::unbind(std::string_view aor, std::string_view uri, Change why) {
    const auto found = bindings_.find(aor);
    if (found == bindings_.end()) return false;
    auto& contacts = found->second;
    const auto at = std::find_if(contacts.begin(), contacts.end(), [&](const Contact& c) { return c.uri == uri; });
    if (at == contacts.end()) return false;
    const Contact gone = std::move(*at);
    const std::string name = found->first;
    contacts.erase(at);
    --count_;
    if (contacts.empty()) bindings_.erase(found);
    tell(name, gone, why);
    return true;
}

void Location::unbind_flow(std::uint64_t flow_id) {
    std::vector<std::pair<std::string, std::string>> gone;
    for (const auto& [aor, contacts] : bindings_)
        for (const auto& contact : contacts)
            if (!contact.is_static && sip::is_reliable(contact.flow.transport) && contact.flow.id == flow_id)
                gone.emplace_back(aor, contact.uri);
    for (const auto& [aor, uri] : gone) unbind(aor, uri);
}

void Location::clear_static() {
    for (auto at = bindings_.begin(); at != bindings_.end();) {
        count_ -= std::erase_if(at->second, [](const Contact& c) { return c.is_static; });
        at = at->second.empty() ? bindings_.erase(at) : std::next(at);
    }
}

void Location::tick(Time now) {
    if (now < next_expiry_) return;
    next_expiry_ = Time::max();
    std::vector<std::pair<std::string, std::string>> gone;
    for (const auto& [aor, contacts] : bindings_)
        for (const auto& contact : contacts) {
            if (contact.expires <= now)
                gone.emplace_back(aor, contact.uri);
            else
                next_expiry_ = std::min(next_expiry_, contact.expires);
        }
    // One sweep a second at the most, however the expiries are spread.
    next_expiry_ = std::max(next_expiry_, now + std::chrono::seconds{1});
    for (const auto& [aor, uri] : gone) unbind(aor, uri, Change::expired);
}

void Location::tell(const std::string& aor, const Contact& contact, Change change) const {
    for (const auto& watcher : watchers_) watcher(aor, contact, change);
}

}  // namespace strowger::pbx
