#include <algorithm>

#include "wire/ice/agent.hpp"

namespace strowger::ice {

using PairState = CandidatePair::State;
using stun::AttributeType;

// Section 7.3, and RFC 8489 section 9.1.3 for what is refused with which code.
void Agent::on_request(const Datagram& datagram, const stun::Message& request, Time now) {
    const Base* base = candidates_.base(datagram.socket);
    if (!base || request.method() != stun::Method::binding) {
        ++counters_.malformed;
        return;
    }
    const Generation* asked = addressed(request);
    const bool complete = request.username() && request.has_integrity();
    const auto integrity = asked ? asked->local_key.verifies(request) : stun::Integrity::none;
    if (integrity == stun::Integrity::none) {
        ++counters_.unauthenticated;
        return refuse(datagram, request, complete ? 401 : 400, nullptr, integrity, now);
    }
    std::array<AttributeType, 1> unknown;
    if (request.unknown_required(unknown) > 0) {
        return refuse(datagram, request, 420, asked, integrity, now);
    }
    const bool is_current = asked == &current_;
    if (is_current && failed_) return;  // an answer would promise a path
    if (is_current && !is_my_role(request)) {
        return refuse(datagram, request, 487, asked, integrity, now);
    }
    Outgoing answer;
    answer.kind = Kind::answer;
    answer.of_previous = !is_current;
    answer.integrity = integrity;
    answer.socket = datagram.socket;
    answer.to = datagram.from;
    answer.transaction = request.transaction();
    send(answer);
    heard(base->component, now);
    if (is_current) on_check(datagram, request, *base, now);
}

/// Whose credentials the user name asks for: the part before the colon is ours.
const Generation* Agent::addressed(const stun::Message& request) const {
    const auto username = request.username();
    if (!username) return nullptr;
    const auto ours = username->substr(0, username->find(':'));
    if (ours == current_.local.ufrag) return &current_;
    return previous_ && ours == previous_->local.ufrag ? &*previous_ : nullptr;
}

/// Section 7.3.1.1: when both believe to have one role, the higher tie-breaker keeps it. A lite
/// side never controls a full one. False: the peer is to change.
bool Agent::is_my_role(const stun::Message& request) {
    const auto same_role =
        role_ == Role::controlling ? AttributeType::ice_controlling : AttributeType::ice_controlled;
    const auto theirs = request.long_number(same_role);
    if (!theirs) return true;
    // Who checks is no lite side, and controls, though its description may not have come yet.
    if (config_.lite && role_ == Role::controlling) {
        switch_role(Role::controlled);
        return true;
    }
    const bool we_win = tie_breaker_ >= *theirs;
    const bool we_stay = role_ == Role::controlling ? we_win : !we_win;
    if (we_stay || config_.lite) return false;
    switch_role(opposite(role_));
    return true;
}

void Agent::on_check(const Datagram& datagram, const stun::Message& request, const Base& base,
                     Time now) {
    auto* pair = checks_.find(datagram.socket, datagram.from);
    if (!pair) {
        const auto priority = request.priority().value_or(peer_reflexive_priority(base.priority));
        const Remote* remote = candidates_.learn(datagram.from, base.component, priority);
        if (remote) pair = pair_up(base, *remote);
        if (!pair) return;
    }
    note_tuple(*pair);
    notice_move(*pair, now);
    if (config_.lite) {
        if (!pair->valid) made_valid(*pair, now);
    } else {
        trigger(*pair);
    }
    if (request.use_candidate() && role_ == Role::controlled) on_peer_nomination(*pair, now);
}

// Section 7.3.1.4. A check under way may have died in a NAT that the peer's has now opened.
void Agent::trigger(CandidatePair& pair) {
    if (pair.state == PairState::succeeded) return;
    if (pair.state == PairState::in_progress) {
        pair.cancelled = pair.transaction.id();
        pair.transaction.stop();
    }
    pair.state = PairState::waiting;
    checks_.trigger(pair);
}

/// What nobody vouches for is answered with no more bytes than it had, and only so often a second:
/// the address may be that of a victim.
void Agent::refuse(const Datagram& datagram, const stun::Message& request, std::uint16_t code,
                   const Generation* authentic, stun::Integrity integrity, Time now) {
    if (!authentic) {
        if (now >= refusals_since_ + std::chrono::seconds{1}) {
            refusals_since_ = now;
            refusals_ = 0;
        }
        if (refusals_++ >= max_refusals) return;
    }
    Outgoing refusal;
    refusal.kind = Kind::refusal;
    refusal.of_previous = authentic && authentic != &current_;
    refusal.integrity = integrity;
    refusal.code = code;
    refusal.socket = datagram.socket;
    refusal.to = datagram.from;
    if (!authentic) refusal.size_limit = datagram.bytes.size();
    refusal.transaction = request.transaction();
    if (code == 420) {
        refusal.unknown_count =
            static_cast<std::uint8_t>(request.unknown_required(refusal.unknown));
    }
    send(refusal);
}

}  // namespace strowger::ice
