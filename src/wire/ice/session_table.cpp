#include "wire/ice/session_table.hpp"

#include <algorithm>

#include "wire/stun/message.hpp"

namespace strowger::ice {

SessionTable::Known* SessionTable::known(Session session) {
    return session < sessions_.size() ? &sessions_[session] : nullptr;
}

bool SessionTable::add(std::string_view ufrag, Session session) {
    if (session >= sessions_.size()) sessions_.resize(session + 1);
    auto& ufrags = sessions_[session].ufrags;
    if (ufrags.size() == max_ufrags) return false;
    if (!by_ufrag_.try_emplace(std::string(ufrag), session).second) return false;
    ufrags.emplace_back(ufrag);
    return true;
}

void SessionTable::forget(std::string_view ufrag) {
    const auto found = by_ufrag_.find(ufrag);
    if (found == by_ufrag_.end()) return;
    std::erase(sessions_[found->second].ufrags, ufrag);
    by_ufrag_.erase(found);
}

void SessionTable::remove(Session session) {
    auto* gone = known(session);
    if (!gone) return;
    for (std::size_t i = 0; i < gone->count; ++i) tuples_.erase(gone->tuples[i]);
    for (const auto& ufrag : gone->ufrags) by_ufrag_.erase(ufrag);
    *gone = {};
}

std::optional<SessionTable::Session> SessionTable::asked_for(Bytes datagram) const {
    if (!stun::looks_like_stun(datagram)) return std::nullopt;
    const auto message = stun::Message::parse(datagram);
    if (!message || !message->is(stun::Class::request, stun::Method::binding)) return std::nullopt;
    const auto username = message->username();
    if (!username) return std::nullopt;
    const auto found = by_ufrag_.find(username->substr(0, username->find(':')));
    return found == by_ufrag_.end() ? std::nullopt : std::optional(found->second);
}

void SessionTable::learn(Session session, const Tuple& tuple) {
    auto* to = known(session);
    if (!to || to->find(tuple) < to->count) return;
    // An address that another session had: its peer is gone, or has begun anew.
    if (const auto before = tuples_.set(tuple, session)) {
        auto& other = sessions_[*before];
        other.drop(other.find(tuple));
    }
    if (to->count == max_tuples) {
        const auto eldest = to->eldest_not_preferred();
        tuples_.erase(to->tuples[eldest]);
        to->drop(eldest);
    }
    to->tuples[to->count++] = tuple;
}

void SessionTable::prefer(Session session, std::uint16_t component, const Tuple& tuple) {
    learn(session, tuple);
    auto* to = known(session);
    if (to && component >= 1 && component <= to->preferred.size()) {
        to->preferred[component - 1u] = tuple;
    }
}

void SessionTable::Known::drop(std::size_t at) {
    if (at >= count) return;
    std::copy(tuples.begin() + static_cast<std::ptrdiff_t>(at) + 1,
              tuples.begin() + static_cast<std::ptrdiff_t>(count),
              tuples.begin() + static_cast<std::ptrdiff_t>(at));
    --count;
}

std::size_t SessionTable::Known::find(const Tuple& tuple) const {
    return static_cast<std::size_t>(
        std::find(tuples.begin(), tuples.begin() + static_cast<std::ptrdiff_t>(count), tuple) -
        tuples.begin());
}

std::size_t SessionTable::Known::eldest_not_preferred() const {
    std::size_t at = 0;
    while (std::find(preferred.begin(), preferred.end(), tuples[at]) != preferred.end()) ++at;
    return at;  // there are more tuples than can be preferred
}

}  // namespace strowger::ice
