#include "wire/ice/agent.hpp"

namespace strowger::ice {

using PairState = CandidatePair::State;

// Section 7.2.5. What has no right integrity is as if it had never come (RFC 8489 section 9.1.4),
// and so a peer that refuses early checks, as it does not know us yet, is asked again.
void Agent::on_response(const Datagram& datagram, const stun::Message& response, Time now) {
    if (on_consent_response(datagram, response, now)) return;
    auto* pair = checks_.find(response.transaction());
    if (!pair || !current_.knows_remote()) {
        ++counters_.unexpected;
        return;
    }
    if (current_.remote_key.verifies(response) == stun::Integrity::none) {
        ++counters_.unauthenticated;
        return;
    }
    if (response.message_class() == stun::Class::error) return on_error(*pair, response);
    // Section 7.2.5.2.1: an answer from elsewhere shows a path that does not work both ways.
    if (datagram.socket != pair->socket || datagram.from != pair->remote) return fail_pair(*pair);
    if (!response.mapped_address()) {
        ++counters_.malformed;
        return;
    }
    on_success(*pair, response, now);
}

bool Agent::on_consent_response(const Datagram& datagram, const stun::Message& response, Time now) {
    for (auto& path : selected_) {
        if (!path || !path->has_check(response.transaction())) continue;
        const Generation& keys = path->of_previous && previous_ ? *previous_ : current_;
        if (keys.remote_key.verifies(response) == stun::Integrity::none) {
            ++counters_.unauthenticated;
        } else if (const auto error = response.error()) {
            if (error->code == 403) path->consent.revoke(now);
            if (error->code == 487 && !path->of_previous) switch_role(opposite(role_));
        } else if (datagram.socket == path->socket && datagram.from == path->remote) {
            path->consent.answered(now);
            path->move.reset();
        }
        return true;
    }
    return false;
}

void Agent::on_error(CandidatePair& pair, const stun::Message& response) {
    const bool is_current = response.transaction() == pair.transaction.id();
    const auto error = response.error();
    if (!is_current || !error) return;
    if (error->code != 487) return fail_pair(pair);
    // Section 7.2.5.1: the peer keeps its role; we take the other and ask again.
    switch_role(opposite(pair.role_sent));
    trigger(pair);
}

void Agent::on_success(CandidatePair& pair, const stun::Message& response, Time now) {
    const bool is_current = response.transaction() == pair.transaction.id();
    note_tuple(pair);
    confirm_move(pair);
    if (!pair.valid) made_valid(pair, now);
    if (pair.nominating && !is_current) return;  // the answer to the nomination is still to come
    pair.state = PairState::succeeded;
    pair.transaction.stop();
    checks_.untrigger(pair);
    checks_.unfreeze_alike(pair);
    if (pair.nominating) {
        pair.nominating = false;
        select(pair, now);
    } else if (pair.peer_nominated) {
        pair.peer_nominated = false;
        on_peer_nomination(pair, now);
    }
}

void Agent::fail_pair(CandidatePair& pair) {
    pair.state = PairState::failed;
    pair.valid = pair.nominating = false;
    pair.transaction.stop();
}

}  // namespace strowger::ice
