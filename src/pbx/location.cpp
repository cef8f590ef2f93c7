#include "pbx/location.hpp"

#include <algorithm>

namespace strowger::pbx {

namespace {

bool is_connected(const Contact& contact) {
    return !contact.is_static && contact.flow.id != 0 && sip::is_reliable(contact.flow.transport);
}

}  // namespace

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
        if (same->is_static && !contact.is_static) return *same;
        contact.reach = same->reach;
        contact.round_trip = same->round_trip;
        contact.qualify_due = same->qualify_due;
        unindex(aor, *same);
        *same = std::move(contact);
        index(aor, *same);
        tell(aor, *same, Change::refreshed);
        return *same;
    }
    ++count_;
    contacts.push_back(std::move(contact));
    index(aor, contacts.back());
    tell(aor, contacts.back(), Change::added);
    return contacts.back();
}

bool Location::unbind(std::string_view aor, std::string_view uri, Change why) {
    const auto found = bindings_.find(aor);
    if (found == bindings_.end()) return false;
    auto& contacts = found->second;
    const auto at = std::find_if(contacts.begin(), contacts.end(),
                                 [&](const Contact& c) { return c.uri == uri; });
    if (at == contacts.end()) return false;
    const Contact gone = std::move(*at);
    const std::string name = found->first;
    unindex(name, gone);
    contacts.erase(at);
    --count_;
    if (contacts.empty()) bindings_.erase(found);
    tell(name, gone, why);
    return true;
}

void Location::unbind_flow(std::uint64_t flow_id) {
    const auto found = by_flow_.find(flow_id);
    if (found == by_flow_.end()) return;
    const auto aors = found->second;  // unbinding changes the index
    for (const auto& aor : aors) {
        const auto& bound = contacts(aor);
        const auto gone = std::find_if(bound.begin(), bound.end(), [&](const Contact& c) {
            return is_connected(c) && c.flow.id == flow_id;
        });
        if (gone == bound.end()) continue;
        const std::string uri = gone->uri;
        unbind(aor, uri);
    }
}

void Location::index(const std::string& aor, const Contact& contact) {
    if (is_connected(contact)) by_flow_[contact.flow.id].push_back(aor);
}

void Location::unindex(const std::string& aor, const Contact& contact) {
    if (!is_connected(contact)) return;
    const auto found = by_flow_.find(contact.flow.id);
    if (found == by_flow_.end()) return;
    auto& aors = found->second;
    if (const auto at = std::find(aors.begin(), aors.end(), aor); at != aors.end()) aors.erase(at);
    if (aors.empty()) by_flow_.erase(found);
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
    for (std::size_t i = 0; i < watchers_.size(); ++i) watchers_[i](aor, contact, change);
}

}  // namespace strowger::pbx
