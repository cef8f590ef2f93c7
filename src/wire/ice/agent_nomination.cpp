#include <algorithm>
#include <utility>

#include "wire/ice/agent.hpp"

namespace strowger::ice {
namespace {

using PairState = CandidatePair::State;

/// Peers that nominate with every check of theirs (RFC 5245's aggressive nomination) do it within
/// so long, and mean the best of them. Later a nomination means that the peer has moved.
constexpr Duration settling = std::chrono::seconds{1};

/// How long a path that the peer may have left is asked, and how often: four questions, of which a
/// path that loses a fifth each way answers one in all but two of a hundred cases. A lite side
/// asks nothing and waits for longer than any peer leaves between two checks of its own path.
constexpr Duration full_move_takes = std::chrono::milliseconds{2000};
constexpr Duration question_interval = std::chrono::milliseconds{500};
constexpr Duration lite_move_takes = std::chrono::seconds{8};

/// Between two lite sides nobody checks, and so nobody consents either (RFC 7675 section 4).
constexpr Duration forever = std::chrono::hours{24 * 365};

}  // namespace

void Agent::note_tuple(CandidatePair& pair) {
    if (pair.authenticated) return;
    pair.authenticated = true;
    raise(Event::Kind::tuple_seen, {pair.component, pair.socket, pair.remote});
}

void Agent::made_valid(CandidatePair& pair, Time now) {
    pair.valid = true;
    pair.valid_since = now;
    auto& first = first_valid_[pair.component - 1u];
    if (!first) first = now;
    if (was_connected_ ||
        !std::all_of(first_valid_.begin(), first_valid_.begin() + config_.components,
                     [](const auto& time) { return time.has_value(); })) {
        return;
    }
    was_connected_ = true;
    raise(Event::Kind::connected, {pair.component, pair.socket, pair.remote});
}

void Agent::on_peer_nomination(CandidatePair& pair, Time now) {
    if (!pair.valid) {
        pair.peer_nominated = true;  // section 7.3.1.5: selected when our check succeeds
        return;
    }
    auto& selected = selected_[pair.component - 1u];
    if (!selected || selected->of_previous || !selected->consent.granted()) {
        return select(pair, now);
    }
    if (selected->socket == pair.socket && selected->remote == pair.remote) {
        selected->nominated_at = now;
    } else if (pair.priority > selected->priority || now > selected->nominated_at + settling) {
        select(pair, now);
    }
}

// Section 8.1.1, regular nomination: one pair a component, the best that is valid, once no better
// one is under way or has been waited for long enough. The check goes out of turn: pacing spares
// the network checks that lead nowhere, and this path has just been shown to work.
void Agent::nominate(Time now) {
    if (role_ != Role::controlling) return;
    for (std::uint16_t component = 1; component <= config_.components; ++component) {
        const auto& selected = selected_[component - 1u];
        if (selected && !selected->of_previous) continue;
        auto* best = best_valid(component);
        if (!best) continue;
        const Time waited = *first_valid_[component - 1u] + config_.nomination_wait;
        if (now < waited && better_is_open(*best)) continue;
        best->nominating = true;
        begin_check(*best, now);
    }
}

/// Nothing while a nomination is under way.
CandidatePair* Agent::best_valid(std::uint16_t component) {
    CandidatePair* best = nullptr;
    for (auto& pair : checks_.pairs()) {
        if (pair.component != component || !pair.valid) continue;
        if (pair.nominating) return nullptr;
        if (!best || pair.priority > best->priority) best = &pair;
    }
    return best;
}

bool Agent::better_is_open(const CandidatePair& pair) const {
    const auto& pairs = checks_.pairs();
    return std::any_of(pairs.begin(), pairs.end(), [&](const CandidatePair& other) {
        return other.component == pair.component && other.priority > pair.priority &&
               other.is_open();
    });
}

Time Agent::nomination_deadline() const {
    if (role_ != Role::controlling) return Time::max();
    Time at = Time::max();
    for (std::uint16_t component = 1; component <= config_.components; ++component) {
        const auto& selected = selected_[component - 1u];
        const auto& first = first_valid_[component - 1u];
        if ((selected && !selected->of_previous) || !first) continue;
        const auto& pairs = checks_.pairs();
        const bool under_way = std::any_of(pairs.begin(), pairs.end(), [&](const auto& pair) {
            return pair.component == component && pair.nominating;
        });
        const bool possible = std::any_of(pairs.begin(), pairs.end(), [&](const auto& pair) {
            return pair.component == component && pair.valid;
        });
        if (possible && !under_way) at = std::min(at, *first + config_.nomination_wait);
    }
    return at;
}

void Agent::select(const CandidatePair& pair, Time now) {
    selected_[pair.component - 1u] = SelectedPath{
        .socket = pair.socket,
        .remote = pair.remote,
        .local_priority = pair.local_priority,
        .priority = pair.priority,
        .nominated_at = now,
        .consent = new_consent(now),
    };
    raise(Event::Kind::selected, {pair.component, pair.socket, pair.remote});
    if (all_selected()) complete();
}

/// Section 8.1.2: other checks end, and so does what a restart has replaced.
void Agent::complete() {
    previous_.reset();
    for (auto& pair : checks_.pairs()) {
        if (!pair.is_open() || pair.nominating) continue;
        pair.state = PairState::failed;
        pair.transaction.stop();
        checks_.untrigger(pair);
    }
}

void Agent::select_between_lites(Time now) {
    for (std::uint16_t component = 1; component <= config_.components; ++component) {
        if (selected_[component - 1u]) continue;
        CandidatePair* best = nullptr;
        for (auto& pair : checks_.pairs()) {
            if (pair.component != component) continue;
            if (!best || pair.priority > best->priority) best = &pair;
        }
        if (!best) continue;
        made_valid(*best, now);
        select(*best, now);
    }
}

Consent Agent::new_consent(Time now) {
    if (!config_.lite) return {config_.consent, now, random_};
    const auto timeout = remote_lite_ ? forever : config_.consent.timeout;
    return {{.interval = config_.keep_alive, .timeout = timeout}, now, random_};
}

// RFC 7675 section 5.1. A lite side only keeps NATs open (RFC 8445 section 11), and takes what it
// hears as consent.
void Agent::keep_consent(Time now) {
    for (std::uint16_t component = 1; component <= max_components; ++component) {
        auto& path = selected_[component - 1u];
        if (!path) continue;
        while (const auto event = path->consent.tick(now, random_)) {
            if (*event == Consent::Event::lost) {
                raise(Event::Kind::consent_lost, {component, path->socket, path->remote});
                continue;
            }
            ask_consent(*path);
        }
        follow(component, now);
    }
}

void Agent::ask_consent(SelectedPath& path) {
    Outgoing check;
    check.kind = config_.lite ? Kind::indication : Kind::consent;
    check.of_previous = path.of_previous;
    check.role = role_;
    check.socket = path.socket;
    check.to = path.remote;
    check.priority = peer_reflexive_priority(path.local_priority);
    check.transaction = path.new_check(random_);
    send(check);
}

// RFC 8445 leaves no way to tell us, short of a restart, that a NAT has given the peer another
// port: its consent checks (RFC 7675) come from there and nominate nothing. A path that is still
// good answers when it is asked, and so a replayed check moves nothing.
void Agent::notice_move(CandidatePair& pair, Time now) {
    auto& path = selected_[pair.component - 1u];
    if (!path || path->of_previous || role_ != Role::controlled) return;
    if (path->is(pair.socket, pair.remote)) return path->move.reset();
    if (path->move || now < path->nominated_at + settling) return;
    path->move = SelectedPath::Move{.socket = pair.socket,
                                    .remote = pair.remote,
                                    .since = now,
                                    .next_question = config_.lite ? Time::max() : now,
                                    .confirmed = config_.lite};
    // A pair of long ago has to show anew that it works both ways.
    if (pair.state == PairState::succeeded && !config_.lite) pair.state = PairState::waiting;
}

void Agent::confirm_move(const CandidatePair& pair) {
    auto& path = selected_[pair.component - 1u];
    if (!path || !path->move) return;
    auto& move = *path->move;
    if (move.socket == pair.socket && move.remote == pair.remote) move.confirmed = true;
}

Duration Agent::move_takes() const { return config_.lite ? lite_move_takes : full_move_takes; }

Time Agent::move_deadline(const SelectedPath& path) const {
    if (!path.move) return Time::max();
    return std::min(path.move->next_question, path.move->since + move_takes());
}

/// Asks the old path while there is doubt, and leaves it when there is none.
void Agent::follow(std::uint16_t component, Time now) {
    auto& path = selected_[component - 1u];
    if (!path || !path->move) return;
    auto& move = *path->move;
    if (now >= move.next_question) {
        move.next_question = now + question_interval;
        ask_consent(*path);
    }
    if (now < move.since + move_takes()) return;
    const auto ended = *std::exchange(path->move, std::nullopt);
    const auto* pair = checks_.find(ended.socket, ended.remote);
    if (ended.confirmed && pair && pair->valid) select(*pair, now);
}

}  // namespace strowger::ice
