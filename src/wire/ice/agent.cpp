#include "wire/ice/agent.hpp"

#include <algorithm>

#include "wire/ice/binding.hpp"

namespace strowger::ice {

using PairState = CandidatePair::State;

Agent::Agent(Config config, Random& random)
    : config_(std::move(config)),
      random_(random),
      role_(config_.role),
      tie_breaker_(random.next()),
      current_(config_.local) {
    config_.components = std::clamp<std::uint16_t>(config_.components, 1, max_components);
}

Result<> Agent::add_local(const Candidate& candidate, SocketId socket) {
    if (candidate.component > config_.components) return {};  // muxed, and so not needed
    const auto base = candidates_.add_local(candidate, socket);
    if (!base) return std::unexpected(base.error());
    if (!*base) return {};
    for (const Remote& remote : candidates_.remotes()) {
        if (CandidateTable::fit(**base, remote)) pair_up(**base, remote);
    }
    return {};
}

Result<> Agent::set_remote(const Credentials& credentials, bool lite) {
    if (current_.knows_remote() && current_.remote != credentials) {
        return fail("ice-ufrag '{}' after '{}': other credentials need a restart of both sides",
                    credentials.ufrag, current_.remote.ufrag);
    }
    if (auto right = Credentials::check(credentials.ufrag, credentials.pwd); !right) {
        return std::unexpected(right.error());
    }
    if (!current_.knows_remote()) current_.set_remote(credentials);
    remote_lite_ = lite;
    // Section 6.1.1: beside a lite side the full one controls.
    if (lite != config_.lite) switch_role(lite ? Role::controlling : Role::controlled);
    return {};
}

Result<> Agent::add_remote(const Candidate& candidate) {
    if (candidate.component > config_.components) return {};  // muxed, and so not needed
    const auto remote = candidates_.add_remote(candidate);
    if (!remote) return std::unexpected(remote.error());
    if (!*remote) return {};
    gives_up_.reset();
    for (const Base& base : candidates_.bases()) {
        if (CandidateTable::fit(base, **remote)) pair_up(base, **remote);
    }
    return {};
}

void Agent::use_one_component() {
    config_.components = 1;
    candidates_.remove_component(2);
    checks_.remove_component(2);
    selected_[1].reset();
    if (all_selected()) complete();
}

void Agent::restart(Credentials local) {
    const bool serves = std::any_of(selected_.begin(), selected_.end(),
                                    [](const auto& path) { return path && !path->of_previous; });
    if (serves) {
        previous_ = std::move(current_);
        for (auto& path : selected_) {
            if (path && path->of_previous) path.reset();  // of the generation before that
            if (path) path->of_previous = true;
        }
    }
    config_.local = std::move(local);
    current_ = Generation(config_.local);
    candidates_.forget_remotes();
    checks_.clear();
    first_valid_ = {};
    gives_up_.reset();
    remote_lite_ = remote_ended_ = was_connected_ = failed_ = false;
    std::erase_if(outgoing_, [](const Outgoing& o) { return o.kind == Kind::check; });
    outgoing_sent_ = std::min(outgoing_sent_, outgoing_.size());
}

CandidatePair* Agent::pair_up(const Base& base, const Remote& remote) {
    auto* pair = checks_.find(base.socket, remote.address);
    CandidatePair fresh;
    if (!pair) {
        fresh.socket = base.socket;
        fresh.component = base.component;
        fresh.remote = remote.address;
    }
    CandidatePair& described = pair ? *pair : fresh;
    described.foundation = CandidateTable::pair_foundation(base, remote);
    described.local_priority = base.priority;
    described.remote_priority = remote.priority;
    rate(described);
    return pair ? pair : checks_.add(fresh);
}

void Agent::rate(CandidatePair& pair) const {
    pair.priority = role_ == Role::controlling
                        ? pair_priority(pair.local_priority, pair.remote_priority)
                        : pair_priority(pair.remote_priority, pair.local_priority);
}

void Agent::switch_role(Role role) {
    if (role_ == role) return;
    role_ = role;
    for (auto& pair : checks_.pairs()) {
        rate(pair);
        pair.nominating = pair.peer_nominated = false;
    }
}

void Agent::receive(const Datagram& datagram, Time now) {
    const auto message = stun::Message::parse(datagram.bytes);
    if (!message) {
        ++counters_.malformed;
        return;
    }
    switch (message->message_class()) {
        case stun::Class::request: on_request(datagram, *message, now); break;
        case stun::Class::success:
        case stun::Class::error: on_response(datagram, *message, now); break;
        case stun::Class::indication: break;  // a keep-alive
    }
    tick(now);
}

void Agent::heard(std::uint16_t component, Time now) {
    if (!config_.lite || component < 1 || component > max_components) return;
    if (auto& path = selected_[component - 1u]) path->consent.answered(now);
}

void Agent::tick(Time now) {
    if (!failed_ && current_.knows_remote()) {
        if (!gives_up_) gives_up_ = now + config_.patience;
        if (makes_checks()) {
            check_pairs(now);
            nominate(now);
        }
        if (config_.lite && remote_lite_ && remote_ended_) select_between_lites(now);
        lose_patience(now);
    }
    keep_consent(now);
}

void Agent::check_pairs(Time now) {
    for (auto& pair : checks_.pairs()) {
        while (const auto event = pair.transaction.tick(now)) {
            if (*event == stun::ClientTransaction::Event::send) {
                send_check(pair);
            } else {
                fail_pair(pair);
            }
        }
    }
    if (now < next_check_ || !checks_.has_next(ordinary())) return;
    // Without a pair to check, all that are left are frozen and wait for one that is under way.
    next_check_ = now + config_.pacing;
    if (auto* pair = checks_.next(ordinary())) begin_check(*pair, now);
}

void Agent::begin_check(CandidatePair& pair, Time now) {
    pair.state = PairState::in_progress;
    pair.role_sent = role_;
    const stun::ClientTransaction::Timers timers{.rto = rto(), .tries = config_.tries};
    pair.transaction = stun::ClientTransaction(stun::TransactionId::make(random_), timers, now);
    if (pair.transaction.tick(now)) send_check(pair);
}

void Agent::send_check(const CandidatePair& pair) {
    Outgoing outgoing;
    outgoing.kind = Kind::check;
    outgoing.role = pair.role_sent;
    outgoing.nominates = pair.nominating && pair.role_sent == Role::controlling;
    outgoing.socket = pair.socket;
    outgoing.to = pair.remote;
    outgoing.priority = peer_reflexive_priority(pair.local_priority);
    outgoing.transaction = pair.transaction.id();
    send(outgoing);
}

// Section 14.3: the more checks are under way, the longer until one is repeated, so that all of
// them together keep to the pace.
Duration Agent::rto() const {
    const auto under_way =
        checks_.count(PairState::waiting) + checks_.count(PairState::in_progress);
    return std::max(config_.min_rto, config_.pacing * static_cast<int>(under_way));
}

bool Agent::ordinary() const { return config_.ordinary_checks && !all_selected(); }

bool Agent::all_selected() const {
    return std::all_of(selected_.begin(), selected_.begin() + config_.components,
                       [](const auto& path) { return path && !path->of_previous; });
}

bool Agent::pair_awaits_selection() const {
    const auto& pairs = checks_.pairs();
    return std::any_of(pairs.begin(), pairs.end(),
                       [&](const auto& pair) { return !selected_[pair.component - 1u]; });
}

void Agent::lose_patience(Time now) {
    if (now < *gives_up_ || all_selected()) return;
    failed_ = true;
    for (auto& pair : checks_.pairs()) pair.transaction.stop();
    raise(Event::Kind::failed, {});
}

Time Agent::deadline() const {
    Time at = Time::max();
    for (const auto& path : selected_) {
        if (path) at = std::min({at, path->consent.deadline(), move_deadline(*path)});
    }
    if (failed_ || !current_.knows_remote()) return at;
    if (!all_selected()) at = std::min(at, gives_up_.value_or(Time{}));
    if (config_.lite && remote_lite_ && remote_ended_ && pair_awaits_selection()) return Time{};
    if (!makes_checks()) return at;
    for (const auto& pair : checks_.pairs()) at = std::min(at, pair.transaction.deadline());
    if (checks_.has_next(ordinary())) at = std::min(at, next_check_);
    return std::min(at, nomination_deadline());
}

void Agent::raise(Event::Kind kind, const Path& path) {
    if (events_.size() < max_events) events_.push_back({kind, path});
}

bool Agent::poll(Event& event) {
    if (events_taken_ == events_.size()) {
        events_.clear();
        events_taken_ = 0;
        return false;
    }
    event = events_[events_taken_++];
    return true;
}

void Agent::send(const Outgoing& outgoing) {
    if (outgoing_.size() < max_outgoing) outgoing_.push_back(outgoing);
}

bool Agent::poll(Transmit& transmit) {
    while (outgoing_sent_ < outgoing_.size()) {
        const Outgoing& next = outgoing_[outgoing_sent_++];
        const Bytes bytes = write(next, transmit.buffer);
        if (bytes.empty() || bytes.size() > next.size_limit) continue;
        transmit.socket = next.socket;
        transmit.to = next.to;
        transmit.size = bytes.size();
        return true;
    }
    outgoing_.clear();
    outgoing_sent_ = 0;
    return false;
}

Bytes Agent::write(const Outgoing& outgoing, MutableBytes buffer) const {
    const Generation& keys = outgoing.of_previous && previous_ ? *previous_ : current_;
    switch (outgoing.kind) {
        case Kind::check:
        case Kind::consent:
            return write_check(buffer,
                               {.transaction = outgoing.transaction,
                                .priority = outgoing.priority,
                                .role = outgoing.role,
                                .tie_breaker = tie_breaker_,
                                .nominates = outgoing.nominates},
                               keys);
        case Kind::answer:
            return write_answer(buffer, outgoing.transaction, outgoing.to, keys.local_key,
                                outgoing.integrity);
        case Kind::refusal:
            return write_refusal(
                buffer, outgoing.transaction, outgoing.code,
                std::span(outgoing.unknown).first(outgoing.unknown_count),
                outgoing.integrity == stun::Integrity::none ? nullptr : &keys.local_key,
                outgoing.integrity);
        case Kind::indication: return write_indication(buffer, outgoing.transaction);
    }
    return {};
}

Agent::State Agent::state() const {
    if (failed_) return State::failed;
    if (all_selected()) return State::completed;
    if (was_connected_) return State::connected;
    return current_.knows_remote() ? State::checking : State::waiting;
}

std::optional<Agent::Path> Agent::path(std::uint16_t component) const {
    if (component < 1 || component > max_components) return std::nullopt;
    const auto& selected = selected_[component - 1u];
    if (selected && selected->consent.granted()) {
        return Path{component, selected->socket, selected->remote};
    }
    if (selected && !selected->of_previous) return std::nullopt;  // consent is lost
    const CandidatePair* newest = nullptr;
    for (const auto& pair : checks_.pairs()) {
        if (!pair.valid || pair.component != component) continue;
        if (!newest || pair.valid_since > newest->valid_since) newest = &pair;
    }
    if (!newest) return std::nullopt;
    return Path{component, newest->socket, newest->remote};
}

}  // namespace strowger::ice
