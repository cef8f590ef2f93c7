#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/text.hpp"
#include "base/time.hpp"
#include "wire/sip/transmit.hpp"

namespace strowger::pbx {

/// A binding of an address of record (RFC 3261 section 10): one place where it can be reached.
struct Contact {
    enum class Reach : std::uint8_t { unqualified, unknown, reachable, unreachable };

    std::string uri;                ///< where requests go
    std::vector<std::string> path;  ///< Path values (RFC 3327), first hop first
    std::string user_agent;
    std::string call_id;
    std::uint32_t cseq = 0;
    std::string instance;      ///< +sip.instance (RFC 5626), empty when absent
    std::uint32_t reg_id = 0;  ///< which flow of that instance (RFC 5626); 0 when absent
    sip::Flow flow;            ///< over which it registered; id 0 for static contacts
    Time expires = Time::max();
    Time registered{};
    bool is_static = false;  ///< configured, never expires
    Reach reach = Reach::unqualified;
    Duration round_trip{};
    Time qualify_due = Time::max();

    /// May it be dialled? Everything but a contact that stopped answering.
    bool available() const { return reach != Reach::unreachable; }
};

/// Where every address of record is at this moment. Belongs to one thread.
class Location {
public:
    using Contacts = std::vector<Contact>;
    enum class Change { added, refreshed, removed, expired };
    using Watcher = std::function<void(const std::string& aor, const Contact&, Change)>;

    /// Empty when nothing is registered.
    const Contacts& contacts(std::string_view aor) const;
    Contacts* find(std::string_view aor);

    /// Adds the binding, or refreshes the one with that URI (compared as given). A static contact
    /// is not replaced by a dynamic one, which would expire and take it along.
    Contact& bind(const std::string& aor, Contact contact);
    bool unbind(std::string_view aor, std::string_view uri, Change why = Change::removed);
    void unbind_flow(
        std::uint64_t flow_id);  ///< the connection is gone, and so is who came over it
    void clear_static();         ///< before a reload binds those of the new configuration

    /// When a binding next expires; may be early, never late.
    Time deadline() const { return next_expiry_; }
    void tick(Time now);

    void on_change(Watcher watcher) { watchers_.push_back(std::move(watcher)); }
    const std::unordered_map<std::string, Contacts, TextHash, std::equal_to<>>& all() const {
        return bindings_;
    }
    std::size_t size() const { return count_; }

private:
    void tell(const std::string& aor, const Contact& contact, Change change) const;
    void index(const std::string& aor, const Contact& contact);
    void unindex(const std::string& aor, const Contact& contact);

    std::unordered_map<std::string, Contacts, TextHash, std::equal_to<>> bindings_;
    /// The addresses of record on each connection, once a contact: thousands of connections that
    /// end together must not each search through everything.
    std::unordered_map<std::uint64_t, std::vector<std::string>> by_flow_;
    std::vector<Watcher> watchers_;
    Time next_expiry_ = Time::max();
    std::size_t count_ = 0;
};

}  // namespace strowger::pbx
